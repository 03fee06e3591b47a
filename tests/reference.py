"""The units in float64 NumPy, from the papers' equations: the oracle of the kernel tests.

Each function returns the value and the derivative; at the kink the derivative is that of the negative branch. A unit
that changes the width returns its vector-Jacobian product instead, as a function of the upstream gradient.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

Array = np.ndarray


def _elementwise(function: Callable[[float], float]) -> Callable[[Array], Array]:
    return np.vectorize(function, otypes=["float64"])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def elu(x: Array, alpha: float) -> tuple[Array, Array]:
    """Clevert et al. 2016, equation 15."""
    value = _elementwise(lambda t: t if t > 0 else alpha * math.expm1(t))
    derivative = _elementwise(lambda t: 1.0 if t > 0 else alpha * math.exp(t))
    return value(x), derivative(x)


def prelu(x: Array, slope: Array) -> tuple[Array, Array]:
    """He et al. 2015, equation 1."""
    slope = np.broadcast_to(slope, x.shape)
    return np.maximum(0, x) + slope * np.minimum(0, x), np.where(x > 0, 1.0, slope)


def prelu_slope_gradient(x: Array, upstream: Array, shape: tuple[int, ...]) -> Array:
    """He et al. 2015, equations 2 and 3: summed over every place that shares the slope."""
    total = np.zeros(shape)
    aligned = (1,) * (x.ndim - len(shape)) + shape
    for place in np.ndindex(*x.shape):
        own = tuple(i if n > 1 else 0 for i, n in zip(place, aligned, strict=True))[x.ndim - len(shape) :]
        total[own] += upstream[place] * min(0.0, x[place])
    return total


def leaky(x: Array, slope: Array | float) -> tuple[Array, Array]:
    """Xu et al. 2015, equation 2, with a slope in place of a divisor."""
    return np.where(x > 0, x, slope * x), np.where(x > 0, 1.0, slope * np.ones_like(x))


def scaled_softplus(x: Array, sharpness: float) -> tuple[Array, Array]:
    """Glorot et al. 2011, section 4.1."""
    value = _elementwise(lambda t: max(t, 0) + math.log1p(math.exp(-abs(sharpness * t))) / sharpness)
    return value(x), _elementwise(lambda t: sigmoid(sharpness * t))(x)


def rectifier(x: Array) -> tuple[Array, Array]:
    """Nair and Hinton 2010, section 4."""
    return np.maximum(0, x), np.where(x > 0, 1.0, 0.0)


def nrelu_sample(x: Array, noise: Array) -> tuple[Array, Array]:
    """Nair and Hinton 2010, section 2, at given standard normals: sigmoid(x) is the variance."""
    deviation = np.sqrt(_elementwise(sigmoid)(x))
    z = x + deviation * noise
    return np.maximum(0, z), np.where(z > 0, 1 + noise * deviation * (1 - deviation**2) / 2, 0.0)


def nrelu_mean(x: Array) -> tuple[Array, Array]:
    """The mean of a rectified normal of mean x and variance sigmoid(x); the derivative by central differences."""

    def mean(t: float) -> float:
        s = math.sqrt(sigmoid(t))
        if s == 0:
            return 0.0
        # erfc keeps the digits that 1 + erf loses far below zero.
        return t * 0.5 * math.erfc(-t / s / math.sqrt(2)) + s * NormalDist().pdf(t / s)

    return _elementwise(mean)(x), _elementwise(lambda t: (mean(t + 1e-5) - mean(t - 1e-5)) / 2e-5)(x)


def crelu(x: Array, axis: int) -> tuple[Array, Callable[[Array], Array]]:
    """Shang et al. 2016, definition 2.1."""

    def pullback(upstream: Array) -> Array:
        positive, negative = np.split(upstream, 2, axis)
        return np.where(x > 0, positive, 0) - np.where(x < 0, negative, 0)

    return np.concatenate([np.maximum(0, x), np.maximum(0, -x)], axis), pullback


def maxout(x: Array, pieces: int, axis: int, grouping: str) -> tuple[Array, Callable[[Array], Array]]:
    """Goodfellow et al. 2013, section 3; the first largest piece takes the gradient."""
    moved = np.moveaxis(x, axis, -1)
    units = moved.shape[-1] // pieces
    entry = (lambda i, k: i * pieces + k) if grouping == "contiguous" else (lambda i, k: k * units + i)
    value = np.empty((*moved.shape[:-1], units))
    first = np.empty(value.shape, int)
    for place in np.ndindex(*value.shape):
        group = [moved[(*place[:-1], entry(place[-1], k))] for k in range(pieces)]
        value[place] = max(group)
        first[place] = entry(place[-1], group.index(max(group)))

    def pullback(upstream: Array) -> Array:
        gradient = np.zeros_like(moved)
        from_above = np.moveaxis(upstream, axis, -1)
        for place in np.ndindex(*value.shape):
            gradient[(*place[:-1], first[place])] = from_above[place]
        return np.moveaxis(gradient, -1, axis)

    return np.moveaxis(value, -1, axis), pullback


def sign_flip(x: Array, axis: int) -> tuple[Array, Array]:
    """Glorot et al. 2011, section 4.1: half of the units times -1."""
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    signs = np.array([(-1.0) ** i for i in range(x.shape[axis])]).reshape(shape)
    return x * signs, np.broadcast_to(signs, x.shape)
