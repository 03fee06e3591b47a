"""Does `fit` train a machine as it says: from the data's means on, to their law, undisturbed by validation?"""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy import special

from differentiation import to_numpy
from keras_rectifiers.rbm import (
    RBM,
    Binary,
    Binomial,
    FreeEnergyGap,
    Gaussian,
    NReLU,
    Softmax,
    SteppedSigmoid,
    TruncatedGaussian,
    norm_ratio,
)
from tiny_machines import BINARY, Tiny

PATTERNS = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], "float32")


def weights_of(machine: RBM) -> dict[str, np.ndarray]:
    return {weight.name: to_numpy(weight.value) for weight in machine.weights}


def assert_same(first: RBM, second: RBM) -> None:
    for (name, a), b in zip(weights_of(first).items(), weights_of(second).values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


# Of each kind of unit, data whose first pixel never changes.
def constant_first(visible: object, rng: np.random.Generator) -> np.ndarray:
    if isinstance(visible, Softmax):
        return np.eye(3, dtype="float32")[rng.integers(2, size=(40, 2))].reshape(40, 6)
    if isinstance(visible, Gaussian):
        data = rng.normal(size=(40, 4))
    else:
        data = rng.binomial(int(min(visible.most, 5)), 0.4, size=(40, 4))
    return np.concatenate([np.full((40, 1), visible.least if np.isfinite(visible.least) else 0.3), data], 1)


@pytest.mark.parametrize(
    "visible", [Binary(), Binomial(3), Softmax(3), Gaussian(), SteppedSigmoid(), TruncatedGaussian(), NReLU()], ids=str
)
def test_without_weights_an_initialized_machine_has_the_datas_means(visible, rng):
    data = constant_first(visible, rng)
    machine = RBM(2, visible, kernel_scale=1e-6, seed=1)
    machine.initialize(data)
    biases = to_numpy(machine.visible_biases.value)
    assert np.isfinite(biases).all()
    means = to_numpy(visible.mean(ops.convert_to_tensor(biases.astype("float32"))))
    # The inverse of the means of rectified units is that of softplus, and what no case showed counts half a case.
    rough = 0.45 if visible.most == np.inf and visible != Gaussian() else 0.6 * min(visible.most, 9) / 40 + 1e-5
    np.testing.assert_allclose(means, data.mean(0), atol=rough)
    if visible == Gaussian():
        np.testing.assert_allclose(biases, data.mean(0), atol=1e-6)


def test_the_biases_of_binary_units_are_log_odds_with_half_a_case_more():
    data = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1]], "float32")
    machine = RBM(2)
    machine.initialize(data)
    np.testing.assert_allclose(to_numpy(machine.visible_biases.value), special.logit([1 / 8, 7 / 8, 5 / 8]), rtol=1e-5)


def batches_of(data: np.ndarray) -> dict[str, object]:
    found = {"array": data, "list": [data[:25], data[25:]], "pairs": [(data[:25], 0), (data[25:], 0)]}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found["tf.data"] = tf.data.Dataset.from_tensor_slices(data).batch(7)
    return found


@pytest.mark.parametrize("centered", [False, True])
def test_arrays_and_pipelines_initialize_alike(centered, rng):
    data = rng.integers(2, size=(40, 4)).astype("float32")
    machines = []
    for batches in batches_of(data).values():
        machines.append(RBM(3, chains=20, centered=centered, kernel_scale=0.5, seed=1))
        machines[-1].initialize(batches)
    for machine in machines[1:]:
        assert_same(machines[0], machine)
    # The chains start from the data's means, not from nothing.
    assert 0.2 < to_numpy(machines[0].chain.value).mean() < 0.8


def test_a_centered_machine_starts_as_a_plain_one_of_the_datas_means(rng):
    data = rng.binomial(1, [0.1, 0.3, 0.5, 0.8], size=(4000, 4)).astype("float32")
    machine = RBM(3, centered=True, kernel_scale=0.02, seed=1)
    machine.initialize(data)
    np.testing.assert_allclose(to_numpy(machine.visible_offsets.value), data.mean(0), rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(machine.hidden_offsets.value), 0.5)
    np.testing.assert_allclose(to_numpy(machine.transform(data)).mean(0), 0.5, atol=1e-3)
    np.testing.assert_allclose(to_numpy(machine.reconstruct(data)).mean(0), data.mean(0), atol=1e-3)


# Data that come again and again in two forms: log 2 is what no machine can do better than.
@pytest.mark.parametrize("arguments", [{}, {"chains": 50, "centered": True, "steps": 2}], ids=str)
def test_a_trained_machine_has_the_law_of_its_data(arguments):
    data = np.tile(PATTERNS, (250, 1))
    machine = RBM(3, seed=2, kernel_scale=0.1, **arguments)
    machine.initialize(data)
    # The rate falls to 0, for persistent chains at a rate that stays swing between the two forms.
    rate = keras.optimizers.schedules.PolynomialDecay(0.2, 30 * 10, 0.0)
    machine.compile(keras.optimizers.SGD(rate, momentum=0.5))
    machine.fit(data, batch_size=50, epochs=30, shuffle=False, verbose=0)
    numbers = (to_numpy(w.value) for w in (machine.kernel, machine.visible_biases, machine.hidden_biases))
    states, p = Tiny(BINARY, BINARY, *numbers).law()
    seen = [int(np.flatnonzero((states == pattern).all(1))[0]) for pattern in PATTERNS]
    assert np.log(p[seen]).mean() > -0.9
    np.testing.assert_allclose(to_numpy(machine.reconstruct(PATTERNS)), PATTERNS, atol=0.2)


