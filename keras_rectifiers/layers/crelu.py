"""CReLU, the concatenated rectifier."""

from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, tensors
from keras_rectifiers.compilation import Shape, Tensor
from keras_rectifiers.kernels import Kernel


def _formula(x: Tensor, *, axis: int) -> Tensor:
    return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=axis)


def _fast_formula(x: Tensor, *, axis: int) -> Tensor:
    # x and -x along an axis of their own that then joins the one asked for: XLA writes both halves in one pass, where
    # a concatenation copies them.
    signs = ops.convert_to_tensor([1.0, -1.0], dtype=x.dtype)
    both = ops.expand_dims(x, axis) * ops.reshape(signs, (2, *(1,) * (len(x.shape) - axis)))
    # The comparison is written so that NaN fails it and stays.
    rectified = ops.where(both <= 0, 0.0, both)
    shape = ops.shape(x)
    return ops.reshape(rectified, (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :]))


def _fast_gradient(g: Tensor, x: Tensor, *, axis: int) -> tuple:
    # x > 0: the first half's gradient;  x < 0: minus the second half's;  x = 0: neither's.
    of_positive, of_negative = _halves(g, axis)
    return (ops.where(x > 0, of_positive, ops.where(x < 0, -of_negative, 0.0)),)


def _halves(g: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    width = ops.shape(g)[axis] // 2
    before = (slice(None),) * axis
    return g[(*before, slice(None, width))], g[(*before, slice(width, None))]


def _doubled(shape: Shape, *, axis: int) -> Shape:
    width = shape[axis]
    return (*shape[:axis], None if width is None else 2 * width, *shape[axis + 1 :])


_kernel = Kernel(_formula, _fast_formula, _fast_gradient, output_shape=_doubled)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def crelu(x: Tensor, axis: int = -1, training: bool | None = None) -> Tensor:
    """Concatenated rectifier: the functional form of `CReLU`, whose arguments and errors it has.

    It doubles the width, so `Activation(crelu)` would report a wrong shape: use the layer in models.

    Args:
        x: float tensor of any shape but a scalar's; here `axis` may be its first.
        training: `True` runs the compiled kernel inside a TensorFlow graph too; otherwise a graph gets plain
            operations.

    Returns:
        A tensor of the dtype of `x`, twice as wide along `axis`, first all positive parts, then all negative ones.
    """
    x = tensors.converted(x, owner="crelu")
    axis = tensors.axis_of(x, checks.integer("axis", axis), owner="`crelu`", batch=False)
    return _kernel(x, axis=axis, training=training)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class CReLU(keras.layers.Layer):
    r"""Concatenated rectifier: the positive and the negative part side by side.

    .. math::

        \rho(x) = (\max(0, x), \max(0, -x))

    The parts recombine to x and have its norm. At exactly 0 both derivatives are 0.

    Args:
        axis: the axis along which the halves are joined, not the batch axis; -1 for channels last, 1 for channels
            first.

    Input: a float tensor of any rank. Output: twice as wide along `axis`; an unknown width stays unknown. A mask
    passes through, and is doubled with the axis where it covers it.

    Raises:
        ValueError: if `axis` is out of range or the batch axis, or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import CReLU
    >>> y = CReLU()(np.array([[3.0, -2.0]], "float32"))
    >>> [float(v) for v in y[0]]
    [3.0, 0.0, 0.0, 2.0]

    Reference: Shang, Sohn, Almeida and Lee 2016, definition 2.1.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = checks.integer("axis", axis)
        self.supports_masking = True
        # Nothing is to be built, unless by a subclass.
        self.built = type(self).build is CReLU.build

    def build(self, input_shape: tuple) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="CReLU")
        axis = tensors.axis_of(inputs, self.axis, owner="CReLU")
        return _kernel(inputs, axis=axis, training=training)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if previous_mask is None:
            return None
        axis = tensors.axis(self.axis, tensors.rank(inputs, owner="CReLU"), owner="CReLU")
        if axis >= len(previous_mask.shape):
            return previous_mask
        return ops.concatenate([previous_mask, previous_mask], axis=axis)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        shape = tensors.shape(input_shape, owner="CReLU")
        return _doubled(shape, axis=tensors.axis(self.axis, len(shape), owner="CReLU"))

    compute_output_spec = tensors.compute_output_spec

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}
