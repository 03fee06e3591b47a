"""ELU, the exponential linear unit."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, elementary, tensors
from keras_rectifiers.compilation import LARGE_BESIDE_ONE_OPERATION, Tensor
from keras_rectifiers.kernels import Kernel


def _formula(x: Tensor, *, alpha: float) -> Tensor:
    # One operation that every backend and every converter knows; TensorFlow's is e^x - 1, which in
    # float32 is off by 7e-8 absolutely: next to 0 its digits are lost.
    # Above 1 its derivative, alpha (f + 1), would lose digits that count.
    if alpha <= 1.0 or keras.backend.backend() != "tensorflow":
        return ops.elu(x, alpha)
    return _scaled(x, alpha)


def _scaled(x: Tensor, alpha: float) -> Tensor:
    @ops.custom_gradient
    def scaled(x: Tensor) -> tuple[Tensor, Callable]:
        def gradient(*args: Tensor, upstream: Tensor = None) -> Tensor:
            return _gradient(upstream if upstream is not None else args[-1], x, alpha, ops.exp)

        return ops.where(x > 0, x, alpha * ops.elu(x)), gradient

    return scaled(x)


def _fast_formula(x: Tensor, *, alpha: float) -> Tensor:
    # x > 0: x
    # else:  alpha (e^x - 1)
    # The inner where keeps expm1 from overflowing on the branch not taken; expm1 is accurate near 0.
    return ops.where(x > 0, x, alpha * elementary.expm1(ops.where(x > 0, 0.0, x)))


def _fast_gradient(g: Tensor, x: Tensor, *, alpha: float) -> tuple:
    return (_gradient(g, x, alpha, elementary.exp),)


def _gradient(g: Tensor, x: Tensor, alpha: float, exp: Callable) -> Tensor:
    # As the square of e^(x / 2): alpha e^x may be an ordinary number where e^x is none.
    root = exp(0.5 * ops.where(x > 0, 0.0, x))
    return g * ops.where(x > 0, 1.0, alpha * root * root)


_kernel = Kernel(_formula, _fast_formula, _fast_gradient, large=LARGE_BESIDE_ONE_OPERATION, at_zero=0.0)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def elu(x: Tensor, alpha: float = 1.0, training: bool | None = None) -> Tensor:
    """Exponential linear unit: the functional form of `ELU`, whose arguments and errors it has.

    Args:
        x: float tensor of any shape.
        training: `True` runs the compiled kernel inside a TensorFlow graph too; otherwise a graph gets plain
            operations.

    Returns:
        A tensor of the shape and dtype of `x`.
    """
    alpha = checks.number("alpha", alpha, least=0.0)
    return _kernel(tensors.converted(x, owner="elu"), alpha=alpha, training=training)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class ELU(keras.layers.Layer):
    r"""Exponential linear unit: the identity above zero, a saturating exponential below.

    .. math::

        f(x) = x \text{ if } x > 0, \text{ else } \alpha (e^x - 1)

        f'(x) = 1 \text{ if } x > 0, \text{ else } f(x) + \alpha

    At exactly 0 the derivative is that of the negative branch, alpha.

    Below zero the values are accurate near it on JAX and PyTorch and in the compiled kernel. TensorFlow's plain
    operation (inference, exports, training of small tensors) is off by up to 7e-8 times alpha in float32, by which
    the value at -1e-6 is 1.3 % off.

    Args:
        alpha: minus the value reached at minus infinity, not negative; 1 as in the paper. With 0 the unit is ReLU.

    Input and output: float tensors of one shape, any rank. A mask passes through.

    Raises:
        ValueError: if `alpha` is negative or not finite in float32, or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import ELU
    >>> y = ELU(alpha=2.0)(np.array([[-1.0, 0.0, 2.0]], "float32"))
    >>> [round(float(v), 4) for v in y[0]]
    [-1.2642, 0.0, 2.0]

    Reference: Clevert, Unterthiner and Hochreiter 2016, equation 15.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = checks.number("alpha", alpha, least=0.0)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="ELU")
        return _kernel(inputs, alpha=self.alpha, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tensors.shape(input_shape, owner="ELU")

    compute_output_spec = tensors.compute_output_spec

    def get_config(self) -> dict:
        return {**super().get_config(), "alpha": self.alpha}
