"""Are zeros, dead units and units that are always on counted as they are, in any network and any fit?"""

import keras
import numpy as np
import pytest

import keras_rectifiers as kr
from keras_rectifiers import UnitActivity, unit_activity
from specimens import NO_INTEGERS

layers = keras.layers


def network(unit: object = None, width: int = 4) -> keras.Sequential:
    return keras.Sequential([keras.Input((width,)), unit or layers.ReLU(name="unit"), layers.Dense(3, name="logits")])


X = np.array([[1.0, -1.0, 0.0, 2.0], [3.0, -2.0, 1.0, 1.0], [-1.0, -3.0, 0.0, 5.0]], "float32")


@pytest.mark.parametrize(
    "unit", [layers.ReLU(name="unit"), layers.Dense(4, "relu", kernel_initializer="identity", name="unit")]
)
def test_shares_are_those_that_one_counts(unit):
    found = unit_activity(network(unit), X)["unit"]
    np.testing.assert_allclose(found.on, [2 / 3, 0, 1 / 3, 1])
    assert found.zeros == pytest.approx(6 / 12)
    assert (found.dead, found.always_on) == (0.25, 0.25)
    assert found.histogram(3).tolist() == [1, 1, 2]


def test_an_exact_zero_is_no_small_number():
    found = unit_activity(network(kr.ELU(name="unit")), X)["unit"]
    assert found.zeros == pytest.approx(2 / 12)
    tanh = unit_activity(network(layers.Activation("tanh", name="unit")), 0.01 * X + 0.5)["unit"]
    assert tanh.zeros == 0


def test_positions_of_an_image_count_as_cases():
    model = keras.Sequential([keras.Input((2, 2, 2)), layers.ReLU(name="unit"), layers.Flatten(), layers.Dense(2)])
    x = np.zeros((2, 2, 2, 2), "float32")
    x[0, 0, :, 0] = 1.0
    found = unit_activity(model, x)["unit"]
    np.testing.assert_allclose(found.on, [2 / 8, 0])
    assert found.zeros == pytest.approx(14 / 16)


def test_all_activations_but_the_output_are_watched():
    x = inputs = keras.Input((4,))
    for layer in (layers.Dense(5, name="linear"), kr.CReLU(name="crelu"), layers.Dense(5, "tanh", name="tanh")):
        x = layer(x)
    model = keras.Model(inputs, layers.Dense(2, "softmax", name="output")(x))
    assert list(unit_activity(model, X)) == ["crelu", "tanh"]
    assert list(unit_activity(model, X, ["output", "linear"])) == ["output", "linear"]


def test_batches_are_counted_as_one():
    x = np.random.default_rng(0).normal(size=(700, 4)).astype("float32")
    whole = unit_activity(network(), x)["unit"]
    for parts in ([x[:100], x[100:]], [(x[:300], None), (x[300:], None)]):
        found = unit_activity(network(), parts)["unit"]
        assert found.zeros == pytest.approx(whole.zeros) == pytest.approx((x <= 0).mean())
        np.testing.assert_allclose(found.on, (x > 0).mean(axis=0))


def test_noise_of_training_does_not_count():
    dropout = layers.Dropout(0.9, name="dropout")
    model = keras.Sequential([keras.Input((4,)), dropout, layers.ReLU(name="unit"), layers.Dense(2)])
    assert unit_activity(model, np.ones((50, 4), "float32"))["unit"].zeros == 0


def test_the_callback_gives_what_the_network_does_at_the_end_of_each_epoch():
    model = network(layers.Dense(6, "relu", name="unit"))
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    activity, y = UnitActivity(X, bins=5), np.arange(3)
    first = model.fit(X, y, epochs=2, callbacks=[activity], verbose=0).history
    found = unit_activity(model, X)["unit"]
    last = {name: first[f"{name}_unit"][-1] for name in ("zeros", "dead", "always_on")}
    assert last == {"zeros": found.zeros, "dead": found.dead, "always_on": found.always_on}
    assert activity.histograms["unit"].shape == (2, 5)
    np.testing.assert_array_equal(activity.histograms["unit"][-1], found.histogram(5))
    # A second fit begins anew.
    model.fit(X, y, callbacks=[activity], verbose=0)
    assert activity.histograms["unit"].shape == (1, 5)


def test_what_has_no_such_layers_is_refused():
    for wrong in ([], "unit", ["none such"], ["unit", "none such"]):
        with pytest.raises(ValueError, match="Argument `layers` must be names of the model's layers, unit, logits"):
            unit_activity(network(), X, wrong)
    with pytest.raises(ValueError, match="activations before its output. Received: logits"):
        unit_activity(keras.Sequential([keras.Input((4,)), layers.Dense(3, name="logits")]), X)
    with pytest.raises(ValueError, match="Expected a Sequential or functional model that is built"):
        unit_activity(keras.Sequential([layers.ReLU()]), X)
    for none in (X[:0], []):
        with pytest.raises(ValueError, match="Expected data of at least one case"):
            unit_activity(network(), none)
    for bins in (0, *NO_INTEGERS):
        with pytest.raises(ValueError, match="Argument `bins` must be an integer of at least 1"):
            UnitActivity(X, bins=bins)


def test_a_pair_of_arrays_is_no_list_of_batches():
    with pytest.raises(ValueError, match="Argument `data` must be an array of inputs, or batches of them"):
        unit_activity(network(), (X, np.arange(3)))


def test_a_model_that_cannot_be_watched_is_refused_before_it_is_trained():
    model = network()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="Argument `layers` must be names of the model's layers"):
        model.fit(X, np.arange(3), callbacks=[UnitActivity(X, ["none such"])], verbose=0)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0
