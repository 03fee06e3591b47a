"""NReLU, the noisy rectified linear unit."""

import math
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, elementary, noise
from keras_rectifiers.compilation import Kernel, Tensor, compiles

INFERENCES = ("rectified", "mean", "sample")


def _deviation(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the standard deviation sqrt(sigmoid(x)) and its derivative."""
    variance = ops.sigmoid(x)
    deviation = ops.sqrt(variance)
    return deviation, 0.5 * deviation * (1.0 - variance)


def _formula(x: Tensor, key: Tensor) -> Tensor:
    return _rectified_formula(x + _deviation(x)[0] * noise.normal(ops.shape(x), key, x.dtype))


def _gradient(g: Tensor, x: Tensor, key: Tensor) -> tuple:
    # The derivative of the sample at fixed noise n:  z > 0: 1 + n d/dx sqrt(sigmoid(x));  else: 0.
    deviation, slope = _deviation(x)
    n = noise.normal(ops.shape(x), key, x.dtype)
    return ops.where(x + deviation * n > 0, g * (1.0 + n * slope), 0.0), None


def _xla_formula(x: Tensor, key: Tensor) -> Tensor:
    deviation = ops.sqrt(1.0 / (1.0 + elementary.exp(-x)))
    return _rectified_formula(x + deviation * noise.normal(ops.shape(x), key, x.dtype))


def _gradient_from_output(g: Tensor, y: Tensor, x: Tensor, key: Tensor) -> tuple:
    # Where y > 0 the noise is y - x = n sqrt(sigmoid(x)), and its derivative half of that times sigmoid(-x): 0 from
    # 100 on, where the difference may be of infinities.
    drawn = ops.where(x < 100.0, y - x, 0.0)
    return ops.where(y > 0, g + 0.5 * g * drawn / (1.0 + elementary.exp(x)), 0.0), None


def _rectified_formula(x: Tensor) -> Tensor:
    # Written so that NaN fails the comparison and stays.
    return ops.where(x <= 0, 0.0, x)


def _rectified_gradient(g: Tensor, x: Tensor) -> tuple:
    return (ops.where(x > 0, g, 0.0),)


def _standardized(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a clipped x, its deviation, and the distribution function and density of a normal at x / deviation."""
    # Below -20 the mean is 0 in every float type; without the bound, infinity times 0 would make it NaN.
    x = ops.where(x < -20.0, -20.0, x)
    deviation = _deviation(x)[0]
    u = x / deviation
    u = ops.where(u > 40.0, 40.0, u)
    # From -8.3 down the distribution function is 0 next to 1 in every float type; 1 + erf would leave its rounding.
    below = ops.where(u < -8.3, 0.0, 0.5 * (1.0 + ops.erf(u * math.sqrt(0.5))))
    return x, deviation, below, ops.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)


def _mean_formula(x: Tensor) -> Tensor:
    x, deviation, below, density = _standardized(x)
    mean = x * below + deviation * density
    # Far below zero the two terms cancel and rounding could leave a negative mean.
    return ops.where(mean < 0, 0.0, mean)


def _mean_gradient(g: Tensor, x: Tensor) -> tuple:
    # d/dx (x P + s p) = P + p s', because the terms in dP and dp cancel.
    slope = _deviation(x)[1]
    _, _, below, density = _standardized(x)
    return (g * (below + density * slope),)


_kernel = Kernel(_formula, _gradient, xla_formula=_xla_formula)
_kernel_keeping_output = Kernel(_formula, _gradient_from_output, xla_formula=_xla_formula, keeps_output=True)
_rectified_kernel = Kernel(_rectified_formula, _rectified_gradient, exact=True)
_mean_kernel = Kernel(_mean_formula, _mean_gradient)


