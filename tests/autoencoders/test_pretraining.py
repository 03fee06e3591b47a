"""Is each autoencoder trained on clean features of the ones before it, which stay as they are, and after a kill too?"""

import keras
import numpy as np
import pytest

import keras_rectifiers as kr
from differentiation import to_numpy
from keras_rectifiers.autoencoders import ActivityL1, DenoisingAutoencoder, pretrain, to_classifier
from specimens import NO_INTEGERS, NO_SEEDS


class Recorded(DenoisingAutoencoder):
    """An autoencoder that keeps what its `fit` was given."""

    def fit(self, x=None, **arguments):
        self.given, self.arguments = x, arguments
        return super().fit(x, **arguments)


def autoencoder(units: int, seed: int, **arguments) -> Recorded:
    made = Recorded(units, seed=seed, **arguments)
    made.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    return made


def three() -> list[Recorded]:
    """Return a stack with noise in its units, slopes that are learned, and a range that is measured."""
    return [
        autoencoder(5, 1, unit=kr.RReLU(seed=4), activity_regularizer=ActivityL1(0.01)),
        autoencoder(4, 2, unit=kr.PReLU(), reconstruction="scaled", tied=False),
        autoencoder(3, 3, unit="tanh", reconstruction="linear", corruption=0.1),
    ]


def data(cases: int = 40) -> np.ndarray:
    # Shifted, so that a leaky unit's features are not negative.
    return np.random.default_rng(5).random((cases, 6)).astype("float32")


def weights(stack: list) -> list[np.ndarray]:
    return [np.array(weight) for made in stack for weight in made.get_weights()]


def greedily(stack: list, x: object = None, **arguments) -> list:
    x = data() if x is None else x
    return pretrain(stack, x, **{"epochs": 3, "batch_size": 8, "verbose": 0, **arguments})


def test_each_is_trained_on_the_clean_features_of_the_ones_before_it():
    stack = greedily(three(), validation_data=data(9))
    x, held_out = data(), data(9)
    for made in stack:
        np.testing.assert_array_equal(made.given.data, x)
        np.testing.assert_array_equal(made.arguments["validation_data"], held_out)
        assert len(made.history.history["val_loss"]) == 3
        x, held_out = (to_numpy(made.encode(part)) for part in (x, held_out))


