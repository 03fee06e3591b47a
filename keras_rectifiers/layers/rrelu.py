"""RReLU, the rectifier whose negative slope is drawn at random while training."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks, keys, noise, tensors
from keras_rectifiers.compilation import LARGE_FOR_NOISE, Tensor
from keras_rectifiers.kernels import Kernel

VARIABLES = ("divisor", "slope")


def _divisor(u: Tensor, lower: float, upper: float) -> Tensor:
    return 1.0 / upper + u * (1.0 / lower - 1.0 / upper)


def _slope(u: Tensor, lower: float, upper: float) -> Tensor:
    return lower + u * (upper - lower)


def _formula(x: Tensor, u: Tensor, *, lower: float, upper: float, uniform_in: str) -> Tensor:
    # As one product or quotient, whose derivative is another: nothing is drawn again.
    return _scaled(x, x, u, lower, upper, uniform_in)


def _scaled(value: Tensor, x: Tensor, u: Tensor, lower: float, upper: float, uniform_in: str) -> Tensor:
    if uniform_in == "slope":
        return value * ops.where(x > 0, 1.0, _slope(u, lower, upper))
    return value / ops.where(x > 0, 1.0, _divisor(u, lower, upper))


def _fast_formula(x: Tensor, u: Tensor, *, lower: float, upper: float, uniform_in: str) -> Tensor:
    # x > 0: x
    # else:  slope x
    # One division, of the value: a slope 1 / divisor would be common to forward and backward, and a compiler that sees
    # both would keep it in memory from one to the other.
    sloped = x * _slope(u, lower, upper) if uniform_in == "slope" else x / _divisor(u, lower, upper)
    return ops.where(x > 0, x, sloped)


def _fast_gradient(g: Tensor, x: Tensor, u: Tensor, **constants: Any) -> tuple:
    # The slopes are drawn again, not stored: a hash costs less than reading a tensor back.
    return (_scaled(g, x, u, **constants),)


def _leaky_formula(x: Tensor, *, slope: float) -> Tensor:
    # TensorFlow's operation rounds the slope to float32.
    if x.dtype == "float64":
        return _fast_leaky_formula(x, slope=slope)
    return ops.leaky_relu(x, slope)


def _fast_leaky_formula(x: Tensor, *, slope: float) -> Tensor:
    return ops.where(x > 0, x, slope * x)


def _fast_leaky_gradient(g: Tensor, x: Tensor, *, slope: float) -> tuple:
    return (g * ops.where(x > 0, 1.0, slope),)


_kernel = Kernel(_formula, _fast_formula, _fast_gradient, variates=noise.uniform, large=LARGE_FOR_NOISE, at_zero=0.0)
_leaky_kernel = Kernel(_leaky_formula, _fast_leaky_formula, _fast_leaky_gradient, at_zero=0.0)


# The largest slope whose divisor no compiled program takes for 0, and the longest interval that float32 holds.
_LARGEST_UPPER = 1.0 / float(np.finfo("float32").tiny)
_LARGEST_WIDTH = float(np.finfo("float32").max)


def _checked_slopes(lower: float, upper: float, uniform_in: str) -> tuple[float, float]:
    divisor = uniform_in == "divisor"
    lower = checks.number("lower", lower, above=0.0) if divisor else checks.number("lower", lower)
    upper = checks.number("upper", upper, most=_LARGEST_UPPER) if divisor else checks.number("upper", upper)
    if lower > upper:
        raise ValueError(
            f"Arguments `lower` and `upper` must be slopes with lower <= upper. Received: lower={lower}, upper={upper}"
        )
    if upper - lower > _LARGEST_WIDTH:
        raise ValueError(
            "Arguments `lower` and `upper` must be slopes with a finite difference in float32. "
            f"Received: lower={lower}, upper={upper}"
        )
    if divisor and lower > 1:
        raise ValueError(
            "Arguments `lower` and `upper` must be slopes; a divisor that is uniform on [3, 8] has lower=1/8 and "
            f"upper=1/3. Received: lower={lower}, upper={upper}"
        )
    return lower, upper


def _inference_slope(lower: float, upper: float, uniform_in: str) -> float:
    return (lower + upper) / 2 if uniform_in == "slope" else 2 / (1 / lower + 1 / upper)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def rrelu(
    x: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    uniform_in: str = "divisor",
    seed: int | keras.random.SeedGenerator | None = None,
    training: bool | None = None,
) -> Tensor:
    """Randomized leaky rectifier: the functional form of `RReLU`, whose arguments and errors it has.

    Args:
        x: float tensor of any shape.
        seed: an integer draws the same slopes at every call, a `keras.random.SeedGenerator` new ones; needed with
            `training=True`.
        training: `True` draws the slopes, one an element. Otherwise, and so in `Activation(rrelu)`, the slope is the
            fixed one of inference.

    Returns:
        A tensor of the shape and dtype of `x`.

    Raises:
        ValueError: if `training` is `True` without a seed.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import activations
    >>> x = np.array([-1.0, 2.0], "float32")
    >>> first, again = (activations.rrelu(x, seed=7, training=True) for _ in range(2))
    >>> bool(first[0] == again[0])
    True
    """
    x = tensors.converted(x, owner="rrelu")
    seed = checks.seed_or_generator(seed)
    uniform_in = checks.choice("uniform_in", uniform_in, VARIABLES)
    lower, upper = _checked_slopes(lower, upper, uniform_in)
    return _applied(x, lower, upper, uniform_in, seed, training)


def _applied(x: Tensor, lower: float, upper: float, uniform_in: str, seed: Any, training: bool | None) -> Tensor:
    if not checks.training(training):
        return _leaky_kernel(x, slope=_inference_slope(lower, upper, uniform_in), training=training)
    draw = keys.seeded_draw(seed, owner="rrelu")
    return _kernel(x, draw, lower=lower, upper=upper, uniform_in=uniform_in, training=training)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class RReLU(keras.layers.Layer):
    r"""Randomized leaky rectifier: the slope below zero is drawn at random for each element while training.

    .. math::

        f(x) = x \text{ if } x > 0, \text{ else } a x

        1/a \sim U(1/u, 1/l) \text{ (divisor)}, \qquad a \sim U(l, u) \text{ (slope)}

    The default is the paper's rule: the divisor 1/a is uniform on [3, 8] while training, and inference divides by
    the mean divisor 5.5. (Not the mean slope, which is ln(8/3)/5 = 0.196.) At exactly 0 the derivative is that of
    the negative branch, the slope.

    Args:
        lower, upper: l and u, the smallest and the largest slope, 1/8 and 1/3 as in the paper.
        uniform_in: `"divisor"`: 1/a is uniform on [1/upper, 1/lower] and inference divides by the interval's middle,
            the paper's rule; both bounds must be above 0. `"slope"`: a is uniform on [lower, upper] and inference
            multiplies by its middle, the rule of PyTorch and TensorFlow Addons.
        seed: None or an integer in [0, 2**31). The generator's state is saved with the model's weights; under a
            distribution strategy each replica draws its own noise.

    Input and output: float tensors of one shape, any rank. A mask passes through. Layers of one seed draw the same
    noise: give each its own. Inside `keras.remat`, TensorFlow and PyTorch draw other noise in the backward pass.

    Raises:
        ValueError: if an argument is none of the above, `lower` exceeds `upper`, both slopes of a divisor exceed 1, or
            the input is not one floating-point tensor. In float32 the slopes, their difference and the divisors must be
            finite and the divisors not 0.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import RReLU
    >>> layer = RReLU(seed=7)
    >>> x = np.array([[-5.5, 0.0, 2.0]], "float32")
    >>> [round(float(v), 6) for v in layer(x)[0]]
    [-1.0, 0.0, 2.0]
    >>> bool(-5.5 / 3 <= float(layer(x, training=True)[0, 0]) <= -5.5 / 8)
    True

    Reference: Xu, Wang, Chen and Li 2015, equations 3 to 5.
    """

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        uniform_in: str = "divisor",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.uniform_in = checks.choice("uniform_in", uniform_in, VARIABLES)
        self.lower, self.upper = _checked_slopes(lower, upper, self.uniform_in)
        self.seed = checks.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="RReLU")
        return _applied(inputs, self.lower, self.upper, self.uniform_in, self.seed_generator, keys.draws(training))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tensors.shape(input_shape, owner="RReLU")

    compute_output_spec = tensors.compute_output_spec

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        keys.save_state(self.seed_generator, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(keys.load_state(self.seed_generator, store))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "lower": self.lower,
            "upper": self.upper,
            "uniform_in": self.uniform_in,
            "seed": self.seed,
        }
