"""When a kernel runs compiled, and when as plain operations.

Plain operations run in inference and in exported graphs (TensorFlow Serving refuses functions that must be compiled
unless it is started with a flag, and ONNX export writes an invalid file of them without saying so), on small tensors,
whose work is less than a program's launch, on tensors of several unknown sizes, of which each would be compiled anew,
and on PyTorch. JAX compiles always: it does so with single operations too.
"""

import collections
import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks

Tensor = Any
Shape = tuple[int | None, ...]

# From how many elements on a compiled program is faster than plain operations in spite of its launch: than a few of
# them, than the single one that TensorFlow has for some units, and than the many that draw noise.
LARGE = 2**18
LARGE_BESIDE_ONE_OPERATION = 2**22
LARGE_FOR_NOISE = 2**15
# What an unknown batch counts as.
USUAL_BATCH = 64

# How many calls a shape has had when an eager one compiles: a compilation costs a hundred of them.
MANY = 8
_eager_calls: collections.Counter[Shape] = collections.Counter()

# One entry for each `plain()` that is open. Not a context variable: the replicas of a distribution strategy are traced
# in threads of their own, which would not see it.
_open_plain: list[None] = []


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Emit plain operations inside this context, whatever `training` says.

    For the export of models that call a layer with `training=True`. On JAX, which compiles single operations too, it
    changes nothing.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import ELU, plain
    >>> with plain():
    ...     y = ELU()(np.ones((2, 3), "float32"), training=True)
    >>> tuple(y.shape)
    (2, 3)
    """
    _open_plain.append(None)
    try:
        yield
    finally:
        _open_plain.pop()


def compiles(training: bool | None) -> bool:
    """Tell whether a call with this `training` may run a compiled program."""
    training = checks.training(training)
    if keras.backend.backend() == "tensorflow":
        return training is True and not _open_plain and not _every_operation_is_called_back()
    return keras.backend.backend() == "jax"


def pays(inputs: tuple, large: int) -> bool:
    """Tell whether the first of a TensorFlow kernel's inputs has so many elements, and is of one shape always.

    By what is known of its sizes; those of the others must be known, and none may have a tangent.
    """
    x, *others = inputs
    if x.shape.rank is None or not all(other.shape.is_fully_defined() for other in others):
        return False
    sizes = list(x.shape)
    # One unknown size is a batch's; two are those of sequences or images, which change from step to step.
    if sizes and sizes[0] is None:
        sizes[0] = USUAL_BATCH
    return None not in sizes and math.prod(sizes) >= large and not _have_tangent(inputs) and _comes_again(x)


def _comes_again(x: Tensor) -> bool:
    """Tell whether tensors of this shape will probably come again: in a graph always, eagerly if many have."""
    import tensorflow as tf

    if not tf.executing_eagerly():
        return True
    shape = tuple(x.shape)
    if len(_eager_calls) > 10_000:
        _eager_calls.clear()
    _eager_calls[shape] += 1
    return _eager_calls[shape] > MANY


def _every_operation_is_called_back() -> bool:
    # By tf.debugging.enable_check_numerics and its like, whose own operations XLA cannot compile. No public function
    # tells.
    from tensorflow.python.framework import op_callbacks

    return bool(op_callbacks.should_invoke_op_callbacks())


def _have_tangent(inputs: tuple) -> bool:
    # Inside a graph tf.autodiff.ForwardAccumulator passes over a gradient of one's own. No public function tells.
    import tensorflow as tf
    from tensorflow.python.eager import forwardprop_util

    # Of a variable its value has one.
    return bool(forwardprop_util.pack_tangents([tf.convert_to_tensor(x) for x in inputs]).tangents)


def wide(*dtypes: Any) -> str:
    """Return float64 if any of the dtypes is float64, else float32: what the formulas compute in."""
    # Not keras.backend.result_type: on JAX it narrows float64 even where JAX has it enabled.
    return "float64" if "float64" in map(keras.backend.standardize_dtype, dtypes) else "float32"


def reinterpreted(x: Tensor, dtype: str) -> Tensor:
    """Return the bits of x read as another type of the same width."""
    if keras.backend.backend() == "tensorflow":
        # keras.ops.view asks for the size of the last axis, which a graph may not know.
        import tensorflow as tf

        return tf.bitcast(x, dtype)
    return ops.view(x, dtype=dtype)
