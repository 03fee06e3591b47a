"""Is each machine trained on what the ones before it give of the data, and is no earlier one touched?"""

import keras
import numpy as np
import pytest

from differentiation import to_numpy
from keras_rectifiers.rbm import RBM, Binary, Binomial, Gaussian, NReLU, Softmax, SteppedSigmoid, pretrained, stacked

layers = keras.layers


class Recorded(RBM):
    """A machine that keeps what its `fit` was given, and the weights with which it began."""

    def fit(self, x=None, validation_data=None, **arguments):
        self.given, self.held_out, self.arguments = x, validation_data, arguments
        self.at_first = weights(self)
        return super().fit(x, validation_data=validation_data, **arguments)


def machine(units: int, seed: int, **arguments) -> Recorded:
    made = Recorded(units, seed=seed, **{"kernel_scale": 0.5, **arguments})
    # Eagerly, for a compilation takes longer than these trainings.
    made.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return made


def two(visible=NReLU, hidden=NReLU) -> list[Recorded]:
    return [machine(4, 1, hidden=hidden()), machine(3, 2, visible=visible(), hidden=NReLU())]


def bits(cases: int = 16) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, (cases, 6)).astype("float32")


def weights(made: RBM) -> list[np.ndarray]:
    return [to_numpy(weight).copy() for weight in made.weights]


