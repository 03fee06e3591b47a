"""Is log Z the logarithm of the sum over all states, and log p(v) that of a probability?"""

import keras
import numpy as np
import pytest
from enumeration import EPSILON, FINITE, INFINITE, joint_states, log_mass, machine_of, parameters, visible_law
from scipy import integrate, special, stats
from sklearn.neural_network import BernoulliRBM

from keras_rectifiers.rbm import (
    RBM,
    Binary,
    Gaussian,
    NReLU,
    Softmax,
    SteppedSigmoid,
    TruncatedGaussian,
    annealed_importance_sampling,
    log_likelihood,
    log_partition_function,
    pseudo_log_likelihood,
)

EXACT = {"rtol": 100 * EPSILON, "atol": 0}


def close(unit):
    # SteppedSigmoid leaves out units that are 0 or 1 but for 1e-7.
    return {"rtol": 100 * EPSILON, "atol": 3e-6 if unit == SteppedSigmoid() else 0}


@pytest.mark.parametrize("hidden", FINITE, ids=str)
@pytest.mark.parametrize("visible", FINITE, ids=str)
@pytest.mark.parametrize("widths", [(3, 6), (6, 3)], ids=["of the visible", "of the hidden"])
def test_log_z_of_two_finite_layers_is_the_sum_over_both(visible, hidden, widths):
    machine = machine_of(visible, hidden, widths)
    w, b, c = parameters(machine)
    (v, of_v), (h, of_h) = joint_states(visible, widths[0]), joint_states(hidden, widths[1])
    energies = -(v @ w @ h.T + (of_v + v @ b)[:, None] + of_h + h @ c)
    np.testing.assert_allclose(log_partition_function(machine), special.logsumexp(-energies), **EXACT)


@pytest.mark.parametrize("infinite", INFINITE, ids=str)
@pytest.mark.parametrize("finite", FINITE, ids=str)
def test_log_z_of_one_finite_layer_is_the_sum_over_it(finite, infinite):
    machine = machine_of(finite, infinite, (3, 5))
    np.testing.assert_allclose(log_partition_function(machine), visible_law(machine)[2], **close(infinite))
    machine = machine_of(infinite, finite, (5, 3))
    w, b, c = parameters(machine)
    h, base = joint_states(finite, 3)
    expected = special.logsumexp(base + h @ c + log_mass(infinite, b + h @ w.T))
    np.testing.assert_allclose(log_partition_function(machine), expected, **close(infinite))


@pytest.mark.parametrize("hidden_bias", ["tied", "none"])
@pytest.mark.parametrize("widths", [(3, 5), (5, 3)])
def test_hidden_biases_may_be_one_or_none(hidden_bias, widths):
    machine = machine_of(Binary(), Binary(), widths, hidden_bias=hidden_bias)
    np.testing.assert_allclose(log_partition_function(machine), visible_law(machine)[2], **EXACT)


def test_log_z_is_summed_in_blocks_and_beyond_the_range_of_exponentials():
    machine = machine_of(Binary(), Binary(), (11, 300), scale=6.0)
    expected = visible_law(machine)[2]
    assert expected > 800  # e^800 is no float64
    # PyTorch's softplus leaves out the last 2e-9 from 20 on.
    np.testing.assert_allclose(log_partition_function(machine), expected, rtol=max(1e-10, 100 * EPSILON))


def test_a_gaussian_layer_over_a_binary_one_has_the_density_of_a_mixture():
    machine = machine_of(Gaussian(), Binary(), (2, 3))
    w, b, c = parameters(machine)
    h, _ = joint_states(Binary(), 3)
    weights = special.softmax(h @ c + log_mass(Gaussian(), b + h @ w.T))
    v = np.random.default_rng(1).normal(size=(5, 2))
    density = sum(p * stats.multivariate_normal(b + w @ s).pdf(v) for p, s in zip(weights, h, strict=True))
    found = log_likelihood(machine, v, log_partition_function(machine))
    np.testing.assert_allclose(found.cases, np.log(density), rtol=1e3 * EPSILON, atol=1e3 * EPSILON)
    np.testing.assert_allclose(found.mean, found.cases.mean())


def test_probabilities_of_all_states_are_those_enumerated():
    machine = machine_of(Softmax(3), SteppedSigmoid(), (6, 4))
    v, log_p, _ = visible_law(machine)
    found = log_likelihood(machine, v, log_partition_function(machine))
    np.testing.assert_allclose(found.cases, log_p, **close(machine.hidden))
    assert found.cases.dtype == "float64"


def test_a_density_of_rectified_units_integrates_to_one():
    machine = machine_of(Gaussian(), TruncatedGaussian(), (1, 2))
    w, b, c = parameters(machine)
    log_z = np.log(
        integrate.quad(lambda v: np.exp(-(v**2) / 2 + v * b[0] + log_mass(TruncatedGaussian(), c + v * w[0])), -20, 20)[
            0
        ]
    )
    v = np.linspace(-12, 12, 2001)
    np.testing.assert_allclose(
        integrate.simpson(np.exp(log_likelihood(machine, v[:, None], log_z).cases), x=v), 1, rtol=1e-5
    )


def test_free_energies_are_those_of_scikit_learn():
    machine = machine_of(Binary(), Binary(), (6, 4))
    other = BernoulliRBM(4)
    w, b, c = parameters(machine)
    other.components_, other.intercept_visible_, other.intercept_hidden_ = w.T, b, c
    v, _, log_z = visible_law(machine)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(machine.free_energy(v)), other._free_energy(v), rtol=1e-5)
    np.testing.assert_allclose(
        log_likelihood(machine, v, log_z).cases, -other._free_energy(v) - log_z, rtol=1e3 * EPSILON
    )


