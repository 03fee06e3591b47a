"""ScaledSoftplus, the smooth unit whose limit is the rectifier."""

import math
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, elementary, tensors
from keras_rectifiers.compilation import LARGE_BESIDE_ONE_OPERATION, Tensor
from keras_rectifiers.kernels import Kernel


def _formula(x: Tensor, *, sharpness: float) -> Tensor:
    # PyTorch's own operation is the identity from 20 on, which shows in float64.
    if sharpness == 1.0 and keras.backend.backend() != "torch":
        return ops.softplus(x)
    # log(1 + e^(s x)) / s = max(x, 0) + log(1 + e^(-s |x|)) / s, in which nothing overflows. With |x| as a leaky
    # rectifier of slope -1, whose derivative at 0 is the slope, the whole has its own there, 1/2.
    return ops.relu(x) + ops.softplus(-sharpness * ops.leaky_relu(x, -1.0)) / sharpness


def _fast_formula(x: Tensor, *, sharpness: float) -> Tensor:
    e = elementary.exp(-sharpness * ops.absolute(x))
    return ops.where(x <= 0, 0.0, x) + elementary.log1p_of_fraction(e) * (1.0 / sharpness)


def _fast_gradient(g: Tensor, x: Tensor, *, sharpness: float) -> tuple:
    return (g * ops.sigmoid(sharpness * x),)


_kernel = Kernel(_formula, _fast_formula, _fast_gradient, large=LARGE_BESIDE_ONE_OPERATION, at_zero=math.log(2))


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def scaled_softplus(x: Tensor, sharpness: float = 1.0, training: bool | None = None) -> Tensor:
    """Scaled softplus: the functional form of `ScaledSoftplus`, whose arguments and errors it has.

    Args:
        x: float tensor of any shape.
        training: `True` runs the compiled kernel inside a TensorFlow graph too; otherwise a graph gets plain
            operations.

    Returns:
        A tensor of the shape and dtype of `x`.
    """
    sharpness = checks.number("sharpness", sharpness, above=0.0)
    return _kernel(tensors.converted(x, owner="scaled_softplus"), sharpness=sharpness, training=training)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class ScaledSoftplus(keras.layers.Layer):
    r"""Softplus with a sharpness: softplus at 1, the rectifier in the limit.

    .. math::

        f(x) = \log(1 + e^{s x}) / s, \qquad f'(x) = \operatorname{sigmoid}(s x)

    The largest distance to the rectifier is :math:`\log(2) / s`, at 0. Nothing overflows, in float16 either.

    Args:
        sharpness: the factor s, above 0; 1 is the ordinary softplus.

    Input and output: float tensors of one shape, any rank. A mask passes through.

    Raises:
        ValueError: if `sharpness` is in float32 not above 0 or not finite, or the input is not one floating-point
            tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import ScaledSoftplus
    >>> y = ScaledSoftplus(sharpness=2.0)(np.array([[-1.0, 0.0, 1.0]], "float32"))
    >>> [round(float(v), 4) for v in y[0]]
    [0.0635, 0.3466, 1.0635]

    Reference: Glorot, Bordes and Bengio 2011, section 4.1.
    """

    def __init__(self, sharpness: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sharpness = checks.number("sharpness", sharpness, above=0.0)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="ScaledSoftplus")
        return _kernel(inputs, sharpness=self.sharpness, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tensors.shape(input_shape, owner="ScaledSoftplus")

    compute_output_spec = tensors.compute_output_spec

    def get_config(self) -> dict:
        return {**super().get_config(), "sharpness": self.sharpness}
