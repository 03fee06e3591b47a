"""Is a stack the network that its machines' weights are, of Keras's layers alone, and are the machines left alone?"""

import dataclasses

import keras
import numpy as np
import pytest
from scipy import special

from differentiation import to_numpy
from keras_rectifiers.rbm import (
    RBM,
    Binary,
    Binomial,
    Gaussian,
    NReLU,
    Softmax,
    SteppedSigmoid,
    TruncatedGaussian,
    stacked,
)

layers = keras.layers


def rectifier(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, x)


# Units, and what their layer makes of its inputs.
FORMS = {
    "binary": (Binary(), special.expit),
    "binomial": (Binomial(3), lambda x: 3 * special.expit(x)),
    "gaussian": (Gaussian(), lambda x: x),
    "softmax": (Softmax(5), lambda x: special.softmax(x, axis=-1)),
    "nrelu": (NReLU(), rectifier),
    "stepped": (SteppedSigmoid(), rectifier),
    "truncated": (TruncatedGaussian(), rectifier),
}
MEANS = ("binary", "binomial", "gaussian", "softmax")


def machine(width: int, units: int, seed: int = 1, **arguments) -> RBM:
    made = RBM(units, seed=seed, **arguments)
    made.build((None, width))
    draw = np.random.default_rng(seed)
    for weight in made.trainable_weights:
        weight.assign(draw.normal(size=weight.shape))
    return made


def linear(made: RBM, v: np.ndarray) -> np.ndarray:
    biases = 0.0 if made.hidden_bias == "none" else to_numpy(made.hidden_biases)
    return v @ to_numpy(made.kernel).astype("float64") + biases


def normals(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("name", "hidden_bias"), [*((name, "free") for name in FORMS), ("nrelu", "tied"), ("nrelu", "none")]
)
def test_a_stack_is_the_formula_of_its_machines_for_every_unit_and_bias(name, hidden_bias):
    unit, form = FORMS[name]
    first = machine(6, 4, hidden=NReLU(), hidden_bias=hidden_bias)
    second = machine(4, 5, seed=2, visible=NReLU(), hidden=unit, hidden_bias=hidden_bias)
    v = normals(7, 6)
    expected = form(linear(second, rectifier(linear(first, v))))
    network = stacked([first, second])
    np.testing.assert_allclose(to_numpy(network(v)), expected, rtol=1e-5, atol=1e-6)
    assert network.layers[0].use_bias == (hidden_bias != "none")


@pytest.mark.parametrize("name", MEANS)
def test_of_units_whose_deterministic_form_is_their_mean_a_stack_is_the_chained_transforms(name):
    first, second = machine(6, 5, hidden=FORMS[name][0]), machine(5, 5, seed=2, hidden=FORMS[name][0])
    v = normals(7, 6)
    expected = to_numpy(second.transform(first.transform(v)))
    np.testing.assert_allclose(to_numpy(stacked([first, second])(v)), expected, rtol=1e-5)


def test_at_0_the_rectifier_has_a_derivative_of_0():
    made = machine(2, 3, hidden=NReLU(), hidden_bias="none")
    network = stacked([made], classes=2, seed=1)
    network.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.layers[0].kernel.assign(np.zeros((2, 3)))
    network.fit(np.ones((4, 2), "float32"), np.zeros(4), verbose=0)
    np.testing.assert_array_equal(to_numpy(network.layers[0].kernel), 0.0)


def test_training_the_network_leaves_the_machines_as_they_are_and_usable():
    made = [machine(6, 4, hidden_bias="tied"), machine(4, 5, seed=2)]
    before = [to_numpy(weight).copy() for one in made for weight in one.weights]
    network = stacked(made, classes=3, seed=1)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    v, classes = normals(30, 6), np.arange(30) % 3
    history = network.fit(v, classes, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    for weight, old in zip((weight for one in made for weight in one.weights), before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), old)
    # The tied bias has become one of each unit.
    assert len(set(to_numpy(network.get_layer("hidden_1").bias).tolist())) == 4
    assert np.isfinite(to_numpy(made[1].transform(made[0].transform(v)))).all()


def test_training_the_machine_leaves_the_network_as_it_is():
    made = machine(6, 4)
    network = stacked([made])
    before = [weight.copy() for weight in network.get_weights()]
    made.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    made.fit(np.eye(6, dtype="float32"), verbose=0)
    for weight, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert np.abs(to_numpy(made.kernel) - before[0]).max() > 1e-3


