"""Data as an array of cases, or as batches of them such as a tf.data pipeline: what is first read of them, and maps."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks
from keras_rectifiers.compilation import Tensor

# Of how many cases an array's features are computed at once: a stepped sigmoid unit takes 33 numbers for each.
ROWS = 256


def is_pipeline(data: Any) -> bool:
    """Return whether data are a tf.data pipeline, on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return isinstance(data, tf.data.Dataset)


def inputs(batch: Any) -> Any:
    """Return the inputs of a batch that may have labels too."""
    return batch[0] if isinstance(batch, tuple | list) else batch


def batches(data: Any) -> Iterable[np.ndarray]:
    """Return the inputs of all batches, those of an array as one."""
    return (ops.convert_to_numpy(inputs(batch)) for batch in ([data] if hasattr(data, "shape") else data))


def known(data: Any) -> np.ndarray | None:
    """Return what can be known of data before a training: an array, the first batch of batches, None of a generator."""
    if hasattr(data, "shape"):
        return np.asarray(ops.convert_to_numpy(data))
    # A generator would lose what is read of it.
    if hasattr(data, "__next__") or not (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        return None
    by_place = hasattr(data, "__getitem__") and not isinstance(data, dict)
    batch = data[0] if by_place else next(iter(data))
    return np.asarray(ops.convert_to_numpy(inputs(batch)))


def shape(name: str, data: Any) -> tuple:
    """Return the shape of the inputs, whose batch is unknown, refusing what is neither an array nor a pipeline."""
    if is_pipeline(data):
        if int(data.cardinality()) == -1:
            raise checks.refusal(name, "a pipeline that ends", data)
        return tuple(inputs(data.element_spec).shape)
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        return (None, *data.shape[1:])
    raise checks.refusal(name, "an array, or on TensorFlow a tf.data pipeline", data)


def mapped(function: Callable[[Tensor], Tensor], data: Any) -> Any:
    """Return a function's values of each batch, as a pipeline of a pipeline and as an array of an array."""
    if data is None:
        return None
    if is_pipeline(data):
        return data.map(lambda x, *_: function(x))
    parts = (function(data[start : start + ROWS]) for start in range(0, len(data), ROWS))
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])