def _sampling_kernel(x: Tensor, training: bool | None) -> Kernel:
    """Choose whether the gradient finds the noise from the output or draws it again."""
    # Drawing takes several times as long as reading the output, which most layers that can follow keep too. But half
    # precision would round the noise, and on PyTorch a kept output is a circle of references.
    full = keras.backend.standardize_dtype(x.dtype) in ("float32", "float64")
    return _kernel_keeping_output if full and compiles(training) else _kernel


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def nrelu(
    x: Tensor,
    inference: str = "rectified",
    seed: int | keras.random.SeedGenerator | None = None,
    training: bool | None = None,
) -> Tensor:
    r"""Noisy rectifier, the functional form of `NReLU`.

    .. math::

        f(x) = \max(0, x + n), \quad n \sim N(0, \operatorname{sigmoid}(x)) \text{ (the variance)}

    Args:
        x: float tensor of any shape.
        inference: `"rectified"`, `"mean"` or `"sample"`: what is computed unless `training` is `True`.
        seed: an integer draws the same noise at every call, a `keras.random.SeedGenerator` new noise; needed
            wherever a sample is drawn.
        training: `True` draws a sample. Otherwise, and so in `Activation(nrelu)`, the rule of `inference` holds.

    Returns:
        A tensor of the shape and dtype of `x`.

    Raises:
        ValueError: if an argument is none of the above, a sample is wanted without a seed, or `x` is not one
            floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import activations
    >>> y = activations.nrelu(np.array([-1.0, 0.0, 1.0], "float32"), inference="mean")
    >>> [round(float(v), 4) for v in y]
    [0.0053, 0.2821, 1.051]

    Reference: Nair and Hinton 2010, section 2.
    """
    x = checks.tensor(x, owner="nrelu")
    inference = checks.choice("inference", inference, INFERENCES)
    seed = checks.seed_or_generator(seed)
    if checks.training(training) or inference == "sample":
        return _sampling_kernel(x, training)(x, noise.seeded_key(seed, owner="nrelu"), training=training)
    return (_rectified_kernel if inference == "rectified" else _mean_kernel)(x, training=training)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class NReLU(keras.layers.Layer):
    r"""Noisy rectified linear unit: Gaussian noise enters before the rectifier while training.

    .. math::

        f(x) = \max(0, x + n), \qquad n \sim N(0, \operatorname{sigmoid}(x))

    The second argument of N is the variance. It approximates a sum of infinitely many binary units of one weight
    vector and ever lower biases. With s = sqrt(sigmoid(x)) the mean is :math:`x \Phi(x/s) + s \varphi(x/s)`.

    The gradient is that of the sample at fixed noise, through the noise's deviation too: the exact derivative of the
    number that was returned, and so an unbiased estimate of the derivative of the expected loss. (The paper takes no
    gradient through the noise: it fine-tunes with max(0, x).) Where the sample is 0 the derivative is 0.

    Args:
        inference: `"rectified"` returns max(0, x), the paper's rule; `"mean"` the mean above, to 3e-7 in float32;
            `"sample"` draws noise at inference too.
        seed: None or an integer in [0, 2**31). The generator's state is saved with the model's weights; under a
            distribution strategy each replica draws its own noise.

    Input and output: float tensors of one shape, any rank. A mask passes through. Layers of one seed draw the same
    noise: give each its own.

    Raises:
        ValueError: if an argument is none of the above or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import NReLU
    >>> layer = NReLU(seed=7)
    >>> x = np.array([[-1.0, 0.0, 1.0]], "float32")
    >>> [float(v) for v in layer(x)[0]]
    [0.0, 0.0, 1.0]
    >>> bool(layer(x, training=True)[0, 2] == 1.0)
    False

    Reference: Nair and Hinton 2010, section 2.
    """

    def __init__(self, inference: str = "rectified", seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inference = checks.choice("inference", inference, INFERENCES)
        self.seed = checks.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        training = noise.draws(training)
        return nrelu(inputs, self.inference, seed=self.seed_generator, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> keras.KerasTensor:
        checks.floating(inputs, owner=type(self).__name__)
        return super().compute_output_spec(inputs, training=training)

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        noise.save_state(self.seed_generator, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(noise.load_state(self.seed_generator, store))

    def get_config(self) -> dict:
        return {**super().get_config(), "inference": self.inference, "seed": self.seed}