def test_earlier_weights_do_not_change_by_a_bit():
    stack, kept = three(), []

    class Keep(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            kept.append(weights(stack[: len(kept)]))

    greedily(stack, callbacks=[Keep()])
    for number, before in enumerate(kept):
        for old, new in zip(before, weights(stack[:number]), strict=True):
            np.testing.assert_array_equal(old, new)
    assert len(kept) == 3


def test_every_epoch_has_every_case_once_in_an_order_of_its_own():
    (made,) = greedily([autoencoder(5, 1)], epochs=1)
    batches, orders = made.given, []
    for _ in range(3):
        orders.append(np.concatenate([batches[number] for number in range(len(batches))]))
        batches.on_epoch_end()
    for order in orders:
        np.testing.assert_array_equal(np.sort(order[:, 0]), np.sort(data()[:, 0]))
    assert not any((a == b).all() for a, b in ((orders[0], orders[1]), (orders[1], orders[2]), (orders[0], data())))


class Kill(keras.callbacks.Callback):
    """Ends the run in the middle of the epoch of this number, counted through all autoencoders."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.left = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.left -= 1

    def on_train_batch_end(self, batch, logs=None):
        if self.left == 0 and batch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [1, 2, 4, 6, 9])
def test_a_run_that_was_killed_goes_on_to_the_weights_of_one_that_was_not(epoch, tmp_path):
    expected = weights(greedily(three()))
    with pytest.raises(KeyboardInterrupt):
        greedily(three(), folder=tmp_path / "run", callbacks=[Kill(epoch)])
    resumed = three()
    began = [made.history for made in greedily(resumed, folder=tmp_path / "run") if hasattr(made, "arguments")]
    for ours, other in zip(weights(resumed), expected, strict=True):
        np.testing.assert_array_equal(ours, other)
    assert sum(len(history.epoch) for history in began) == 9 - (epoch - 1)
    # Of each the last state only, and nothing that is unfinished.
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == [*(f"autoencoder_{n}.finished.weights.h5" for n in (1, 2, 3)), "run.json"]
    greedily(again := three(), folder=tmp_path / "run")
    assert not any(hasattr(made, "arguments") for made in again)


def test_a_folder_of_another_run_is_refused(tmp_path):
    greedily(three(), folder=tmp_path)
    changed = data()
    changed[7, 2] += 0.1
    for others in (
        {"epochs": 4},
        {"batch_size": 4},
        {"seed": 1},
        {"x": data()[:, :5]},
        {"x": changed},
        {"x": data(39)},
    ):
        with pytest.raises(ValueError, match="Expected a folder of this run, or an empty one. Received: .*run.json"):
            greedily(three(), folder=tmp_path, **others)
    stack = three()
    stack[1].compile(keras.optimizers.Adam(0.02))
    with pytest.raises(ValueError, match="Expected a folder of this run"):
        greedily(stack, folder=tmp_path)


def test_a_broken_file_is_named(tmp_path):
    greedily(three(), folder=tmp_path)
    broken = tmp_path / "autoencoder_2.finished.weights.h5"
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(
        ValueError, match="remove the file to do without it. Received: .*autoencoder_2.finished.weights.h5"
    ):
        greedily(three(), folder=tmp_path)
    assert broken.exists()


def test_the_same_call_again_in_one_process_begins_where_it_was_killed(tmp_path):
    expected, stack = weights(greedily(three())), three()
    with pytest.raises(KeyboardInterrupt):
        greedily(stack, folder=tmp_path, callbacks=[Kill(1)])
    for ours, other in zip(weights(greedily(stack, folder=tmp_path)), expected, strict=True):
        np.testing.assert_array_equal(ours, other)


class Stop(keras.callbacks.Callback):
    """Ends each training after two epochs, with other weights than those of its last epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1

    def on_train_end(self, logs=None):
        self.model.decoder_bias.assign(0.5 + 0 * self.model.decoder_bias)


def test_a_training_that_ended_early_is_not_taken_up_again(tmp_path):
    expected = weights(greedily(three(), callbacks=[Stop()]))
    with pytest.raises(KeyboardInterrupt):
        greedily(three(), folder=tmp_path, callbacks=[Stop(), Kill(4)])
    for ours, other in zip(weights(greedily(three(), folder=tmp_path, callbacks=[Stop()])), expected, strict=True):
        np.testing.assert_array_equal(ours, other)


def test_a_finished_state_counts_before_that_of_the_last_epoch(tmp_path):
    greedily([autoencoder(5, 1)], folder=tmp_path)
    finished = tmp_path / "autoencoder_1.finished.weights.h5"
    # As a kill between the two leaves it, whichever the file system tells first.
    torn = tmp_path / "autoencoder_1.epoch_3.weights.h5"
    torn.write_bytes(b"torn")
    greedily([autoencoder(5, 1)], folder=tmp_path)
    assert finished.exists()


def test_what_has_diverged_is_not_kept(tmp_path):
    def diverging():
        made = autoencoder(5, 1, reconstruction="linear")
        made.compile(keras.optimizers.SGD(1e4), run_eagerly=True)
        return [made]

    for _ in range(2):
        with pytest.raises(RuntimeError, match="The training diverged"):
            greedily(diverging(), folder=tmp_path, epochs=1)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["autoencoder_1.epoch_0.weights.h5", "run.json"]


def test_a_kill_while_a_state_is_kept_leaves_a_state(tmp_path, monkeypatch):
    expected = weights(greedily(three()))

    def killed(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", killed)
        greedily(three(), folder=tmp_path)
    (tmp_path / "unfinished.autoencoder_1.epoch_2.weights.h5").write_bytes(b"torn")
    for ours, other in zip(weights(greedily(three(), folder=tmp_path)), expected, strict=True):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.tensorflow_only
def test_a_graph_that_was_killed_goes_on_to_the_same_weights(tmp_path):
    def compiled():
        stack = three()
        for made in stack:
            made.compile(keras.optimizers.Adam(0.01))
        return stack

    expected = weights(greedily(compiled()))
    with pytest.raises(KeyboardInterrupt):
        greedily(compiled(), folder=tmp_path, callbacks=[Kill(5)])
    for ours, other in zip(weights(greedily(compiled(), folder=tmp_path)), expected, strict=True):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.tensorflow_only
def test_a_pipeline_that_repeats_itself_gives_the_same_after_a_kill(tmp_path):
    import tensorflow as tf

    pairs = tf.data.Dataset.from_tensor_slices((data(), np.arange(40))).batch(8)
    expected = weights(greedily(three(), pairs, validation_data=pairs.take(1)))
    with pytest.raises(KeyboardInterrupt):
        greedily(three(), pairs, folder=tmp_path, callbacks=[Kill(5)], validation_data=pairs.take(1))
    for ours, other in zip(weights(greedily(three(), pairs, folder=tmp_path)), expected, strict=True):
        np.testing.assert_array_equal(ours, other)


def test_the_classifiers_features_are_the_stacks_bit_for_bit():
    x, stack = data(), greedily(three())
    network = to_classifier(stack, 4, activity_regularizer=ActivityL1(0.25), seed=7)
    code = x
    for made in stack:
        code = made.encode(code)
    features = keras.Model(network.inputs[0], network.get_layer("unit_3").output)
    np.testing.assert_array_equal(to_numpy(features(x)), to_numpy(code))
    # A copy: training the network leaves the stack as it is.
    before, trained = weights(stack), network.layers[0].get_weights()[0].copy()
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    network.fit(x, np.arange(40) % 4, verbose=0)
    for old, new in zip(before, weights(stack), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.abs(network.layers[0].get_weights()[0] - trained).max() > 0


def test_the_classifiers_penalty_is_kept_in_its_file(tmp_path):
    network = to_classifier(greedily(three()), 4, activity_regularizer=ActivityL1(0.25))
    network.save(tmp_path / "network.keras")
    revived = keras.models.load_model(tmp_path / "network.keras")
    for model in (network, revived):
        model(data())
    ours, other = ([float(to_numpy(loss)) for loss in model.losses] for model in (network, revived))
    assert ours == other and len(ours) == 3


@pytest.mark.parametrize("cases", [1, 10, 40])
def test_the_classifiers_penalty_is_per_case_whatever_the_batch(cases):
    stack = greedily(three())
    network = to_classifier(stack, 4, activity_regularizer=ActivityL1(0.25))
    code, expected = data()[:cases], 0.0
    network(code)
    for made in stack:
        code = made.encode(code)
        expected += 0.25 * np.abs(to_numpy(code)).sum(axis=1).mean()
    assert sum(float(to_numpy(loss)) for loss in network.losses) == pytest.approx(expected, rel=1e-5)


def test_a_pretrained_network_of_tanh_has_no_exact_zeros_and_one_of_rectifiers_has():
    zeros = {}
    for unit in ("tanh", "relu"):
        stack = [autoencoder(width, width, unit=unit, reconstruction="linear") for width in (12, 10, 8)]
        network = to_classifier(greedily(stack), 3)
        zeros[unit] = [found.zeros for found in kr.unit_activity(network, data()).values()]
    assert zeros["tanh"] == [0.0, 0.0, 0.0]
    assert min(zeros["relu"]) > 0.1


def test_the_weights_on_top_are_of_the_seed():
    stack = greedily(three())
    tops = [to_numpy(to_classifier(stack, 40, seed=seed).layers[-1].kernel) for seed in (7, 7, 8)]
    np.testing.assert_array_equal(tops[0], tops[1])
    assert np.abs(tops[0] - tops[2]).max() > 0.1
    assert 0.9 * np.sqrt(6 / 43) < np.abs(tops[0]).max() <= np.sqrt(6 / 43)
    assert to_classifier(stack, None).output_shape == (None, 3)


def test_a_network_of_rectifiers_is_the_same_function_when_its_layers_are_rescaled():
    stack = [autoencoder(5, 1), autoencoder(4, 2)]
    network = to_classifier(greedily(stack), 3, seed=7)
    expected = to_numpy(network(data()))
    # W'_i = W_i / alpha_i and b'_i = b_i / (alpha_1 ... alpha_i), of a product of 1.
    alphas = np.array([0.3, 5.0, 1 / 1.5])
    for layer, alpha, product in zip(network.layers[::2], alphas, np.cumprod(alphas), strict=True):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel / alpha, bias / product])
    np.testing.assert_allclose(to_numpy(network(data())), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("stack", (None, [], [keras.layers.Dense(3)], DenoisingAutoencoder(3))),
        ("epochs", (0, *NO_INTEGERS)),
        ("batch_size", (0, *NO_INTEGERS)),
        ("seed", (None, *NO_SEEDS)),
        ("data", (None, 1, [[1.0]], iter([]))),
    ],
)
def test_a_wrong_argument_is_refused_before_training(name, wrong):
    for value in wrong:
        with pytest.raises(ValueError, match=f"^Argument `{name}` must be .*\\. Received: {name}="):
            pretrain(**{"stack": three(), "data": data(), name: value})


