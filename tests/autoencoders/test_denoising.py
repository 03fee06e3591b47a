"""Are losses, targets and weights of a denoising autoencoder those of the paper's formulas?"""

import contextlib

import keras
import numpy as np
import pytest
from scipy import special

import keras_rectifiers as kr
from differentiation import to_numpy
from keras_rectifiers.autoencoders import ActivityL1, DenoisingAutoencoder, MaskingNoise, SaltAndPepper
from specimens import NO_BOOLEANS, NO_INTEGERS, NO_SEEDS, NO_TEXTS

WAYS = ["softplus", "scaled", "cross_entropy", "linear", "rectifier"]


def data(cases: int = 64, width: int = 6) -> np.ndarray:
    return np.random.default_rng(5).random((cases, width)).astype("float32")


def made(reconstruction: str = "softplus", **arguments) -> DenoisingAutoencoder:
    arguments = {"units": 4, "corruption": None, "seed": 1, **arguments}
    autoencoder = DenoisingAutoencoder(reconstruction=reconstruction, **arguments)
    autoencoder.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return autoencoder


def parameters(autoencoder: DenoisingAutoencoder) -> list[np.ndarray]:
    """Return W, c, W' and b, in float64."""
    encoder = autoencoder.encoder
    kernel = to_numpy(encoder.kernel).astype("float64")
    decoder = kernel.T if autoencoder.tied else to_numpy(autoencoder.decoder).astype("float64")
    return [kernel, to_numpy(encoder.bias), decoder, to_numpy(autoencoder.decoder_bias)]


def log_sigmoid(f: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -f)


# From the formulas of section 3.2, of a clean input x and of f.
COSTS = {
    "softplus": lambda x, f: (x - np.logaddexp(0, f)) ** 2,
    "scaled": lambda x, f: -x * log_sigmoid(f) - (1 - x) * log_sigmoid(-f),
    "cross_entropy": lambda x, f: -x * log_sigmoid(f) - (1 - x) * log_sigmoid(-f),
    "linear": lambda x, f: (x - f) ** 2,
    "rectifier": lambda x, f: (x - np.maximum(0, f)) ** 2,
}
OUTPUTS = {
    "softplus": lambda f: np.logaddexp(0, f),
    "scaled": special.expit,
    "cross_entropy": special.expit,
    "linear": lambda f: f,
    "rectifier": lambda f: np.maximum(0, f),
}


def loss_of(reconstruction: str, values: list[np.ndarray], x: np.ndarray, seen: np.ndarray) -> float:
    kernel, c, decoder, b = values
    f = np.maximum(0, seen @ kernel + c) @ decoder + b
    return COSTS[reconstruction](x, f).sum(axis=1).mean()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("reconstruction", WAYS)
def test_loss_and_output_are_the_formulas(reconstruction, tied):
    x = 4 * data() - 1 if reconstruction in ("linear", "scaled") else data()
    autoencoder = made(reconstruction, tied=tied)
    autoencoder.initialize(x)
    low, width = (x.min(), np.ptp(x)) if reconstruction == "scaled" else (0.0, 1.0)
    target = (x.astype("float64") - low) / width
    # The encoder sees the inputs as they are.
    expected = loss_of(reconstruction, parameters(autoencoder), target, x)
    assert float(autoencoder.evaluate(x, batch_size=64, verbose=0)[0]) == pytest.approx(expected, rel=1e-5)
    kernel, c, decoder, b = parameters(autoencoder)
    f = np.maximum(0, x @ kernel + c) @ decoder + b
    np.testing.assert_allclose(to_numpy(autoencoder(x)), OUTPUTS[reconstruction](f) * width + low, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("reconstruction", WAYS)
def test_a_step_follows_central_differences_of_the_loss(reconstruction, tied):
    x = data(8)
    autoencoder = made(reconstruction, tied=tied)
    autoencoder.initialize(x)
    low, width = (x.min(), np.ptp(x)) if reconstruction == "scaled" else (0.0, 1.0)
    before = parameters(autoencoder)
    autoencoder.fit(x, batch_size=8, verbose=0)
    moved = [(old - new) / 0.1 for old, new in zip(before, parameters(autoencoder), strict=True)]

    def loss(values: list[np.ndarray]) -> float:
        decoder = values[0].T if tied else values[2]
        return loss_of(reconstruction, [values[0], values[1], decoder, values[3]], (x - low) / width, x)

    for number in (0, 1, 2, 3):
        if tied and number == 2:
            continue
        for place in ((0,), (-1,)) if before[number].ndim == 1 else ((0, 0), (2, 3), (-1, -1)):
            up, down = ([value.astype("float64") for value in before] for _ in range(2))
            up[number][place] += 1e-6
            down[number][place] -= 1e-6
            assert moved[number][place] == pytest.approx((loss(up) - loss(down)) / 2e-6, rel=2e-3, abs=2e-4)


def test_the_target_is_the_clean_input_and_what_is_encoded_is_not_corrupted():
    x = data()
    autoencoder = made("linear", corruption=1.0)
    autoencoder.initialize(x)
    loss = autoencoder.fit(x, batch_size=64, verbose=0).history["loss"][0]
    # All inputs are masked: f is what the biases of zero give, 0, and the loss is that of the clean inputs.
    assert loss == pytest.approx((x.astype("float64") ** 2).sum(axis=1).mean(), rel=1e-5)
    kernel, c, _, _ = parameters(autoencoder)
    np.testing.assert_allclose(to_numpy(autoencoder.encode(x)), np.maximum(0, x @ kernel + c), rtol=1e-4, atol=1e-6)


def test_at_inference_nothing_is_corrupted_and_no_noise_is_drawn():
    noisy, clean = made(corruption=1.0), made()
    for autoencoder in (noisy, clean):
        autoencoder.initialize(data())
    state = to_numpy(noisy.corruption.seed_generator.state.value).copy()
    found = [
        [model.evaluate(data(), verbose=0), model.predict(data(), verbose=0), to_numpy(model(data()))]
        for model in (noisy, clean)
    ]
    for ours, other in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, other)
    held_out = [model.fit(data()[:8], validation_data=data(), verbose=0) for model in (noisy, clean)]
    np.testing.assert_array_equal(state + np.array([0, 1]), to_numpy(noisy.corruption.seed_generator.state.value))
    assert held_out[0].history["val_loss"] == [noisy.evaluate(data(), verbose=0)[0]]


