"""Are the oracles of the page on stepped sigmoids right, and would it notice a wrong sampler?"""

import itertools

import numpy as np
import pytest
from scipy import integrate, special, stats

from reruns.chapters import stepped_sigmoid as stepped


def moment(x, power):
    """Integrate a power of max(0, x + n) over the normal density of variance sigmoid(x)."""
    s = np.sqrt(special.expit(x))
    integrand = lambda z: z**power * stats.norm.pdf(z, x, s)  # noqa: E731
    return integrate.quad(integrand, 0, max(x, 0) + 12 * s, epsabs=1e-13, epsrel=1e-12, limit=200)[0]


@pytest.mark.parametrize("x", stepped.INPUTS)
def test_the_closed_forms_of_a_rectified_normal_agree_with_quadrature(x):
    share, mean, square, cube, fourth = (moment(x, power) for power in range(5))
    variance = square - mean**2
    central = fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4
    found, errors = stepped.rectified(x)
    np.testing.assert_allclose(found, [mean, np.sqrt(variance), share], rtol=1e-8)
    # Of a share near 1 the error has lost digits.
    of_variance = np.sqrt(central - variance**2)
    expected = [np.sqrt(variance), of_variance / (2 * np.sqrt(variance)), np.sqrt(share * (1 - share))]
    np.testing.assert_allclose(errors, expected, rtol=1e-5)
    np.testing.assert_allclose(stepped.rectified_mean(np.array([x])), mean, rtol=1e-8)


def test_standard_errors_are_those_of_repeated_samples():
    samples = np.maximum(0, 1 + np.sqrt(special.expit(1.0)) * np.random.default_rng(0).normal(size=(2000, 400)))
    found = np.array([stepped.off(1.0, sample) for sample in samples])
    np.testing.assert_allclose(found.std(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.1)


def test_a_sampler_that_takes_the_variance_for_the_deviation_is_seen_at_zero():
    noise = np.random.default_rng(0).normal(size=100_000)
    right, wrong = (stepped.off(0.0, np.maximum(0, scale * noise)) for scale in (np.sqrt(0.5), 0.5))
    assert np.abs(right).max() < stepped.ERRORS < 20 < np.abs(wrong[:2]).min()


@pytest.mark.parametrize("x", [-1.0, 0.7, 3.0])
def test_counting_copies_is_summing_over_all_their_states(x):
    p = special.expit(x - np.array([0.5, 1.5, 2.5, 3.5]))
    law = np.zeros(5)
    for states in itertools.product((0, 1), repeat=4):
        law[sum(states)] += np.prod(np.where(states, p, 1 - p))
    np.testing.assert_allclose(stepped.by_counting(x, copies=4), law, rtol=1e-12)
    counts = np.arange(5)
    np.testing.assert_allclose(stepped.mean(x, 4), law @ counts, rtol=1e-12)
    np.testing.assert_allclose(stepped.variance(x, 4), law @ counts**2 - (law @ counts) ** 2, rtol=1e-11)
    np.testing.assert_allclose(stepped.log_partition(x, 4), -np.log(law[0]), rtol=1e-12)


@pytest.mark.parametrize("x", [-5.0, 0.0, 8.0])
def test_euler_s_expansion_is_the_law_of_infinitely_many_copies(x):
    counts = np.arange(40)
    law = np.exp(stepped.log_base(counts) + counts * x - stepped.log_partition(x))
    np.testing.assert_allclose(law, stepped.by_counting(x)[:40], atol=1e-14)


@pytest.mark.parametrize(("units", "inputs"), [(1, 1), (4, 1), (3, 2), (5, 2), (4, 3), (3, 7)])
def test_regions_are_counted_as_each_plane_cuts_those_before_it(units, inputs):
    def regions(n, d):
        # The n-th plane is itself cut by the others into regions, each of which cuts one in two.
        return 1 if n == 0 or d == 0 else regions(n - 1, d) + regions(n - 1, d - 1)

    assert stepped.most_regions(units, inputs) == regions(units, inputs)
