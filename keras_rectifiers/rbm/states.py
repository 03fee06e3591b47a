"""The states of a layer: how many there are jointly, which they are, and whether an array holds some."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from keras_rectifiers import checks
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm import watching
from keras_rectifiers.rbm.units import Unit

# How many numbers a block of cases has in each layer.
_BLOCK = 2**18


def joint(unit: Unit, width: int) -> float:
    """Return how many joint states a layer has: an integer, or infinity."""
    if unit.domain != "finite":
        return math.inf
    number, size = unit.states().shape
    return number ** (width // size)


def numbered(unit: Unit, width: int, numbers: np.ndarray) -> np.ndarray:
    """Return the joint states of a layer that have these numbers."""
    states = unit.states()
    count, size = states.shape
    digits = np.stack(np.unravel_index(numbers, (count,) * (width // size)), axis=-1)
    return states[digits].reshape(len(numbers), width)


def given(name: str, v: Any, unit: Unit, width: int) -> np.ndarray:
    """Return cases as an array of shape (cases, width), refusing what are no states of the units."""
    cases = np.asarray(ops.convert_to_numpy(v))
    if cases.ndim != 2 or not len(cases) or cases.shape[1] != width:
        raise ValueError(f"Argument `{name}` must be of shape (cases, {width}). Received: shape={cases.shape}")
    watching.check_range(cases, unit)
    if not (np.isfinite(cases).all() and _are_of(cases, unit)):
        raise ValueError(
            f"Argument `{name}` must hold states of {unit} units, for nothing else has a likelihood: threshold grey "
            f"values, or draw from them. Received: {name}={checks.shown(cases)}"
        )
    return cases


def _are_of(cases: np.ndarray, unit: Unit) -> bool:
    if unit.domain != "finite":
        return unit.domain == "real" or bool((cases == np.floor(cases)).all())
    states = unit.states()
    groups = cases.reshape(-1, states.shape[1])
    known = np.zeros(len(groups), bool)
    for state in states:
        known |= (groups == state).all(axis=-1)
    return bool(known.all())


def blocks(cases: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Return the cases in blocks, of which one and what is computed for it has room in a processor's memory."""
    rows = max(1, _BLOCK // width)
    return (cases[first : first + rows] for first in range(0, len(cases), rows))


def in_float64(x: Any) -> Tensor:
    """Return a tensor of the same numbers in float64, or on JAX without it in float32."""
    return ops.convert_to_tensor(as_float64(x))


def as_float64(x: Any) -> np.ndarray:
    """Return the same numbers in float64 NumPy."""
    return np.asarray(ops.convert_to_numpy(x), "float64")
