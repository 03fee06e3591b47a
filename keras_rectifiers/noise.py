"""Floor 2: counter-based random numbers, the same bits on every backend, eager or compiled.

A word is an integer hash of (element index, key). Nothing need be stored between the forward and the backward pass: the
same key gives the same words again. A key is two int32 words, mixed from (seed, call number, replica number), so that
neighbouring seeds and successive calls give unrelated streams. Kernels take the three numbers, a *draw*, and mix them
where they are compiled.

Every step is int32: PyTorch has no uint32 arithmetic, and multiplication that wraps and shifts that are masked give
the same bits on all three backends. Variates are computed in float32; uniforms carry 24 bits. Words, uniforms and
Bernoulli draws are equal everywhere; compilers contract multiply-adds, so normals agree within 8 ulps and RReLU's
outputs within 4.
"""

import contextlib
import functools
import math
import operator
import threading
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, elementary
from keras_rectifiers.compilation import Tensor, wide

# The multipliers of Wellons's three-round 32-bit mixer "triple32" (hash-prospector, 2018), as signed integers.
_MULTIPLIERS = (0xED5AD4BB - 2**32, 0xAC4C1B51 - 2**32, 0x31848BAB)
# Two lanes of a key start from different words: the fractional bits of the square roots of 2 and 3.
_LANES = (0x6A09E667, 0xBB67AE85 - 2**32)


def _int32(value: int) -> Tensor:
    return ops.convert_to_tensor(value, dtype="int32")


def _shifted(x: Tensor, bits: int) -> Tensor:
    # The mask makes the arithmetic shift of a signed integer a logical one.
    return ops.bitwise_and(ops.right_shift(x, _int32(bits)), _int32((1 << (32 - bits)) - 1))


def _fold(x: Tensor, bits: int) -> Tensor:
    return ops.bitwise_xor(x, _shifted(x, bits))


def _mix(x: Tensor, injected: Tensor | None = None) -> Tensor:
    """Mix 32 bits in three rounds of multiply and fold; `injected` enters after the first."""
    first, second, third = _MULTIPLIERS
    x = _fold(ops.multiply(_fold(x, 17), _int32(first)), 11)
    if injected is not None:
        x = ops.bitwise_xor(x, injected)
    x = _fold(ops.multiply(x, _int32(second)), 15)
    return _fold(ops.multiply(x, _int32(third)), 14)


def make_key(seed: Any, call: Any = 0, replica: Any = 0) -> Tensor:
    """Mix a seed, the number of the call and the number of the replica into a key: two int32 words."""
    return mixed([ops.cast(part, "int32") for part in (seed, call, replica)])


def mixed(parts: Any) -> Tensor:
    """Mix the three numbers of a draw into a key."""
    lanes = ops.convert_to_tensor(_LANES, dtype="int32")
    return functools.reduce(lambda key, part: _mix(key + part), [parts[n] for n in range(3)], lanes)


# Of each thread: the seed of the `drawn_from` that is open, and an entry for each key that was taken.
_given = threading.local()


@contextlib.contextmanager
def drawn_from(seed: Tensor) -> Iterator[list[None]]:
    """Let the layers that draw noise in training draw it in this context always, from the two int32 words of `seed`.

    The context gives a list that grows by an entry a draw. Each layer's draw has a key of its own.
    """
    outer = getattr(_given, "open", None)
    _given.open = seed, []
    try:
        yield _given.open[1]
    finally:
        _given.open = outer


def draws(training: bool | None) -> bool | None:
    """Return the `training` that a layer which draws noise acts by: True wherever `drawn_from` is open."""
    return True if getattr(_given, "open", None) else training


def next_draw(seed: int | keras.random.SeedGenerator) -> Tensor:
    """Return (seed, call, replica) as int32: of a seed generator the next call, of an integer the same each time."""
    if getattr(_given, "open", None):
        given, taken = _given.open
        taken.append(None)
        return _beside(given, len(taken))
    if not isinstance(seed, keras.random.SeedGenerator):
        return ops.convert_to_tensor([seed, 0, 0], dtype="int32")
    return _beside(ops.cast(seed.next(), "int32"), _replica())


def _beside(two: Tensor, third: Any) -> Tensor:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Several times as fast eagerly.
        return tf.concat([two, tf.reshape(tf.cast(third, tf.int32), (1,))], 0)
    return ops.concatenate([two, ops.reshape(ops.cast(third, "int32"), (1,))])


def seeded_draw(seed: Any, *, owner: str) -> Tensor:
    """Take a draw from a functional form's `seed`, refusing what is neither an integer nor a generator."""
    if seed is None:
        raise ValueError(
            f"`{owner}` expected `seed`, an integer or a keras.random.SeedGenerator, wherever it draws noise. "
            "Received: seed=None"
        )
    return next_draw(seed if isinstance(seed, keras.random.SeedGenerator) else checks.seed(seed))


def _replica() -> Any:
    if keras.backend.backend() != "tensorflow":
        return 0
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def words(shape: tuple, key: Tensor) -> Tensor:
    """Return int32 words, each a hash of its element's index and the key: within one key no word repeats.

    Example:

    >>> from keras_rectifiers import noise
    >>> words = noise.words((3,), noise.make_key(seed=7))
    >>> [int(word) for word in words]
    [136882514, -1937400300, 1373731964]
    """
    rows = functools.reduce(operator.mul, shape[:-1], 1)
    width = shape[-1] if shape else 1
    # Row by row: for an index that is counted through all axes XLA builds each vector from eight scalars.
    starts = ops.expand_dims(ops.arange(rows, dtype="int32") * width + key[0], 1)
    return ops.reshape(_mix(starts + ops.arange(width, dtype="int32"), injected=key[1]), shape)


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


def drawn_uniform(shape: tuple, draw: Tensor, dtype: str) -> Tensor:
    """Return the uniforms of a draw."""
    return uniform(shape, mixed(draw), dtype)


def drawn_normal(shape: tuple, draw: Tensor, dtype: str) -> Tensor:
    """Return the standard normals of a draw."""
    return normal(shape, mixed(draw), dtype)


def save_state(generator: keras.random.SeedGenerator, store: Any) -> None:
    """Write the generator's state into a weights store; Keras itself drops it."""
    store["seed_state"] = ops.convert_to_numpy(generator.state)


def load_state(generator: keras.random.SeedGenerator, store: Any) -> dict[str, Any]:
    """Read the generator's state from a weights store, and return the store's other entries.

    A store that has no state leaves the default one.
    """
    entries = {name: store[name] for name in store.keys()}  # noqa: SIM118 - Keras's store is no mapping
    if "seed_state" in entries:
        generator.state.assign(entries.pop("seed_state")[:])
    return entries
