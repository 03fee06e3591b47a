"""How a denoising autoencoder makes its inputs again, and what a reconstruction costs: the paper's four ways."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_rectifiers.compilation import Tensor


class Reconstruction(NamedTuple):
    """A reconstruction layer's function of its pre-activation f, the cost of one input, and which inputs it suits.

    Those that scale take any, and see a target in [0, 1].
    """

    activation: Callable[[Tensor], Tensor]
    cost: Callable[[Tensor, Tensor], Tensor]
    least: float
    most: float
    scales: bool = False


def _softplus(f: Tensor) -> Tensor:
    # Not ops.softplus, which on PyTorch is x itself from 20 on; nor ops.maximum, which narrows float64 there.
    return ops.relu(f) + ops.log1p(ops.exp(-ops.abs(f)))


def _rectified(f: Tensor) -> Tensor:
    return ops.relu(f)


def _linear(f: Tensor) -> Tensor:
    return f


def _quadratic(activation: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, f: ops.square(x - activation(f))


def _cross_entropy(x: Tensor, f: Tensor) -> Tensor:
    # -x log s(f) - (1 - x) log(1 - s(f)), s the logistic function.
    return _softplus(f) - x * f


RECONSTRUCTIONS = {
    "softplus": Reconstruction(_softplus, _quadratic(_softplus), 0.0, math.inf),
    "scaled": Reconstruction(ops.sigmoid, _cross_entropy, -math.inf, math.inf, scales=True),
    "cross_entropy": Reconstruction(ops.sigmoid, _cross_entropy, 0.0, 1.0),
    "linear": Reconstruction(_linear, _quadratic(_linear), -math.inf, math.inf),
    "rectifier": Reconstruction(_rectified, _quadratic(_rectified), 0.0, math.inf),
}


_REMEDIES = {
    "cross_entropy": '; divide pixels by 255, or take reconstruction="scaled"',
    "softplus": '; take reconstruction="linear"',
    "rectifier": '; take reconstruction="linear"',
}


def check_range(name: str, data: np.ndarray) -> None:
    """Refuse inputs that a reconstruction of this name cannot give."""
    of = RECONSTRUCTIONS[name]
    least, most = float(data.min()), float(data.max())
    if not (of.least <= least and most <= of.most and math.isfinite(most - least)):
        bounded = math.isfinite(of.least)
        wanted = f"inputs in [{of.least:g}, {of.most:g}]{_REMEDIES[name]}" if bounded else "finite inputs"
        raise ValueError(f'A "{name}" reconstruction expected {wanted}. Received: inputs from {least:g} to {most:g}')