def test_the_layer_on_top_starts_alike_on_every_backend_and_by_its_seed():
    made = machine(6, 40)
    kernel, bias = stacked([made], classes=50, kernel_scale=0.5, seed=7).layers[-1].get_weights()
    np.testing.assert_allclose(kernel[0, :3], PINNED, rtol=1e-5)
    assert abs(kernel.std() / 0.5 - 1) < 4 / np.sqrt(2 * kernel.size)
    assert abs(kernel.mean()) < 4 * 0.5 / np.sqrt(kernel.size)
    np.testing.assert_array_equal(bias, 0)
    np.testing.assert_array_equal(stacked([made], classes=50, kernel_scale=0.5, seed=7).layers[-1].kernel, kernel)
    assert (stacked([made], classes=50, kernel_scale=0.5, seed=8).layers[-1].get_weights()[0] != kernel).all()
    # A machine of this seed starts from other numbers.
    fresh = RBM(50, seed=7, kernel_scale=0.5)
    fresh.build((None, 40))
    assert (to_numpy(fresh.kernel) != kernel).all()


# Drawn on TensorFlow.
PINNED = [-0.7506587505, 0.0390819572, 0.0418183841]


def test_keras_layers_before_the_machines_let_a_network_take_raw_pixels():
    pixels = np.random.default_rng(4).integers(0, 256, (20, 2, 3, 1)).astype("uint8")
    flat = pixels.reshape(20, 6).astype("float64")
    mean, deviation = flat.mean(0), flat.std()
    made = machine(6, 4, visible=Gaussian(), hidden=NReLU())
    expected = rectifier(linear(made, (flat - mean) / deviation))
    standardized = layers.Normalization(mean=mean, variance=np.full(6, deviation**2))
    network = stacked([layers.Flatten(), standardized, made], shape=(2, 3, 1))
    np.testing.assert_allclose(to_numpy(network(pixels.astype("float32"))), expected, rtol=1e-4, atol=1e-5)
    # And so before a stack that is there already, whose layers they join.
    scaled = [layers.Flatten(), layers.Rescaling(1 / 255)]
    around = keras.Sequential([keras.Input((2, 3, 1), dtype="uint8"), *scaled, *stacked([made]).layers])
    np.testing.assert_allclose(to_numpy(around(pixels)), rectifier(linear(made, flat / 255)), rtol=1e-4, atol=1e-5)


def test_a_stack_is_saved_and_loaded_as_keras_layers_alone(tmp_path):
    made = [machine(6, 4, hidden=Binomial(3)), machine(4, 5, seed=2, hidden=NReLU(), hidden_bias="none")]
    network = stacked([layers.Rescaling(0.5), *made], classes=2, seed=1, name="of_two")
    assert network.name == "of_two"
    assert "keras_rectifiers" not in network.to_json()
    network.save(tmp_path / "network.keras")
    v = normals(7, 6)
    revived = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(to_numpy(revived(v)), to_numpy(network(v)))
    assert [layer.name for layer in revived.layers][1:] == ["hidden_1", "hidden_1_copies", "hidden_2", "logits"]


def test_a_stack_has_the_precision_of_its_machines():
    made = machine(6, 4, dtype="float64")
    network = stacked([made], classes=2, seed=1)
    assert {str(weight.dtype) for weight in network.weights} == {"float64"}
    np.testing.assert_array_equal(network.get_weights()[0], to_numpy(made.kernel))


@dataclasses.dataclass(frozen=True)
class Doubled(NReLU):
    """A unit of someone else's."""


SMALL = machine(6, 4)
REFUSED = {
    "no list": (lambda: stacked(SMALL), "Argument `machines` must be a list of machines"),
    "no machine": (lambda: stacked([layers.Rescaling(1.0)]), "Argument `machines` must be a list of machines"),
    "no layer": (lambda: stacked([SMALL, "relu"]), "Argument `machines` must be a list of machines"),
    "twice the same": (lambda: stacked([SMALL, SMALL]), "each there once"),
    "not built": (lambda: stacked([SMALL, RBM(3, name="late")]), "that are built.*Received: machines=\\['late'\\]"),
    "another width": (
        lambda: stacked([machine(6, 4, name="one"), machine(5, 3, name="two")]),
        "Expected `two` to have as many visible units as come from `one`: 4. Received: 5 visible units",
    ),
    "a width changed between": (
        lambda: stacked([SMALL, layers.Dense(7, name="wider"), machine(4, 3)]),
        "as come from `wider`: 7. Received: 4 visible units",
    ),
    "images": (lambda: stacked([SMALL], shape=(2, 3)), "an input of shape \\(batch, visible\\)"),
    "several groups": (lambda: stacked([machine(6, 4, hidden=Softmax(2))]), "in one group. Received: .*4 units"),
    "a unit of another's": (lambda: stacked([machine(6, 4, hidden=Doubled())]), "Received: machines=Doubled"),
    "no class": (lambda: stacked([SMALL], classes=0), "Argument `classes` must be an integer of at least 1"),
    "no scale": (lambda: stacked([SMALL], classes=2, kernel_scale=0), "Argument `kernel_scale` must be"),
    "no seed": (lambda: stacked([SMALL], classes=2, seed=-1), "Argument `seed` must be"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_stack_is_refused(what):
    make, said = REFUSED[what]
    with pytest.raises(ValueError, match=said):
        make()
