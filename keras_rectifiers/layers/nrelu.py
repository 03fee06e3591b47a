"""NReLU, the noisy rectified linear unit."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, elementary, keys, noise, tensors
from keras_rectifiers.compilation import LARGE_FOR_NOISE, Tensor
from keras_rectifiers.kernels import Kernel

INFERENCES = ("rectified", "mean", "sample")


def _deviation(x: Tensor) -> Tensor:
    # The least number keeps the root's derivative finite where the variance is 0.
    return ops.sqrt(ops.sigmoid(x) + 1e-37)


def _formula(x: Tensor, n: Tensor) -> Tensor:
    return ops.relu(x + n * _deviation(x))


def _fast_formula(x: Tensor, n: Tensor) -> Tensor:
    return _fast_rectified_formula(x + n * ops.sqrt(1.0 / (1.0 + elementary.exp(-x))))


def _fast_gradient(g: Tensor, x: Tensor, n: Tensor) -> tuple:
    # The derivative of the sample at fixed noise n:  z > 0: 1 + n d/dx sqrt(sigmoid(x));  else: 0.
    variance = ops.sigmoid(x)
    drawn = n * ops.sqrt(variance)
    return (g * ops.where(x + drawn > 0, 1.0 + 0.5 * drawn * (1.0 - variance), 0.0),)


def _gradient_from_output(g: Tensor, y: Tensor, x: Tensor, *_: dict) -> Tensor:
    # Where y > 0 the noise is y - x = n sqrt(sigmoid(x)), and its derivative half of that times sigmoid(-x): 0 from
    # 100 on, where the difference may be of infinities.
    drawn = ops.where(x < 100.0, y - x, 0.0)
    return ops.where(y > 0, g + 0.5 * g * drawn / (1.0 + elementary.exp(x)), 0.0)


def _rectified_formula(x: Tensor) -> Tensor:
    return ops.relu(x)


def _fast_rectified_formula(x: Tensor) -> Tensor:
    # Written so that NaN fails the comparison and stays.
    return ops.where(x <= 0, 0.0, x)


def _fast_rectified_gradient(g: Tensor, x: Tensor) -> tuple:
    return (g * ops.cast(x > 0, g.dtype),)


def _standardized(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a clipped x, its deviation, and the distribution function and density of a normal at x / deviation."""
    # Below -20 the mean is 0 in every float type, and above 40 it is x; without the bounds, infinity times 0 would make
    # it NaN.
    x = ops.where(x < -20.0, -20.0, ops.where(x > 40.0, 40.0, x))
    deviation = _deviation(x)
    u = x / deviation
    # From -8.3 down the distribution function is 0 next to 1 in every float type; 1 + erf would leave its rounding.
    below = ops.where(u < -8.3, 0.0, 0.5 * (1.0 + ops.erf(u * math.sqrt(0.5))))
    return x, deviation, below, ops.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)


def _mean_formula(x: Tensor) -> Tensor:
    clipped, deviation, below, density = _standardized(x)
    mean = clipped * below + deviation * density
    # Far below zero the two terms cancel and rounding could leave a negative mean.
    return ops.where(x > 40.0, x, ops.where(mean < 0, 0.0, mean))


def _fast_mean_gradient(g: Tensor, x: Tensor) -> tuple:
    # d/dx (x P + s p) = P + p s', because the terms in dP and dp cancel.
    clipped, deviation, below, density = _standardized(x)
    return (g * (below + density * 0.5 * deviation * (1.0 - ops.sigmoid(clipped))),)


class _SampleKernel(Kernel):
    """A kernel whose gradient on TensorFlow in full precision finds the noise in the output, without drawing it again.

    The output costs no memory where the next layer keeps it too.
    """

    def _on_tensorflow(self, inputs: tuple, constants: dict) -> Tensor:
        import tensorflow as tf

        x, draw = map(tf.convert_to_tensor, inputs)
        # In half precision the difference of output and input has too few digits.
        if x.dtype not in (tf.float32, tf.float64):
            return super()._on_tensorflow((x, draw), constants)

        @tf.custom_gradient
        def of_input(y: Tensor, x: Tensor) -> tuple[Tensor, Callable]:
            # The output as a function of the input once more, so that the gradient can be differentiated.
            return y, lambda g: (None, self._from_output(g, of_input(y, x), x))

        return of_input(self._output((x, draw), constants), x)

    def _from_output(self, g: Tensor, y: Tensor, x: Tensor) -> Tensor:
        import tensorflow as tf

        spec = tf.TensorSpec((None, *x.shape[1:]), x.dtype)
        program = self._tensorflow_program(_gradient_from_output, (spec, spec, spec), {})
        derivative = program(tf.convert_to_tensor(g), y, x)
        derivative.set_shape(x.shape)
        return derivative


_kernel = _SampleKernel(
    _formula,
    _fast_formula,
    _fast_gradient,
    variates=noise.normal,
    large=LARGE_FOR_NOISE,
    at_zero=math.nan,  # a sample
)
_rectified_kernel = Kernel(
    _rectified_formula, _fast_rectified_formula, _fast_rectified_gradient, exact=True, at_zero=0.0
)
_mean_kernel = Kernel(_mean_formula, _mean_formula, _fast_mean_gradient, at_zero=math.sqrt(0.25 / math.pi))


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def nrelu(
    x: Tensor,
    inference: str = "rectified",
    seed: int | keras.random.SeedGenerator | None = None,
    training: bool | None = None,
) -> Tensor:
    """Noisy rectifier: the functional form of `NReLU`, whose arguments and errors it has.

    Args:
        x: float tensor of any shape.
        seed: an integer draws the same noise at every call, a `keras.random.SeedGenerator` new noise; needed
            wherever a sample is drawn.
        training: `True` draws a sample. Otherwise, and so in `Activation(nrelu)`, the rule of `inference` holds.

    Returns:
        A tensor of the shape and dtype of `x`.

    Raises:
        ValueError: if a sample is wanted without a seed.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import activations
    >>> y = activations.nrelu(np.array([-1.0, 0.0, 1.0], "float32"), inference="mean")
    >>> [round(float(v), 4) for v in y]
    [0.0053, 0.2821, 1.051]
    """
    x = tensors.converted(x, owner="nrelu")
    inference = checks.choice("inference", inference, INFERENCES)
    seed = checks.seed_or_generator(seed)
    return _applied(x, inference, seed, training)


def _applied(x: Tensor, inference: str, seed: Any, training: bool | None) -> Tensor:
    if checks.training(training) or inference == "sample":
        return _kernel(x, keys.seeded_draw(seed, owner="nrelu"), training=training)
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
    noise: give each its own. Inside `keras.remat`, TensorFlow and PyTorch draw other noise in the backward pass.

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
        tensors.floating(inputs, owner="NReLU")
        return _applied(inputs, self.inference, self.seed_generator, keys.draws(training))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tensors.shape(input_shape, owner="NReLU")

    compute_output_spec = tensors.compute_output_spec

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        keys.save_state(self.seed_generator, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(keys.load_state(self.seed_generator, store))

    def get_config(self) -> dict:
        return {**super().get_config(), "inference": self.inference, "seed": self.seed}
