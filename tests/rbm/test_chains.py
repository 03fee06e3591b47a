"""Do the Markov chains keep the law of their machine, and does the question catch chains that do not?"""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops
from scipy import special, stats

from differentiation import to_numpy
from keras_rectifiers import keys
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm import RBM, Gaussian, gibbs
from keras_rectifiers.rbm.units import Unit
from tiny_machines import BINARY, FINITE, GAUSSIAN, INFINITE, SOFTMAX, STEPPED, TRUNCATED, Tiny, machine

CHAINS = 10_000
SWEEPS = (1, 4, 16)
WIDTHS = {"binary": 5, "binomial": 4, "softmax": 6}
EVERY = {**FINITE, **INFINITE}


def enumerable(visible: str, hidden: str) -> Tiny:
    # Squares in the log-partition make the law narrow, which would hide an error.
    return machine(FINITE[visible], EVERY[hidden], (WIDTHS[visible], 3), scale=1.0 if hidden in FINITE else 0.6)


def distance(found: np.ndarray, states: np.ndarray, p: np.ndarray) -> float:
    """Return the total-variation distance of the states that were found from their law."""
    places = 4.0 ** np.arange(states.shape[1])
    order = np.argsort(states @ places)
    at = order[np.searchsorted((states @ places)[order], found @ places)]
    np.testing.assert_array_equal(states[at], found)
    return 0.5 * float(np.abs(np.bincount(at, minlength=len(p)) / len(found) - p).sum())


def floor(p: np.ndarray) -> float:
    """Return the distance that so many independent draws from the law itself stay within."""
    draws = np.random.default_rng(1).multinomial(CHAINS, p, size=200) / CHAINS
    distances = 0.5 * np.abs(draws - p).sum(1)
    return float(distances.mean() + 5 * distances.std())


def advanced(pair: gibbs.Pair, parameters: gibbs.Parameters, v: np.ndarray, sweeps: tuple = SWEEPS) -> list[np.ndarray]:
    """Return the chains' states after each of these numbers of sweeps."""
    found, at = [], ops.convert_to_tensor(v.astype("float32"))
    for number in range(1, sweeps[-1] + 1):
        at = pair.sweep(parameters, at, keys.make_key(20, number))
        if number in sweeps:
            found.append(to_numpy(at))
    return found


@pytest.mark.one_backend
@pytest.mark.parametrize("hidden", EVERY)
@pytest.mark.parametrize("visible", FINITE)
def test_chains_that_start_in_the_machines_law_stay_in_it(visible, hidden, rng):
    tiny = enumerable(visible, hidden)
    states, p = tiny.law()
    assert (p > 1e-3).sum() > 8
    for found in advanced(tiny.pair, tiny.parameters, tiny.drawn(CHAINS, rng)):
        assert distance(found, states, p) < floor(p)


@pytest.mark.one_backend
@pytest.mark.parametrize("hidden", EVERY)
def test_the_wrong_sign_of_the_weights_on_one_way_is_caught(hidden, rng):
    tiny = enumerable("binary", hidden)
    states, p = tiny.law()

    class Wrong(gibbs.Parameters):
        def visible_input(self, h: Tensor) -> Tensor:
            return self.visible_bias - ops.matmul(h, ops.transpose(self.kernel))

    (found,) = advanced(tiny.pair, Wrong(*tiny.parameters), tiny.drawn(CHAINS, rng), sweeps=(1,))
    assert distance(found, states, p) > 3 * floor(p)


@dataclasses.dataclass(frozen=True)
class WithoutNoise(Unit):
    """The unit whose sample is its mean: what the mean-field approximation takes a layer for."""

    of: Unit

    def mean(self, x: Tensor) -> Tensor:
        return self.of.mean(x)

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        return self.of.mean(x)


@pytest.mark.one_backend
@pytest.mark.parametrize("hidden", EVERY)
def test_a_mean_field_hidden_layer_is_caught(hidden, rng):
    tiny = enumerable("binary", hidden)
    states, p = tiny.law()
    pair = gibbs.Pair(tiny.visible.unit, WithoutNoise(tiny.hidden.unit))
    (found,) = advanced(pair, tiny.parameters, tiny.drawn(CHAINS, rng), sweeps=(4,))
    assert distance(found, states, p) > 1.5 * floor(p)