def equal(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all((one == other).all() for one, other in zip(some, others, strict=True))


def greedily(machines: list, data: object, **arguments) -> list[RBM]:
    return pretrained(machines, data, batch_size=8, verbose=0, **arguments)


def rectified(made: RBM, v: np.ndarray) -> np.ndarray:
    return np.maximum(0, v @ to_numpy(made.kernel) + to_numpy(made.hidden_biases))


def test_each_machine_is_initialized_and_trained_on_the_means_of_the_one_before():
    machines, v, held_out = two(), bits(), bits(9)
    found = greedily(machines, v, validation_data=held_out, epochs=2)
    first, second = machines
    assert found == machines
    assert first.given is v and first.held_out is held_out
    np.testing.assert_allclose(second.given, to_numpy(first.transform(v)), rtol=1e-6)
    np.testing.assert_allclose(second.held_out, to_numpy(first.transform(held_out)), rtol=1e-6)
    alone = two()[1]
    alone.initialize(second.given)
    assert equal(second.at_first, weights(alone)) and np.abs(second.at_first[1]).min() > 0
    for made in machines:
        assert not equal(weights(made), made.at_first)
        assert len(made.history.history["val_reconstruction_error"]) == 2


def test_a_machine_that_was_trained_does_not_change_any_more_and_callbacks_see_each():
    machines, seen = two(), []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append((self.model, weights(machines[0])))

    greedily(machines, bits(), callbacks=[Watch()])
    assert [model for model, _ in seen] == machines
    assert equal(seen[1][1], weights(machines[0])) and not equal(seen[0][1], weights(machines[0]))


def test_features_of_the_network_are_those_that_the_stack_computes():
    first, second = machines = two()
    v = bits()
    greedily(machines, v, features="network")
    np.testing.assert_allclose(second.given, rectified(first, v), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(second.given, to_numpy(stacked([first])(v)).astype("float32"))
    assert np.abs(second.given - to_numpy(first.transform(v))).max() > 0.01


def test_gaussian_visible_units_take_features_that_a_layer_between_standardizes():
    v = np.random.default_rng(6).normal(1.0, 1.5, (40, 6)).astype("float32")
    # So small that both machines have a law.
    first, second = (machine(units, units, visible=Gaussian(), hidden=NReLU(), kernel_scale=0.1) for units in (4, 3))
    standardized = layers.Normalization(axis=None)
    # A warning of data that are not standardized would be an error here.
    greedily([layers.Normalization(), first, standardized, second], v)
    scaled = (v - v.mean(0)) / v.std(0)
    np.testing.assert_allclose(first.given, scaled, rtol=1e-4, atol=1e-5)
    features = to_numpy(first.transform(first.given))
    np.testing.assert_allclose(second.given, (features - features.mean()) / features.std(), rtol=1e-4, atol=1e-5)
    # The network has the layer too, and takes what the machines were given.
    expected = rectified(second, (rectified(first, scaled) - features.mean()) / features.std())
    network = stacked([first, standardized, second])
    np.testing.assert_allclose(to_numpy(network(first.given)), expected, rtol=1e-4, atol=1e-5)


def test_a_normalization_that_was_given_its_mean_or_adapted_keeps_it():
    v = bits()
    known, adapted = layers.Normalization(mean=0.5, variance=0.25), layers.Normalization(axis=None)
    adapted.adapt(np.array([[0.0, 1.0]], "float32"))
    for layer in (known, adapted):
        made = machine(4, 1, visible=Gaussian())
        greedily([layer, made], v)
        np.testing.assert_allclose(made.given, 2 * v - 1, rtol=1e-6)


@pytest.mark.tensorflow_only
def test_a_pipeline_stays_one_and_gives_the_same_machines():
    import tensorflow as tf

    v = bits()
    machines, others = ([layers.Rescaling(1.0), *two()] for _ in range(2))
    greedily(machines, v, shuffle=False)
    labelled = tf.data.Dataset.from_tensor_slices((v, np.arange(16))).batch(8)
    pretrained(others, labelled, validation_data=labelled, shuffle=False, verbose=0)
    assert isinstance(others[2].given, tf.data.Dataset) and isinstance(others[2].held_out, tf.data.Dataset)
    for one, other in zip(machines[1:], others[1:], strict=True):
        for weight, same in zip(weights(one), weights(other), strict=True):
            np.testing.assert_allclose(weight, same, rtol=1e-5, atol=1e-6)


def unfit(*machines: RBM, **arguments) -> None:
    try:
        pretrained(list(machines), bits(), verbose=0, **arguments)
    finally:
        # Nothing was trained.
        assert not any(to_numpy(made.optimizer.iterations) for made in machines if made.compiled)


def of_width(width: int, **arguments) -> RBM:
    made = machine(3, 2, **arguments)
    made.build((None, width))
    return made


REFUSED = {
    "not compiled": (lambda: unfit(*two(), RBM(2, name="late")), "that are compiled. Received: machines=['late']"),
    "no such features": (lambda: unfit(*two(), features="sample"), 'one of "mean", "network"'),
    "no array": (lambda: pretrained(two(), [bits()]), "Argument `data` must be an array, or on TensorFlow"),
    "labels beside held-out data": (
        lambda: unfit(*two(), validation_data=(bits(), np.arange(16))),
        "Argument `validation_data` must be an array",
    ),
    "other held-out data": (
        lambda: unfit(*two(), validation_data=bits()[:, :5]),
        "Argument `validation_data` must be data of cases of shape (6,)",
    ),
    "another width": (
        lambda: unfit(two()[0], of_width(5, name="second")),
        "Expected `second` to have as many visible units as come from",
    ),
    "another width of the data": (lambda: unfit(of_width(5, name="second")), "come from the data: 6. Received: 5"),
    "features above 1": (
        lambda: unfit(machine(4, 1, hidden=NReLU(), name="one"), machine(3, 2, name="two")),
        "visible units of `two` that take the features of `one`, in [0, inf]. Received: Binary(), in [0, 1]",
    ),
    "features above n": (
        lambda: unfit(machine(4, 1, hidden=Binomial(3)), machine(3, 2, visible=Binomial(2))),
        "in [0, 3]. Received: Binomial(copies=2), in [0, 2]",
    ),
    "features below 0": (
        lambda: unfit(machine(4, 1, hidden=Gaussian()), machine(3, 2, visible=SteppedSigmoid())),
        "in [-inf, inf]. Received: SteppedSigmoid(), in [0, inf]",
    ),
    "features of several groups": (
        lambda: unfit(machine(4, 1, hidden=Softmax(2)), machine(3, 2), features="network"),
        "machines of softmax units in one group",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_before_any_training(what):
    make, said = REFUSED[what]
    with pytest.raises(ValueError) as error:
        make()
    assert said in str(error.value)


def test_features_of_binary_machines_are_binary_enough():
    greedily(two(Binary, Binary), bits())