@pytest.mark.parametrize("arguments", [{}, {"chains": 8, "statistic": "sample"}, {"centered": True}], ids=str)
def test_validation_leaves_no_trace_in_the_training(arguments, rng):
    data = rng.integers(2, size=(32, 4)).astype("float32")
    machines = []
    for validation in (None, (data[:10],)):
        machine = RBM(3, seed=3, kernel_scale=0.5, **arguments)
        machine.compile(keras.optimizers.SGD(0.1, momentum=0.9), run_eagerly=True)
        machine.fit(data, batch_size=8, epochs=3, shuffle=False, validation_data=validation, verbose=0)
        machines.append(machine)
    assert_same(*machines)
    before = weights_of(machines[0])
    values = [machines[0].evaluate(data, verbose=0, return_dict=True) for _ in range(2)]
    assert values[0] == values[1]
    machines[0].predict(data, verbose=0)
    machines[0].sample(3, sweeps=2)
    for name, value in weights_of(machines[0]).items():
        np.testing.assert_array_equal(value, before[name])
    assert set(values[0]) == {"loss", "reconstruction_error", "activity", "free_energy"}


def test_every_step_of_the_training_draws_noise_of_its_own(rng):
    machine = RBM(3, seed=3, chains=500)
    machine.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    states = []
    for _ in range(3):
        machine.fit(np.ones((4, 4), "float32"), verbose=0)
        states.append(to_numpy(machine.chain.value))
    for first, second in itertools.pairwise(states):
        # Fair and independent units differ in half of the places.
        assert 0.4 < (first != second).mean() < 0.6


def test_the_metrics_are_those_of_their_definitions(rng):
    data = rng.integers(2, size=(30, 4)).astype("float32")
    machine = RBM(3, seed=3, kernel_scale=1.0)
    machine.compile("sgd", run_eagerly=True)
    machine.build((None, 4))
    found = machine.evaluate(data, batch_size=7, verbose=0, return_dict=True)
    x = data @ to_numpy(machine.kernel.value)
    np.testing.assert_allclose(found["activity"], (x > 0).mean(), rtol=1e-5)
    np.testing.assert_allclose(found["free_energy"], -np.logaddexp(0, x).sum(1).mean(), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(machine.free_energy(data)), -np.logaddexp(0, x).sum(1), rtol=1e-5)
    reconstruction = to_numpy(machine(data)["reconstruction"])
    whole = machine.evaluate(data, batch_size=30, verbose=0, return_dict=True)
    np.testing.assert_allclose(whole["reconstruction_error"], ((data - reconstruction) ** 2).mean(), rtol=1e-5)


def test_the_free_energy_is_that_of_the_energies(rng):
    machine = RBM(3, seed=3, kernel_scale=1.0)
    machine.build((None, 4))
    machine.hidden_biases.assign(rng.normal(size=3))
    machine.visible_biases.assign(rng.normal(size=4))
    v = rng.integers(2, size=(5, 4)).astype("float32")
    energies = [to_numpy(machine.energy(v, np.broadcast_to(h, (5, 3)))) for h in BINARY.layer(3)]
    np.testing.assert_allclose(to_numpy(machine.free_energy(v)), -special.logsumexp(-np.array(energies), 0), rtol=1e-5)


def test_the_gap_is_that_of_the_epochs_last_parameters(rng):
    data = rng.integers(2, size=(30, 4)).astype("float32")
    machine = RBM(3, seed=3)
    machine.compile(keras.optimizers.SGD(0.5), run_eagerly=True)
    history = machine.fit(data[:20], epochs=2, callbacks=[FreeEnergyGap(data[:20], data[20:])], verbose=0).history
    energies = to_numpy(machine.free_energy(data))
    np.testing.assert_allclose(history["free_energy_gap"][-1], energies[20:].mean() - energies[:20].mean(), atol=1e-5)


def test_machines_without_a_free_energy_have_no_such_metric(rng):
    machine = RBM(3, Gaussian(), NReLU(), seed=3)
    machine.compile("sgd", run_eagerly=True)
    history = machine.fit(rng.normal(size=(100, 4)).astype("float32"), verbose=0).history
    assert set(history) == {"loss", "reconstruction_error", "activity", "norm_ratio"}
    assert history["norm_ratio"][-1] == pytest.approx(norm_ratio(machine.kernel, Gaussian(), NReLU()), rel=1e-3)
    assert set(machine(np.ones((2, 4), "float32"))) == {"hidden", "reconstruction", "activity"}


def test_double_precision_is_double_throughout(rng):
    machine = RBM(3, Gaussian(noise=True), TruncatedGaussian(), chains=10, centered=True, seed=3, dtype="float64")
    data = rng.normal(size=(100, 4))
    machine.initialize(data)
    machine.compile("sgd", run_eagerly=True)
    machine.fit(data, verbose=0)
    double = keras.backend.standardize_dtype(machine.kernel.dtype)
    assert double == "float64"
    for tensor in [*machine(data).values(), machine.sample(4, sweeps=2), machine.transform(data)]:
        assert keras.backend.standardize_dtype(tensor.dtype) == double