def test_initial_weights_share_no_words_with_the_noise():
    autoencoder = DenoisingAutoencoder(64, seed=7, tied=False)
    autoencoder.build((None, 64))
    kept = to_numpy(autoencoder.corruption(np.ones((64, 64), "float32"), training=True))
    for kernel in map(to_numpy, (autoencoder.encoder.kernel, autoencoder.decoder)):
        least = kernel < np.quantile(kernel, 0.25)
        assert 0.5 < (least == (kept == 0)).mean() < 0.75  # 0.625 of unrelated ones


@pytest.mark.parametrize("held_out", [3.0, -2.0])
def test_a_scaled_target_beyond_the_range_counts_as_its_end(held_out):
    autoencoder = made("scaled")
    autoencoder.initialize(data())
    x = np.full((4, 6), held_out, "float32")
    kernel, c, decoder, b = parameters(autoencoder)
    f = np.maximum(0, x @ kernel + c) @ decoder + b
    expected = COSTS["scaled"](float(held_out > 0), f).sum(axis=1).mean()
    assert autoencoder.evaluate(x, verbose=0)[0] == pytest.approx(expected, rel=1e-4)


def test_a_scaled_model_never_trains_on_data_of_another_range():
    built = made("scaled")
    built(data()[:1])
    built.fit(255 * data(), verbose=0)
    assert float(to_numpy(built.data_range)) == pytest.approx(np.ptp(255 * data()), rel=1e-5)
    with pytest.raises(ValueError, match="by which the reconstruction is scaled; `initialize` measures anew. Received"):
        built.fit(1000 * data(), verbose=0)