def test_stacks_that_do_not_fit_are_refused():
    made = autoencoder(5, 1)
    with pytest.raises(ValueError, match="each there once"):
        pretrain([made, made], data())
    with pytest.raises(ValueError, match="autoencoders that are compiled. Received: stack=.'plain'"):
        pretrain([DenoisingAutoencoder(3, name="plain")], data())
    narrow = autoencoder(4, 2, name="narrow")
    narrow.initialize(data()[:, :4])
    with pytest.raises(
        ValueError, match="Expected `narrow` to have as many inputs as come from `first`: 5. Received: 4"
    ):
        pretrain([autoencoder(5, 1, name="first"), narrow], data())
    shared = kr.PReLU()
    with pytest.raises(ValueError, match="have a unit of their own"):
        pretrain([autoencoder(5, 1, unit=shared), autoencoder(5, 2, unit=shared)], data())
    both, optimizer = [autoencoder(5, 1), autoencoder(5, 2)], keras.optimizers.Adam()
    for made in both:
        made.compile(optimizer)
    with pytest.raises(ValueError, match="have an optimizer of their own"):
        pretrain(both, data())
    for wrong in (data()[:, 0], data().reshape(40, 3, 2)):
        with pytest.raises(ValueError, match="Argument `data` must be of cases of one known axis"):
            pretrain(three(), wrong)
    with pytest.raises(ValueError, match=r"data of cases of shape \(6,\)"):
        pretrain(three(), data(), validation_data=data()[:, :5])
    with pytest.raises(ValueError, match="autoencoders that are built"):
        to_classifier(three(), 3)


@pytest.mark.tensorflow_only
def test_a_pipeline_without_end_is_refused():
    import tensorflow as tf

    with pytest.raises(ValueError, match="Argument `data` must be a pipeline that ends"):
        pretrain(three(), tf.data.Dataset.from_tensor_slices(data()).batch(8).repeat(), steps_per_epoch=2)


def test_features_that_a_reconstruction_cannot_give_are_refused():
    with pytest.raises(
        ValueError, match='A "softplus" reconstruction expected inputs in .*take reconstruction="linear"'
    ):
        greedily([autoencoder(5, 1, unit="tanh"), autoencoder(4, 2)])
