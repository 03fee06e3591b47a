"""Elementary functions in float32 for XLA, whose own are slower on processors.

Each takes its argument apart as bits, by which powers of two cost nothing, and leaves a short polynomial: a minimax
fit. None divides or takes a root, so a compiler that sees both passes computes them again rather than keep them in
memory in between. Of other types than float32 `exp`, `expm1` and `log1p_of_fraction` are those of keras.ops.
"""

import functools
import math
from collections.abc import Sequence

import keras
from keras import ops

from keras_rectifiers.compilation import Tensor, reinterpreted

# (e^r - 1) / r for |r| <= log(2) / 2, to 1.1e-8.
_EXPM1 = (1.0, 0.5, 0.166665062, 0.0416671362, 0.00836906856, 0.00138888725)
# log(1 + e) / e for 0 <= e <= 1, to 5.5e-8.
_LOG1P = (
    *(1.0, -0.49999648, 0.33321322, -0.24857163, 0.19153654),
    *(-0.13753801, 0.07920449, -0.03006574, 0.0053648),
)
# log(1 + f) / f for sqrt(1/2) <= 1 + f <= sqrt(2), in which log(1 + f) is off by 2e-7 at most.
_LOG = (1.00000325, -0.500019651, 0.333032983, -0.248813395, 0.206046724, -0.189019799, 0.118274824)
_LOG2 = tuple(c / math.log(2.0) for c in _LOG)
_BITS_OF_SQRT_HALF = 0x3F3504F3


def polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Return the polynomial with these coefficients, the constant one first."""
    return functools.reduce(lambda total, c: total * x + c, reversed(coefficients[:-1]), coefficients[-1])


def exp(x: Tensor) -> Tensor:
    """Return e^x; below -87.7 it is 0, above 88 it stays e^88."""
    if _narrow(x):
        power, r = _reduced(x)
        return power * (r * polynomial(_EXPM1, r)) + power
    return ops.exp(x)


def expm1(x: Tensor) -> Tensor:
    """Return e^x - 1, accurate near 0 too; above 88 it stays e^88."""
    if _narrow(x):
        power, r = _reduced(x)
        return power * (r * polynomial(_EXPM1, r)) + (power - 1.0)
    return ops.expm1(x)


def log1p_of_fraction(e: Tensor) -> Tensor:
    """Return log(1 + e) for e in [0, 1]."""
    return e * polynomial(_LOG1P, e) if _narrow(e) else ops.log1p(e)


def log2_of_scaled(y: Tensor, scale: int) -> Tensor:
    """Return log2(y / 2^scale) of ordinary float32 numbers, to 3e-7 and half an ulp."""
    # y = 2^k (1 + f), so that 1 + f lies between the square roots of 1/2 and 2.
    bits = reinterpreted(y, "int32") - (_BITS_OF_SQRT_HALF + (scale << 23))
    k = ops.cast(ops.right_shift(bits, 23), "float32")
    f = reinterpreted(ops.bitwise_and(bits, 2**23 - 1) + _BITS_OF_SQRT_HALF, "float32") - 1.0
    return f * polynomial(_LOG2, f) + k


def _narrow(x: Tensor) -> bool:
    return keras.backend.standardize_dtype(x.dtype) == "float32"


def _reduced(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return 2^k and r with e^x = 2^k e^r and |r| <= log(2) / 2."""
    # Beyond 88 the exponent has no bits; at -88 its bits are those of 0. Written so that NaN stays.
    x = ops.where(x < -88.0, -88.0, ops.where(x > 88.0, 88.0, x))
    k = ops.round(x * (1.0 / math.log(2.0)))
    # log(2) in two parts, so that k times the first is exact.
    r = x - k * 0.693359375 - k * -2.12194440e-4
    return reinterpreted(ops.left_shift(ops.cast(k, "int32") + 127, 23), "float32"), r
