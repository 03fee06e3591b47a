"""SignFlip, which negates every second unit so that a layer of rectifiers is centred."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks, tensors
from keras_rectifiers.compilation import LARGE_BESIDE_ONE_OPERATION, Tensor
from keras_rectifiers.kernels import Kernel


def _formula(x: Tensor, *, axis: int) -> Tensor:
    width = None if tensors.rank(x, owner="SignFlip") is None else x.shape[axis]
    after = 0 if axis == -1 else len(x.shape) - axis - 1
    if width is not None:
        return x * ops.convert_to_tensor(_signs(np.arange(width), after), x.dtype)
    # Only TensorFlow leaves sizes unknown.
    import tensorflow as tf

    return x * tf.cast(_signs(tf.range(tf.shape(x)[axis]), after), x.dtype)


def _signs(number: Any, after: int) -> Any:
    return (1 - 2 * (number % 2))[(slice(None), *(None,) * after)]


def _fast_gradient(g: Tensor, x: Tensor, *, axis: int) -> tuple:
    return (_formula(g, axis=axis),)


_kernel = Kernel(_formula, _formula, _fast_gradient, exact=True, large=LARGE_BESIDE_ONE_OPERATION)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def sign_flip(x: Tensor, axis: int = -1, training: bool | None = None) -> Tensor:
    """Negate every second unit: the functional form of `SignFlip`, whose arguments and errors it has.

    Args:
        x: float tensor of any shape but a scalar's; here `axis` may be its first.
        training: `True` runs the compiled kernel inside a TensorFlow graph too; otherwise a graph gets plain
            operations.

    Returns:
        A tensor of the shape and dtype of `x`.
    """
    x = tensors.converted(x, owner="sign_flip")
    axis = tensors.axis_of(x, checks.integer("axis", axis), owner="`sign_flip`", batch=False)
    return _kernel(x, axis=axis, training=training)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class SignFlip(keras.layers.Layer):
    """Negate every second unit of an axis: the units 1, 3, 5, ...

    .. math::

        f(x)_i = (-1)^i x_i

    Placed after a rectifier it cancels the mean that the rectifier leaves: half of the units turn inhibitory. Fixed;
    there is nothing to draw or to learn.

    Args:
        axis: the axis of the units, not the batch axis; -1 for channels last, 1 for channels first.

    Input and output: float tensors of one shape, any rank. A mask passes through.

    Raises:
        ValueError: if `axis` is out of range or the batch axis, or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import SignFlip
    >>> y = SignFlip()(np.array([[1.0, 2.0, 3.0]], "float32"))
    >>> [float(v) for v in y[0]]
    [1.0, -2.0, 3.0]

    Reference: Glorot, Bordes and Bengio 2011, section 4.1.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = checks.integer("axis", axis)
        self.supports_masking = True
        # Nothing is to be built, unless by a subclass.
        self.built = type(self).build is SignFlip.build

    def build(self, input_shape: tuple) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="SignFlip")
        axis = tensors.axis_of(inputs, self.axis, owner="SignFlip")
        return _kernel(inputs, axis=axis, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        shape = tensors.shape(input_shape, owner="SignFlip")
        tensors.axis(self.axis, len(shape), owner="SignFlip")
        return shape

    compute_output_spec = tensors.compute_output_spec

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}
