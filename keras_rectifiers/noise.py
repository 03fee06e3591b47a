"""Counter-based random numbers, the same bits on every backend, eager or compiled.

A word is an integer hash of (element index, key). Nothing need be stored between the forward and the backward pass: the
same key gives the same words again. A key is two int32 words, which `keys` makes.

Every step is int32: PyTorch has no uint32 arithmetic, and multiplication that wraps and shifts that are masked give
the same bits on all three backends. Variates are computed in float32; uniforms carry 24 bits. Words, uniforms and
Bernoulli draws are equal everywhere; compilers contract multiply-adds, so normals agree within 8 ulps and RReLU's
outputs within 4.
"""

import functools
import math
import operator

from keras import ops

from keras_rectifiers import elementary
from keras_rectifiers.compilation import Tensor, wide

# The multipliers of Wellons's three-round 32-bit mixer "triple32" (hash-prospector, 2018), as signed integers.
_MULTIPLIERS = (0xED5AD4BB - 2**32, 0xAC4C1B51 - 2**32, 0x31848BAB)


def _int32(value: int) -> Tensor:
    return ops.convert_to_tensor(value, dtype="int32")


def _shifted(x: Tensor, bits: int) -> Tensor:
    # The mask makes the arithmetic shift of a signed integer a logical one.
    return ops.bitwise_and(ops.right_shift(x, _int32(bits)), _int32((1 << (32 - bits)) - 1))


def _fold(x: Tensor, bits: int) -> Tensor:
    return ops.bitwise_xor(x, _shifted(x, bits))


def mix(x: Tensor, injected: Tensor | None = None) -> Tensor:
    """Mix 32 bits in three rounds of multiply and fold; `injected` enters after the first."""
    first, second, third = _MULTIPLIERS
    x = _fold(ops.multiply(_fold(x, 17), _int32(first)), 11)
    if injected is not None:
        x = ops.bitwise_xor(x, injected)
    x = _fold(ops.multiply(x, _int32(second)), 15)
    return _fold(ops.multiply(x, _int32(third)), 14)


def words(shape: tuple, key: Tensor) -> Tensor:
    """Return int32 words, each a hash of its element's index and the key: within one key no word repeats.

    Example:

    >>> from keras_rectifiers import keys, noise
    >>> words = noise.words((3,), keys.make_key(seed=7))
    >>> [int(word) for word in words]
    [136882514, -1937400300, 1373731964]
    """
    rows = functools.reduce(operator.mul, shape[:-1], 1)
    width = shape[-1] if shape else 1
    # Row by row: for an index that is counted through all axes XLA builds each vector from eight scalars.
    starts = ops.expand_dims(ops.arange(rows, dtype="int32") * width + key[0], 1)
    return ops.reshape(mix(starts + ops.arange(width, dtype="int32"), injected=key[1]), shape)


def uniform(shape: tuple, key: Tensor, dtype: str = "float32") -> Tensor:
    """Return uniforms on [0, 1), multiples of 2**-24, as float32 or wider."""
    # A narrower type would round the largest ones up to 1.
    return ops.cast(_shifted(words(shape, key), 8), wide(dtype)) * 2.0**-24


def bernoulli(probability: Tensor, key: Tensor) -> Tensor:
    """Return ones with the given probabilities, zeros else, in the dtype and shape of `probability`."""
    draws = uniform(tuple(ops.shape(probability)), key, probability.dtype)
    return ops.cast(draws < ops.cast(probability, draws.dtype), probability.dtype)


# z / x as a function of w = -log(1 - x^2), where z is the normal quantile of (1 + x) / 2: a minimax fit on
# 0 <= w <= 21.5, which is every w that a 32-bit word can give; its relative error is 1.1e-7.
_NUMERATOR = (1.25331428, 0.452448758, 0.0898471404, 0.0118779466, 9.99748173e-4, 2.92800278e-5)
_DENOMINATOR = (1.0, 0.0992052660, 0.0326729177, 0.00228107358, 1.69781784e-4, 1.00791178e-6)
# The same in log2(1 - x^2) = -w / log(2), and for an x that is 2**31 times as large.
_OF_LOG2 = [
    tuple(scale * c * (-math.log(2.0)) ** power for power, c in enumerate(coefficients))
    for scale, coefficients in ((2.0**-31, _NUMERATOR), (1.0, _DENOMINATOR))
]

# The quantile of the outermost word, 1 - 2**-33.
LARGEST_NORMAL = 6.337958


def normal(shape: tuple, key: Tensor, dtype: str = "float32") -> Tensor:
    """Return standard normals, as float32 or wider, by the inverse of their distribution function.

    The word's sign is the variate's sign and its other 31 bits the tail probability, so every word gives a finite
    number; the largest magnitude is `LARGEST_NORMAL`. The relative error of the inverse is below 1e-6.
    """
    word = words(shape, key)
    # x = (word + 1/2) / 2**31, and 1 - |x| from its own integer: near 1 the difference would lose every digit. Both
    # stay 2**31 times as large.
    rest = ops.bitwise_xor(word, ops.bitwise_xor(_int32(2**31 - 1), ops.right_shift(word, _int32(31))))
    rest = ops.cast(rest, "float32")
    x = ops.cast(word, "float32") + 0.5
    log2 = elementary.log2_of_scaled((rest + 0.5) * (2.0**32 - rest), scale=62)
    numerator, denominator = (elementary.polynomial(coefficients, log2) for coefficients in _OF_LOG2)
    return ops.cast(x * numerator / denominator, wide(dtype))