def test_noise_of_level_0_is_no_noise():
    def trained(corruption):
        autoencoder = made(corruption=corruption)
        autoencoder.fit(data(), batch_size=8, epochs=2, shuffle=False, verbose=0)
        return parameters(autoencoder)

    plain, none, some = trained(None), trained(0.0), trained(0.3)
    for a, b, c in zip(plain, none, some, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 1e-4


def test_without_noise_it_is_trained_as_an_autoencoder_of_keras_layers():
    x, autoencoder = data(), made("linear", tied=False)
    autoencoder.initialize(x)
    hidden, output = keras.layers.Dense(4, "relu"), keras.layers.Dense(6)
    plain = keras.Sequential([keras.Input((6,)), hidden, output])
    kernel, c, decoder, b = parameters(autoencoder)
    hidden.set_weights([kernel, c])
    output.set_weights([decoder, b])
    # Keras's mean is over the inputs too: six times as small.
    plain.compile(keras.optimizers.SGD(0.6), "mse", run_eagerly=True)
    for model, targets in ((autoencoder, ()), (plain, (x,))):
        model.fit(x, *targets, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for ours, keras_s in zip(parameters(autoencoder), [*hidden.get_weights(), *output.get_weights()], strict=True):
        np.testing.assert_allclose(ours, keras_s, rtol=1e-4, atol=1e-5)


def test_tied_weights_are_one_variable():
    for tied, shapes in ((True, [(4,), (6,), (6, 4)]), (False, [(4,), (4, 6), (6,), (6, 4)])):
        autoencoder = made(tied=tied)
        autoencoder.initialize(data())
        assert sorted(tuple(weight.shape) for weight in autoencoder.trainable_weights) == shapes


def test_a_unit_that_changes_the_width_wants_weights_of_its_own():
    with pytest.raises(ValueError, match="give tied=False. Received: CReLU, which makes 8 features of 4"):
        made(unit=kr.CReLU()).initialize(data())
    autoencoder = made(unit=kr.CReLU(), tied=False)
    autoencoder.fit(data(), verbose=0)
    assert tuple(autoencoder.encode(data()).shape) == (64, 8)


@pytest.mark.parametrize(
    "unit", ["tanh", "softplus", kr.RReLU(seed=3), kr.PReLU(), kr.NReLU(seed=3), kr.ELU()], ids=str
)
def test_any_unit_learns(unit):
    autoencoder = made("linear", unit=unit, corruption=0.1)
    losses = autoencoder.fit(data(), batch_size=8, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


def test_the_penalty_is_per_case_and_on_the_code():
    x = data()
    plain, penalized = made(), made(activity_regularizer=ActivityL1(0.5))
    for autoencoder in (plain, penalized):
        autoencoder.initialize(x)
    code = np.abs(to_numpy(plain.encode(x))).sum(axis=1).mean()
    losses = [autoencoder.evaluate(x, batch_size=64, verbose=0)[0] for autoencoder in (plain, penalized)]
    assert losses[1] - losses[0] == pytest.approx(0.5 * code, rel=1e-4)
    # As the mean over batches of any size, and not as their sum.
    assert penalized.evaluate(x, batch_size=16, verbose=0)[0] == pytest.approx(losses[1], rel=1e-5)


def test_seeds_make_weights():
    kernels = [to_numpy(m.encoder.kernel) for m in (made(), made(), made(seed=2)) if not m.initialize(data())]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0.1
    autoencoder = DenoisingAutoencoder(300, seed=1, tied=False)
    autoencoder.build((None, 500))
    bound = np.sqrt(6 / 800)
    for kernel in map(to_numpy, (autoencoder.encoder.kernel, autoencoder.decoder)):
        assert 0.99 * bound < np.abs(kernel).max() <= bound
        assert abs(kernel.mean()) < 0.001 and kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert (
        abs(np.corrcoef(to_numpy(autoencoder.encoder.kernel).T.ravel(), to_numpy(autoencoder.decoder).ravel())[0, 1])
        < 0.02
    )


def test_a_file_makes_the_same_model_and_its_training_goes_on(tmp_path):
    arguments = {"unit": kr.PReLU(), "tied": False, "corruption": SaltAndPepper(0.3, seed=9)}
    autoencoder = made("scaled", **arguments, activity_regularizer=ActivityL1(0.01), kernel_initializer="he_uniform")
    autoencoder.fit(data(), batch_size=8, shuffle=False, verbose=0)
    autoencoder.save(tmp_path / "model.keras")
    revived = keras.models.load_model(tmp_path / "model.keras")
    ours, other = ({**m.get_config(), "unit": m.unit.get_config()} for m in (autoencoder, revived))
    assert ours == other
    for model in (autoencoder, revived):
        model.fit(data(), batch_size=8, shuffle=False, verbose=0)
    for ours, other in zip(autoencoder.get_weights(), revived.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.tensorflow_only
def test_a_pipeline_with_labels_trains_as_its_array():
    import tensorflow as tf

    pairs = tf.data.Dataset.from_tensor_slices((data(), np.arange(64))).batch(8)
    of_array, of_pipeline = made("scaled"), made("scaled")
    of_array.fit(data(), batch_size=8, shuffle=False, verbose=0)
    of_pipeline.fit(pairs, shuffle=False, verbose=0)
    for a, b in zip(of_array.get_weights(), of_pipeline.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_reconstruction_error_is_the_mean_square():
    autoencoder = made("linear")
    history = autoencoder.fit(data(), batch_size=64, verbose=0).history
    assert history["loss"][0] == pytest.approx(6 * history["reconstruction_error"][0], rel=1e-5)


NO_UNITS = (None, 1, "no activation", [kr.ELU()], kr.ELU)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("units", (0, -1, *NO_INTEGERS)),
        ("unit", NO_UNITS),
        ("reconstruction", NO_TEXTS),
        ("corruption", (-0.1, 1.1, "0.25", True, [0.25])),
        ("tied", NO_BOOLEANS),
        ("seed", NO_SEEDS),
    ],
)
def test_a_wrong_argument_is_refused(name, wrong):
    for value in wrong:
        with pytest.raises(ValueError, match=f"^Argument `{name}` must be .*\\. Received: {name}="):
            DenoisingAutoencoder(**{"units": 3, name: value})


@pytest.mark.parametrize(
    ("reconstruction", "x", "message"),
    [
        ("cross_entropy", 255 * data(), 'divide pixels by 255, or take reconstruction="scaled". Received: inputs from'),
        ("softplus", data() - 0.5, r'inputs in \[0, inf\]; take reconstruction="linear". Received: inputs from -0'),
        ("rectifier", data() - 0.5, r'inputs in \[0, inf\]; take reconstruction="linear". Received: inputs from -0'),
        ("scaled", np.ones((4, 6), "float32"), "Expected data that vary.* Received: 1 throughout"),
        ("linear", np.full((4, 6), np.nan, "float32"), "finite inputs.* Received: inputs from nan"),
        ("linear", data().reshape(8, 8, 6), r"expected data of shape \(cases, inputs\). Received: shape \(8, 8, 6\)"),
    ],
)
def test_data_that_do_not_suit_are_refused_before_training(reconstruction, x, message):
    with pytest.raises(ValueError, match=message):
        made(reconstruction).fit(x, verbose=0)


@pytest.mark.parametrize("name", ["sample_weight", "class_weight"])
def test_weights_of_cases_are_refused(name):
    with pytest.raises(ValueError, match=f"Argument `{name}` must be None: every case counts alike"):
        made().fit(data(), **{name: np.zeros(64)}, verbose=0)


@pytest.mark.parametrize("arguments", [{"loss": "mse"}, {"metrics": ["mse"]}])
def test_a_loss_and_metrics_of_others_are_refused(arguments):
    with pytest.raises(ValueError, match="must be None: the reconstruction has its own"):
        DenoisingAutoencoder(3).compile("sgd", **arguments)


def test_layers_of_another_dtype_and_functions_as_initializers_are_refused():
    with pytest.raises(ValueError, match="Argument `unit` must be a layer of the autoencoder's dtype, float64"):
        DenoisingAutoencoder(3, unit=kr.PReLU(), dtype="float64")
    with pytest.raises(ValueError, match="Argument `kernel_initializer` must be None or an initializer of Keras's"):
        DenoisingAutoencoder(3, kernel_initializer=lambda shape, dtype: 0)


def test_in_float64_it_computes_in_float64():
    x = data().astype("float64")
    autoencoder = DenoisingAutoencoder(4, unit=kr.ELU(dtype="float64"), seed=1, dtype="float64")
    autoencoder.build((None, 6))
    kernel, c, decoder, b = parameters(autoencoder)
    h = np.where((u := x @ kernel + c) > 0, u, np.expm1(u))
    found = autoencoder(keras.ops.convert_to_tensor(x))
    if keras.backend.standardize_dtype(found.dtype) == "float64":  # JAX has it where it is switched on
        np.testing.assert_allclose(to_numpy(found), np.logaddexp(0, h @ decoder + b), rtol=1e-12)


@pytest.mark.tensorflow_only
def test_two_replicas_train_as_one_device_and_draw_noise_of_their_own(strategy):
    def trained(scope):
        with scope:
            autoencoder = DenoisingAutoencoder(4, seed=1, corruption=None, activity_regularizer=ActivityL1(0.01))
            autoencoder.build((None, 6))
            autoencoder.compile(keras.optimizers.SGD(0.1))
        autoencoder.fit(data(), batch_size=8, shuffle=False, verbose=0)
        return autoencoder.get_weights()

    for ours, other in zip(trained(strategy.scope()), trained(contextlib.nullcontext()), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-5, atol=1e-6)
    with strategy.scope():
        noise = MaskingNoise(0.5, seed=1)
    drawn = strategy.experimental_local_results(strategy.run(lambda: noise(np.ones((8, 6), "float32"), training=True)))
    assert len(drawn) == 2 and (to_numpy(drawn[0]) != to_numpy(drawn[1])).any()


def test_a_run_that_diverges_is_stopped_with_the_remedy():
    autoencoder = made("linear")
    autoencoder.compile(keras.optimizers.SGD(100.0))
    with pytest.raises(RuntimeError, match="The training diverged. Lower the learning rate.* in epoch "):
        autoencoder.fit(data(), batch_size=8, epochs=20, verbose=0)


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16"])
def test_half_precision_is_refused(dtype):
    with pytest.raises(ValueError, match="Argument `dtype` must be float32 or float64."):
        DenoisingAutoencoder(3, dtype=dtype)
