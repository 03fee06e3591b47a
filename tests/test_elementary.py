"""The float32 functions for XLA against NumPy in float64."""

import keras
import numpy as np
import pytest

from differentiation import to_numpy
from keras_rectifiers import elementary

RNG = np.random.default_rng(0)
# Every decade of magnitude, both signs where the function takes them.
MAGNITUDES = np.float32([*RNG.uniform(0, 87, 20_000), *10 ** RNG.uniform(-30, 1.9, 20_000)])
FRACTIONS = np.float32([*RNG.uniform(0, 1, 20_000), *10 ** RNG.uniform(-30, 0, 20_000), 0, 1])


def at(function, x: np.ndarray) -> np.ndarray:
    return to_numpy(function(keras.ops.convert_to_tensor(x)))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("ours", "numpys"), [(elementary.exp, np.exp), (elementary.expm1, np.expm1)])
def test_exponentials_are_right_to_a_few_ulps(ours, numpys, sign):
    x = sign * MAGNITUDES
    expected = numpys(x.astype("float64"))
    np.testing.assert_allclose(at(ours, x), expected, rtol=3e-7, atol=np.finfo("float32").tiny)


def test_log1p_of_fractions_is_right_to_a_few_ulps():
    expected = np.log1p(FRACTIONS.astype("float64"))
    np.testing.assert_allclose(at(elementary.log1p_of_fraction, FRACTIONS), expected, rtol=3e-7)


@pytest.mark.parametrize("scale", [0, 62])
def test_binary_logarithms_of_scaled_numbers_are_right(scale):
    y = (2.0 ** RNG.uniform(scale - 33, scale, 40_000)).astype("float32")
    found = at(lambda y: elementary.log2_of_scaled(y, scale), y)
    np.testing.assert_allclose(found, np.log2(y.astype("float64")) - scale, rtol=1e-7, atol=4e-7)


def test_beyond_their_range_exponentials_saturate_and_nan_stays():
    x = np.array([-np.inf, -1e30, -88.5, 88.5, 1e30, np.inf, np.nan], "float32")
    top = np.exp(88.0)
    np.testing.assert_allclose(at(elementary.exp, x), [0, 0, 0, top, top, top, np.nan], rtol=3e-7)
    np.testing.assert_allclose(at(elementary.expm1, x), [-1, -1, -1, top, top, top, np.nan], rtol=3e-7)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_types_get_the_functions_of_keras(dtype):
    x = np.array([-2.0, -0.5, 0.0], dtype)
    tensor = keras.ops.convert_to_tensor(x, dtype=dtype)
    np.testing.assert_array_equal(to_numpy(elementary.exp(tensor)), to_numpy(keras.ops.exp(tensor)))
    np.testing.assert_array_equal(to_numpy(elementary.expm1(tensor)), to_numpy(keras.ops.expm1(tensor)))
    fraction = keras.ops.exp(tensor)
    np.testing.assert_array_equal(to_numpy(elementary.log1p_of_fraction(fraction)), to_numpy(keras.ops.log1p(fraction)))