V = np.eye(3, dtype="float32")
LIKELIHOODS = {
    "exact": log_partition_function,
    "log_likelihood": lambda machine: log_likelihood(machine, V, 0.0),
    "pseudo": lambda machine: pseudo_log_likelihood(machine, V),
    "method": lambda machine: machine.pseudo_log_likelihood(V),
    "annealed": lambda machine: annealed_importance_sampling(machine, V, betas=2, verbose=0),
}


def diverged():
    machine = machine_of(Binary(), Binary(), (3, 2))
    machine.kernel.assign(np.full((3, 2), np.nan))
    return machine


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (lambda: RBM(2, name="mine"), "is built; call `initialize` or `fit` first. Received: mine, not built"),
        (diverged, "finite parameters. Received: rbm.* which diverged"),
        (lambda: machine_of(Binary(), NReLU(), (3, 2)), "NReLU units have no log-partition.*Received: NReLU units"),
        (lambda: machine_of(NReLU(), Binary(), (3, 2)), "NReLU units have no log-partition.*Received: NReLU units"),
        (
            lambda: machine_of(Gaussian(), TruncatedGaussian(), (3, 2), scale=3.0, name="wild"),
            r"can be normalized, of a norm ratio below 1. Received: wild of 3 Gaussian.* 2 Truncated.* ratio [3-9]\.\d",
        ),
    ],
    ids=["unbuilt", "diverged", "NReLU hidden", "NReLU visible", "no law"],
)
def test_a_machine_without_a_law_is_refused(likelihood, machine, message):
    with pytest.raises(ValueError, match=message):
        likelihood(machine())


@pytest.mark.parametrize("machine", [(Binary(), NReLU()), (NReLU(), Binary())], ids=["hidden", "visible"])
def test_machines_of_nrelu_units_have_no_energies_but_run(machine):
    machine = machine_of(*machine, (3, 2))
    for energy in (machine.free_energy, lambda v: machine.energy(v, np.eye(3, 2))):
        with pytest.raises(ValueError, match="NReLU units have no log-partition"):
            energy(V)
    assert "free_energy" not in machine(V)
    assert machine.free_energy_of_batches is None


@pytest.mark.parametrize(
    ("pair", "widths", "counted"),
    [
        ((Binary(), Binary()), (21, 22), "2097152"),
        ((Binary(), Binary()), (2000, 1500), r"about 10\*\*452"),
        ((Gaussian(), TruncatedGaussian()), (2, 2), "infinitely many"),
    ],
    ids=["many", "very many", "infinite"],
)
def test_what_is_too_large_to_enumerate_is_refused_with_its_number(pair, widths, counted):
    with pytest.raises(ValueError, match=f"at most 1048576 joint states; `annealed_.*, of {counted} joint states"):
        log_partition_function(machine_of(*pair, widths, scale=1e-3))


def test_the_number_of_states_that_may_be_enumerated_is_an_argument():
    machine = machine_of(Binary(), Binary(), (3, 4))
    assert log_partition_function(machine, most_states=8) == log_partition_function(machine)
    with pytest.raises(ValueError, match="at most 7 joint states.* of 8 joint states"):
        log_partition_function(machine, most_states=7)
    with pytest.raises(ValueError, match="`most_states` must be an integer of at least 1"):
        log_partition_function(machine, most_states=0)


@pytest.mark.parametrize("likelihood", [lambda m, v: log_likelihood(m, v, 0.0), pseudo_log_likelihood])
@pytest.mark.parametrize(
    ("unit", "v", "message"),
    [
        (Binary(), np.full((2, 3), 255.0), "divide pixels by 255. Received: values from 255 to 255"),
        (Binary(), np.full((2, 3), 0.5), "states of Binary.* threshold grey"),
        (Binary(), np.full((2, 3), np.nan), "expected values in"),
        (Softmax(3), np.ones((2, 3)), "states of Softmax"),
        (Binary(), np.ones((2, 4)), r"`v` must be of shape \(cases, 3\). Received: shape=\(2, 4\)"),
        (Binary(), np.ones(3), r"`v` must be of shape"),
        (Binary(), np.ones((0, 3)), r"`v` must be of shape"),
    ],
)
def test_what_is_no_state_of_the_visible_units_has_no_likelihood(likelihood, unit, v, message):
    with pytest.raises(ValueError, match=message):
        likelihood(machine_of(unit, Binary(), (3, 2)), v)


def test_states_of_infinitely_many_are_told_from_other_numbers():
    whole, real = (machine_of(unit, Binary(), (3, 2)) for unit in (SteppedSigmoid(), Gaussian()))
    with pytest.raises(ValueError, match="states of SteppedSigmoid"):
        log_likelihood(whole, np.full((2, 3), 1.5), 0.0)
    with pytest.raises(ValueError, match="Gaussian.* units expected finite values"):
        log_likelihood(real, np.full((2, 3), np.inf), 0.0)
    assert np.isfinite(log_likelihood(whole, np.full((2, 3), 7.0), 0.0).mean)
    assert np.isfinite(log_likelihood(real, np.full((2, 3), 1.5), 0.0).mean)


@pytest.mark.parametrize("log_z", [None, np.nan, np.inf, "1"])
def test_log_z_must_be_a_number(log_z):
    with pytest.raises(ValueError, match="`log_z` must be a finite number"):
        log_likelihood(machine_of(Binary(), Binary(), (3, 2)), V, log_z)
