"""The normal law of mean x and variance 1, cut off below 0: the logarithm of its mass, its mean, and samples of it.

All three are made of one smooth function, log(erfcx(z) / t) with z = -x / sqrt(2) and t = 1 / (1 + z / 2), so that
nothing cancels or underflows however far below 0 the mean lies.
"""

import math
from collections.abc import Sequence

from keras import ops
from numpy.polynomial import chebyshev

from keras_rectifiers import noise
from keras_rectifiers.compilation import Tensor

# Of log(erfcx(z) / t) as a series of Chebyshev polynomials in 2 t - 1, for 0 < t <= 1; what is left out is below 1e-14.
_SERIES = (
    *(-0.6513268598908548, 0.6419697923564902, 0.01947647320418598, -0.00956151478680871, -0.0009465953444819025),
    *(3.668394978526559e-4, 4.252332480688553e-5, -2.027857811251607e-5, -1.6242900047554954e-6, 1.303655835640239e-6),
    *(1.562644147981577e-8, -8.523809593781349e-8, 6.529054460800015e-9, 5.05934328646222e-9, -9.913639613130504e-10),
    *(-2.2736544262709938e-10, 9.646806828172895e-11, 2.3939265811145535e-12, -6.886017715155979e-12),
    *(8.943826238502073e-13, 3.1316535017823057e-13, -1.1271704940286482e-13, 1.6056328796156186e-16),
)
# Plain floats: NumPy's would widen float32 on JAX with 64 bits.
_DERIVATIVE = (2.0 * chebyshev.chebder(_SERIES)).tolist()

# From the starting point below, five steps come to the last digit of float32 and eight to that of float64.
STEPS = 8


def log_partition(x: Tensor) -> Tensor:
    """Return log of the integral of exp(x h - h^2 / 2) over h >= 0: x^2/2 + log Phi(x) + log(2 pi)/2."""
    below = _log_scaled_tail(_mirrored(x))
    # Above 0 the mass that is cut off is small: Phi(x) = 1 - Phi(-x).
    above = 0.5 * x * x + ops.log1p(-ops.exp(below - 0.5 * x * x))
    return ops.where(x > 0, above, below) + 0.5 * math.log(2 * math.pi)


def mean(x: Tensor) -> Tensor:
    """Return the mean, x + phi(x) / Phi(x): the derivative of the log-partition."""
    negative = _mirrored(x)
    t = _t(negative)
    # The derivative of the series itself, for x + phi / Phi cancels.
    below = t * (1.0 + t * _series(_DERIVATIVE, t)) / math.sqrt(8)
    density = ops.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    above = x + density / (1.0 - ops.exp(log_mass(negative)))
    return ops.where(x > 0, above, below)


def sample(x: Tensor, key: Tensor) -> Tensor:
    """Draw from the law by inverting its tail, P(h > s) = Phi(x - s) / Phi(x)."""
    # From half a step up, so that its logarithm is finite; shifted by half a step the largest would round up to 1.
    u = noise.uniform(tuple(ops.shape(x)), key, x.dtype)
    u = ops.where(u > 0, u, 2.0**-25)
    below, other = log_mass(x), log_mass(-x)
    # Phi(y) = u Phi(x) and Phi(-y) = (1 - u) + u Phi(-x): of the two tails the smaller one is inverted.
    lower = ops.log(u) + below
    upper = ops.log((1.0 - u) + u * ops.exp(other))
    y = _quantile(ops.where(lower < upper, lower, upper))
    s = ops.relu(x - ops.where(lower < upper, y, -y))
    # Below 0, so that the lower tail is the smaller one, the difference loses digits, which one step in s itself finds.
    near = -ops.relu(-x)
    scaled = _log_scaled_tail(near - s)
    too_far = scaled - _log_scaled_tail(near) + s * (near - 0.5 * s) - ops.log(u)
    refined = ops.relu(s + too_far * ops.exp(scaled) * math.sqrt(2 * math.pi))
    return ops.where(x < 0, refined, s)


def log_mass(x: Tensor) -> Tensor:
    """Return log Phi(x) of the standard normal law."""
    below = _log_scaled_tail(_mirrored(x)) - 0.5 * x * x
    return ops.where(x > 0, ops.log1p(-ops.exp(below)), below)


def _quantile(log_probability: Tensor) -> Tensor:
    """Return the y <= 0 with log Phi(y) as given, by Newton's method.

    log Phi is concave, and -sqrt(-2 log p) lies left of the root, so the steps rise to it and never beyond.
    """
    y = -ops.sqrt(-2.0 * log_probability)
    for _ in range(STEPS):
        scaled = _log_scaled_tail(y)
        # phi(y) / Phi(y), the slope of log Phi.
        slope = ops.exp(-scaled) / math.sqrt(2 * math.pi)
        y = y + (log_probability - (scaled - 0.5 * y * y)) / slope
    return -ops.relu(-y)


def _mirrored(x: Tensor) -> Tensor:
    """Return -|x|, with the derivative 1 at 0, where the branch below 0 is taken."""
    return ops.where(x > 0, -x, x)


def _log_scaled_tail(x: Tensor) -> Tensor:
    """Return log Phi(x) + x^2 / 2 for x <= 0."""
    t = _t(x)
    return ops.log(0.5 * t) + _series(_SERIES, t)


def _t(x: Tensor) -> Tensor:
    return 1.0 / (1.0 - x * math.sqrt(0.125))


def _series(coefficients: Sequence[float], t: Tensor) -> Tensor:
    """Return the sum of Chebyshev polynomials in 2 t - 1, by Clenshaw's recurrence."""
    s = 4.0 * t - 2.0
    last = before = 0.0
    for coefficient in reversed(coefficients[1:]):
        last, before = s * last - before + coefficient, last
    return 0.5 * s * last - before + coefficients[0]
