"""Which noise a call draws: its key, mixed from a seed, the number of the call and the number of the replica.

Mixed, so that neighbouring seeds and successive calls give unrelated streams. Kernels take the three numbers, a *draw*,
and mix them where they are compiled.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_rectifiers import noise
from keras_rectifiers.compilation import Tensor, wide

# Two lanes of a key start from different words: the fractional bits of the square roots of 2 and 3.
_LANES = (0x6A09E667, 0xBB67AE85 - 2**32)


def make_key(seed: Any, call: Any = 0, replica: Any = 0) -> Tensor:
    """Mix a seed, the number of the call and the number of the replica into a key: two int32 words."""
    return mixed([ops.cast(part, "int32") for part in (seed, call, replica)])


def mixed(draw: Any) -> Tensor:
    """Mix the three numbers of a draw into a key."""
    lanes = ops.convert_to_tensor(_LANES, dtype="int32")
    return functools.reduce(lambda key, part: noise.mix(key + part), [draw[n] for n in range(3)], lanes)


def child(key: Tensor, number: Any) -> Tensor:
    """Return the key of one of the several noises that are drawn under a key."""
    return noise.mix(key + ops.cast(number, "int32"))


# Of each thread: the seed of the `drawn_from` that is open, and an entry for each draw that was taken.
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


def _replica() -> Any:
    if keras.backend.backend() != "tensorflow":
        return 0
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def seeded_draw(seed: int | keras.random.SeedGenerator | None, *, owner: str) -> Tensor:
    """Take a draw from a functional form's `seed`, refusing None."""
    if seed is None:
        raise ValueError(
            f"`{owner}` expected `seed`, an integer or a keras.random.SeedGenerator, wherever it draws noise. "
            "Received: seed=None"
        )
    return next_draw(seed)


def variates_like(x: Tensor, draw: Tensor, variates: Callable, compiles: bool) -> Tensor:
    """Return a draw's `variates(shape, key, dtype)` of the shape of x."""
    dtype = wide(x.dtype)
    if keras.backend.backend() != "tensorflow":
        return variates(ops.shape(x), mixed(draw), dtype)
    import tensorflow as tf

    # Counted through all axes, so that an unknown rank will do.
    if not compiles:
        return tf.reshape(variates((tf.size(x),), mixed(draw), dtype), tf.shape(x))
    found = _of_any_shape(variates, dtype)(tf.shape(x), draw)
    found.set_shape(x.shape)
    return found


@functools.cache
def _of_any_shape(variates: Callable, dtype: str) -> Callable:
    """Return a function of a shape and a draw that runs one program for all sizes up to the next power of two."""
    import tensorflow as tf

    def flat(size: Tensor, draw: Tensor) -> Tensor:
        return variates((size,), mixed(draw), dtype)

    program = tf.function(flat, jit_compile=True, autograph=False)

    def shaped(shape: Tensor, draw: Tensor) -> Tensor:
        size = tf.reduce_prod(shape)
        room = tf.bitwise.left_shift(1, tf.reduce_sum(tf.cast(size > [2**n for n in range(31)], "int32")))
        return tf.reshape(program(room, draw)[:size], shape)

    # Eagerly each of its dozens of operations would take as long as the function.
    specs = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((3,), tf.int32)
    return tf.function(shaped, autograph=False).get_concrete_function(*specs)


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
