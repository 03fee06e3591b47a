"""Are the random numbers random: uniform, independent between keys, and what their names say?"""

import itertools
from statistics import NormalDist

import keras
import numpy as np
import pytest
from scipy import stats

from differentiation import to_numpy
from keras_rectifiers import keys, noise

N = 1 << 18


def words(seed: int = 1, call: int = 0, replica: int = 0, count: int = N) -> np.ndarray:
    return np.asarray(noise.words((count,), keys.make_key(seed, call, replica))).view("uint32")


def test_no_word_repeats_within_a_key():
    assert len(np.unique(words())) == N


@pytest.mark.parametrize("bit", range(32))
def test_every_bit_is_fair_and_independent_of_the_next_words(bit):
    bits = (words() >> bit & 1).astype(float)
    standard_error = 0.5 / np.sqrt(N)
    assert abs(bits.mean() - 0.5) < 5 * standard_error
    for lag in (1, 2, 64, 1024):
        agreement = np.mean(bits[:-lag] == bits[lag:])
        assert abs(agreement - 0.5) < 5 * standard_error


NEIGHBOURS = {
    "seeds": [(seed, 0, 0) for seed in range(40)],
    "calls": [(1, call, 0) for call in range(40)],
    "replicas": [(1, 0, replica) for replica in range(40)],
    "mixed": [(seed, call, replica) for seed in range(4) for call in range(4) for replica in range(3)],
}


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_neighbouring_keys_are_different(kind):
    found = {tuple(np.asarray(keys.make_key(*parts)).tolist()) for parts in NEIGHBOURS[kind]}
    assert len(found) == len(NEIGHBOURS[kind])
    assert len({first for first, _ in found}) == len({second for _, second in found}) == len(found)


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_streams_of_neighbouring_keys_are_no_copies_shifted_or_permuted(kind):
    # Two unrelated streams of n words share n^2 / 2^32 of them; a shifted or permuted copy would share most.
    count = 4096
    streams = [words(*parts, count=count) for parts in NEIGHBOURS[kind]]
    shared = [len(np.intersect1d(a, b)) for a, b in itertools.combinations(streams, 2)]
    assert max(shared) <= 3
    expected = len(shared) * count**2 / 2**32
    assert sum(shared) < expected + 6 * np.sqrt(expected) + 3


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_streams_of_neighbouring_keys_are_uncorrelated(kind):
    streams = [words(*parts, count=4096).astype(float) for parts in NEIGHBOURS[kind][:12]]
    correlations = np.corrcoef(streams)[np.triu_indices(len(streams), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(4096)


def test_one_word_of_each_successive_call_is_uniform():
    first = np.array([words(1, call, count=1)[0] for call in range(400)]) / 2**32
    assert stats.kstest(first, "uniform").pvalue > 1e-3


def test_uniforms_are_uniform_multiples_of_two_to_the_minus_24():
    u = to_numpy(noise.uniform((N,), keys.make_key(1)))
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(u * 2**24 % 1, 0)
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1


def test_the_largest_word_gives_a_uniform_below_one():
    # The 24 highest bits set: the largest uniform there is.
    largest = np.float32(2**24 - 1) * np.float32(2.0**-24)
    assert largest < 1
    assert np.float16(largest) == 1  # why a narrower type is never returned
    for dtype in ("float16", "bfloat16", "float32"):
        assert "float32" in str(noise.uniform((2,), keys.make_key(1), dtype).dtype)


def test_normals_are_the_inverse_distribution_function_of_the_words():
    key = keys.make_key(1)
    # The word's sign is the variate's, its other bits count steps of 2**-32 of probability from the middle.
    steps = np.asarray(noise.words((20_000,), key)).astype("float64") + 0.5
    expected = [NormalDist().inv_cdf(0.5 + step / 2**32) for step in steps]
    np.testing.assert_allclose(to_numpy(noise.normal((20_000,), key)), expected, rtol=1e-6)


EXTREME_WORDS = np.array([-(2**31), -(2**31) + 1, -(2**30), -2, -1, 0, 1, 2**30 - 1, 2**31 - 2, 2**31 - 1], "int32")


def test_normals_of_the_extreme_words_are_finite_and_exact(monkeypatch):
    monkeypatch.setattr(noise, "words", lambda shape, key: keras.ops.convert_to_tensor(EXTREME_WORDS))
    z = to_numpy(noise.normal(EXTREME_WORDS.shape, keys.make_key(0)))
    expected = [NormalDist().inv_cdf(0.5 + (int(word) + 0.5) / 2**32) for word in EXTREME_WORDS]
    np.testing.assert_allclose(z, expected, rtol=1e-6)
    np.testing.assert_allclose(np.abs(z).max(), noise.LARGEST_NORMAL, rtol=1e-6)
    np.testing.assert_array_equal(z, -z[::-1])


def test_normals_have_the_moments_and_the_tails_of_the_normal():
    z = to_numpy(noise.normal((N,), keys.make_key(1)))
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(z**power) - moment) < 5 * np.sqrt(variance / N)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_bernoulli_draws_have_their_probabilities(dtype):
    probabilities = np.array([0.0, 0.01, 0.3, 0.5, 0.99, 1.0], dtype)
    draws = noise.bernoulli(np.broadcast_to(probabilities, (40_000, 6)), keys.make_key(1))
    assert dtype in str(draws.dtype)
    draws = to_numpy(draws)
    assert set(np.unique(draws)) == {0.0, 1.0}
    expected = probabilities.astype("float64")
    standard_error = np.sqrt(expected * (1 - expected) / 40_000)
    assert (np.abs(draws.mean(0) - expected) <= 5 * standard_error).all()


def test_an_integer_seed_repeats_its_draw_and_a_generator_does_not():
    generator = keras.random.SeedGenerator(1)
    first, second = (np.asarray(keys.next_draw(generator)) for _ in range(2))
    np.testing.assert_array_equal(first, [1, 0, 0])
    np.testing.assert_array_equal(second, [1, 1, 0])
    np.testing.assert_array_equal(keys.mixed(keys.next_draw(generator)), keys.make_key(1, 2))
    np.testing.assert_array_equal(keys.next_draw(1), keys.next_draw(1))


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_every_seed_in_range_gives_a_key(seed):
    assert len(set(words(seed, count=100))) == 100
