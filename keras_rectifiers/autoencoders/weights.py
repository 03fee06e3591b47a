"""The weights that autoencoders start from."""

import math

import keras
from keras import ops

from keras_rectifiers import keys, noise
from keras_rectifiers.compilation import Tensor


def initial_weights(shape: tuple, dtype: str, generator: keras.random.SeedGenerator, number: int) -> Tensor:
    """Return weights between plus and minus the root of 6 / (inputs + outputs), of a seed and a layer."""
    # Keras's own initializers draw other numbers on each backend.
    key = keys.make_key(ops.convert_to_tensor(generator.state)[0], number)
    return math.sqrt(6.0 / sum(shape)) * (2.0 * noise.uniform(shape, key, dtype) - 1.0)
