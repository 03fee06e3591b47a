"""Rectified units of restricted Boltzmann machines: two that have a log-partition, and the paper's sampler."""

import dataclasses
import math

import numpy as np
from keras import ops

from keras_rectifiers import noise
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.layers.nrelu import nrelu
from keras_rectifiers.rbm import truncated_normal
from keras_rectifiers.rbm.units import Unit, looked_up, registered, sum_of_draws

# So far from its step a binary unit is 0 or 1 but for 1e-7.
_REACH = 16


@registered
@dataclasses.dataclass(frozen=True)
class SteppedSigmoid(Unit):
    r"""Sum of infinitely many binary units of inputs x - 1/2, x - 3/2, ...: a rectified unit with whole states.

    .. math::

        A(x) = \sum_{i \ge 1} \log(1 + e^{x - i + 1/2}), \qquad
        \log g(n) = -\frac{n^2}{2} - \sum_{k \le n} \log(1 - e^{-k})

    The mean, a sum of sigmoids, is softplus(x) to 0.011. Nothing is approximated: each of the 33 units
    about x is drawn; further on they are 1 below it and 0 above, to 1e-7.

    Example:

    >>> from keras import ops
    >>> from keras_rectifiers.rbm import SteppedSigmoid
    >>> [round(float(mean), 3) for mean in SteppedSigmoid().mean(ops.convert_to_tensor([-1.0, 0.0, 4.0]))]
    [0.305, 0.683, 4.017]

    Reference: Nair and Hinton 2010, equation 7.
    """

    domain = "whole"
    square = "above"

    def mean(self, x: Tensor) -> Tensor:
        surely, inputs = self._about(x)
        return surely + ops.sum(ops.sigmoid(inputs), -1)

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        surely, inputs = self._about(x)
        return surely + sum_of_draws(ops.sigmoid(inputs), key)

    def log_partition(self, x: Tensor) -> Tensor:
        surely, inputs = self._about(x)
        return surely * (x - 0.5 * surely) + ops.sum(ops.softplus(inputs), -1)

    def log_base(self, s: Tensor) -> Tensor:
        # From 40 on the sum no longer changes.
        sums = np.cumsum([0.0, *(-math.log1p(-math.exp(-k)) for k in range(1, 41))])
        return looked_up(sums, ops.minimum(s, 40.0)) - 0.5 * s * s

    def input_of_mean(self, mean: Tensor) -> Tensor:
        return _inverse_softplus(mean)

    def _about(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return how many units are surely 1, and the inputs of those about their step, along a new last axis."""
        surely = ops.relu(ops.floor(x) - _REACH)
        steps = ops.cast(np.arange(2 * _REACH + 1) + 0.5, x.dtype)
        return surely, (x - surely)[..., None] - steps


@registered
@dataclasses.dataclass(frozen=True)
class TruncatedGaussian(Unit):
    r"""Rectified unit with a normal law of variance 1 about its input, cut off below 0.

    .. math::

        A(x) = \frac{x^2}{2} + \log \Phi(x) + \frac{\log 2\pi}{2}, \qquad A'(x) = x + \frac{\varphi(x)}{\Phi(x)}

    It has a true energy, h^2/2 for h of at least 0, and its samples are exact.

    Example:

    >>> from keras import ops
    >>> from keras_rectifiers.rbm import TruncatedGaussian
    >>> [round(float(mean), 3) for mean in TruncatedGaussian().mean(ops.convert_to_tensor([-1.0, 0.0, 4.0]))]
    [0.525, 0.798, 4.0]
    """

    square = "above"

    def mean(self, x: Tensor) -> Tensor:
        return truncated_normal.mean(x)

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        return truncated_normal.sample(x, key)

    def log_partition(self, x: Tensor) -> Tensor:
        return truncated_normal.log_partition(x)

    def log_base(self, s: Tensor) -> Tensor:
        return -0.5 * s * s

    def input_of_mean(self, mean: Tensor) -> Tensor:
        return _inverse_softplus(mean)


@registered
@dataclasses.dataclass(frozen=True)
class NReLU(Unit):
    r"""Noisy rectified unit, max(0, x + n) with n normal of variance sigmoid(x): the paper's sampler.

    It approximates `SteppedSigmoid` and has no law of the form above: its mean, x Phi(x/s) + s phi(x/s) with
    s = sqrt(sigmoid(x)), is no derivative of a log-partition that is known in closed form, and there is no free energy.
    The paper draws the hidden states that a reconstruction starts from; which statistic then stands in the products
    <v h> it does not say. `RBM` puts this mean there, or with `statistic="sample"` a draw. Either way a step follows
    no likelihood.

    Example:

    >>> from keras import ops
    >>> from keras_rectifiers.rbm import NReLU
    >>> [round(float(mean), 3) for mean in NReLU().mean(ops.convert_to_tensor([-1.0, 0.0, 4.0]))]
    [0.005, 0.282, 4.0]

    Reference: Nair and Hinton 2010, section 2.
    """

    square = "above"
    has_log_partition = False

    def mean(self, x: Tensor) -> Tensor:
        return nrelu(x, inference="mean")

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        return ops.relu(x + ops.sqrt(ops.sigmoid(x)) * noise.normal(tuple(ops.shape(x)), key, x.dtype))

    def log_partition(self, x: Tensor) -> Tensor:
        raise self._without_law()

    def log_base(self, s: Tensor) -> Tensor:
        raise self._without_law()

    def _without_law(self) -> ValueError:
        return ValueError(
            "NReLU units have no log-partition, so their machines have neither energy, free energy nor likelihood; "
            "SteppedSigmoid, which they approximate, and TruncatedGaussian have. Received: NReLU units"
        )

    def input_of_mean(self, mean: Tensor) -> Tensor:
        return _inverse_softplus(mean)


def _inverse_softplus(mean: Tensor) -> Tensor:
    return mean + ops.log(-ops.expm1(-mean))