def visible_given(tiny: Tiny, h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw visible states of infinitely many with SciPy."""
    x = h @ tiny.kernel.T + tiny.visible_bias
    u = rng.uniform(size=x.shape)
    if tiny.visible is GAUSSIAN:
        return x + special.ndtri(u)
    if tiny.visible is TRUNCATED:
        return stats.truncnorm.ppf(u, -x, np.inf, loc=x)
    n = np.arange(40.0)
    p = special.softmax(x[..., None] * n + STEPPED.log_base(n[:, None]), axis=-1)
    return (np.cumsum(p, -1) < u[..., None]).sum(-1).astype("float64")


def z_scores(samples: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return (samples.mean(0) - expected) / (samples.std(0) / np.sqrt(len(samples)))


@pytest.mark.one_backend
@pytest.mark.parametrize("hidden", ["binary", "softmax"])
@pytest.mark.parametrize("visible", INFINITE)
def test_chains_of_visible_units_of_infinitely_many_states_keep_the_machines_law(visible, hidden, rng):
    tiny = machine(INFINITE[visible], FINITE[hidden], (4, 3), scale=0.7)
    states, p = tiny.turned.law()
    start = visible_given(tiny, tiny.turned.drawn(CHAINS, rng), rng)
    means = tiny.turned.hidden_mean(states)
    together = p @ (means[:, :, None] * states[:, None, :]).reshape(len(p), -1)
    for number, v in zip((1, 4), advanced(tiny.pair, tiny.parameters, start, (1, 4)), strict=True):
        x = tiny.parameters.hidden_input(ops.convert_to_tensor(v.astype("float32")))
        h = to_numpy(tiny.hidden.unit.sample(x, keys.make_key(21, number)))
        assert distance(h, states, p) < floor(p)
        assert np.abs(z_scores(v, p @ means)).max() < 4.5
        assert np.abs(z_scores((v[:, :, None] * h[:, None, :]).reshape(CHAINS, -1), together)).max() < 4.5


def test_chains_of_two_gaussian_layers_keep_the_machines_covariance(rng):
    tiny = machine(GAUSSIAN, GAUSSIAN, (3, 2), scale=0.4)
    assert np.linalg.norm(tiny.kernel, 2) < 0.9
    covariance = np.linalg.inv(np.eye(3) - tiny.kernel @ tiny.kernel.T)
    mean = covariance @ (tiny.visible_bias + tiny.kernel @ tiny.hidden_bias)
    start = rng.multivariate_normal(mean, covariance, CHAINS)
    for v in advanced(tiny.pair, tiny.parameters, start):
        apart = v - mean
        assert np.abs(z_scores(v, mean)).max() < 4.5
        products = (apart[:, :, None] * apart[:, None, :]).reshape(CHAINS, -1)
        assert np.abs(z_scores(products, covariance.ravel())).max() < 4.5


def test_sample_comes_to_the_machines_law_and_is_repeated_by_its_seed():
    tiny = machine(SOFTMAX, BINARY, (6, 3))
    states, p = tiny.law()
    rbm = tiny.rbm()
    found = to_numpy(rbm.sample(CHAINS, sweeps=30, seed=3))
    assert distance(found, states, p) < floor(p)
    np.testing.assert_array_equal(rbm.sample(CHAINS, sweeps=30, seed=3), found)
    assert (to_numpy(rbm.sample(CHAINS, sweeps=30, seed=4)) != found).any(1).mean() > 0.3


def test_sample_starts_where_it_is_told_and_otherwise_from_the_visible_biases():
    tiny = machine(BINARY, BINARY, (4, 3))
    rbm = tiny.rbm()
    start = np.eye(4, dtype="float32")
    np.testing.assert_array_equal(rbm.sample(4, sweeps=0, start=start), start)
    first = to_numpy(rbm.sample(CHAINS, sweeps=0))
    assert np.abs(z_scores(first, special.expit(tiny.visible_bias))).max() < 4.5


def test_sample_takes_the_laws_noise_where_reconstructions_leave_it_out():
    rbm = RBM(1, Gaussian(), seed=1)
    rbm.build((None, 2))
    found = to_numpy(rbm.sample(CHAINS, sweeps=1))
    np.testing.assert_allclose(found.std(0), 1, atol=0.03)


def test_compiled_sweeps_are_the_plain_ones(rng):
    tiny = machine(BINARY, BINARY, (5, 3))
    v = ops.convert_to_tensor(tiny.drawn(CHAINS, rng).astype("float32"))
    key = keys.make_key(5)
    plain = v
    for number in range(3):
        plain = tiny.pair.sweep(tiny.parameters, plain, keys.child(key, number))
    compiled = gibbs.sweeps(tiny.pair, tiny.parameters, v, key, 3)
    # A sigmoid may round otherwise where it is compiled.
    assert (to_numpy(plain) != to_numpy(compiled)).mean() < 1e-3
    assert keras.backend.backend() != "torch" or (to_numpy(plain) == to_numpy(compiled)).all()
