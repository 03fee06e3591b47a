"""Write the generator's raw words to standard output, for a battery of statistical tests such as dieharder.

    KERAS_BACKEND=jax python tools/raw_words.py interleaved | dieharder -g 200 -d 0

The streams: `one-key`, all words of one key in order; `interleaved`, word 0 of each of 1,000 successive keys, then
word 1 of each, and so on; `successive`, one word of each successive key.
"""

import sys
from collections.abc import Callable, Iterator

import jax
import numpy as np

from keras_rectifiers import keys, noise

SEED = 20101124
CHUNK = 1 << 20


def one_key(start: int) -> jax.Array:
    # The index and the first word of the key enter as a sum, so a shifted key continues the stream.
    key = keys.make_key(SEED).at[0].add(start * CHUNK)
    return noise.words((CHUNK,), key)


def interleaved(start: int) -> jax.Array:
    of_calls = jax.vmap(lambda call: keys.make_key(SEED, call))(np.arange(1000, dtype="int32"))
    of_calls = of_calls.at[:, 0].add(start * 1024)
    return jax.vmap(lambda key: noise.words((1024,), key), out_axes=1)(of_calls)


def successive(start: int) -> jax.Array:
    calls = jax.numpy.arange(CHUNK, dtype="int32") + start * CHUNK
    return jax.vmap(lambda call: noise.words((1,), keys.make_key(SEED, call)))(calls)


def chunks(stream: Callable[[int], jax.Array]) -> Iterator[bytes]:
    compiled = jax.jit(stream)
    for start in range(2**31 // CHUNK):
        yield np.asarray(compiled(np.int32(start))).tobytes()


if __name__ == "__main__":
    streams = {"one-key": one_key, "interleaved": interleaved, "successive": successive}
    if len(sys.argv) != 2 or sys.argv[1] not in streams:
        sys.exit(f"usage: raw_words.py {' | '.join(streams)}")
    try:
        for chunk in chunks(streams[sys.argv[1]]):
            sys.stdout.buffer.write(chunk)
    except BrokenPipeError:  # the battery has read enough
        sys.stderr.close()
