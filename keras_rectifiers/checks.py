"""Floor 1: what the layers refuse, in Keras's grammar: what was expected, then what was received."""

import functools
import math
import operator
from collections.abc import Collection
from typing import Any

import keras
import numpy as np


def number(name: str, value: Any, *, above: float = -math.inf, least: float = -math.inf) -> float:
    """Return `value` as a plain float if it is finite, more than `above` and at least `least`."""
    wanted = "a finite number"
    if above > -math.inf:
        wanted += f" above {above:g}"
    if least > -math.inf:
        wanted += f" of at least {least:g}"
    try:
        plain = float(value)
    except (TypeError, ValueError, OverflowError):
        plain = math.nan
    if isinstance(value, bool | np.bool_ | str) or not (math.isfinite(plain) and plain > above and plain >= least):
        raise ValueError(f"Argument `{name}` must be {wanted}. Received: {name}={value!r}")
    return plain


def integer(name: str, value: Any, *, least: int | None = None) -> int:
    """Return `value` as a plain int if it is a whole number of at least `least`."""
    whole = _whole(value)
    if whole is None or (least is not None and whole < least):
        wanted = "an integer" if least is None else f"an integer of at least {least}"
        raise ValueError(f"Argument `{name}` must be {wanted}. Received: {name}={value!r}")
    return whole


def _whole(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def seed(value: Any) -> int | None:
    """Return `value` if it is None or a seed that every backend can hold."""
    if value is None:
        return None
    whole = _whole(value)
    # From 2**31 on, one backend or another fails on a seed or wraps it.
    if whole is None or not 0 <= whole < 2**31:
        raise ValueError(f"Argument `seed` must be None or an integer in [0, 2**31). Received: seed={value!r}")
    return whole


def training(value: Any) -> bool | None:
    """Return `value` as None or a plain bool, refusing what has none: a graph is made for one of them."""
    if value is None or isinstance(value, bool):
        return value
    try:
        # Keras hands NumPy's booleans on as tensors.
        return {0: False, 1: True}[int(value)]
    except (TypeError, ValueError, KeyError):
        raise ValueError(f"Argument `training` must be None, True or False. Received: training={value!r}") from None


def choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return `value` if it is one of `choices`."""
    if value not in tuple(choices):
        expected = ", ".join(f'"{c}"' for c in choices)
        raise ValueError(f"Argument `{name}` must be one of {expected}. Received: {name}={value!r}")
    return value


def rank(x: Any) -> int | None:
    """Return how many axes a tensor has, or None where a TensorFlow graph does not know it."""
    return x.shape.rank if hasattr(x.shape, "rank") else len(x.shape)


def axis(value: int, rank: int | None, *, owner: str, batch: bool = True) -> int:
    """Return the axis counted from the front, refusing one out of range, and the batch axis where `batch` says so."""
    if rank is None:
        raise ValueError(
            f"{owner} expected an input of known rank. Received: axis={value} for an input of unknown rank"
        )
    if not -rank <= value < rank:
        raise ValueError(
            f"{owner} expected an axis in [{-rank}, {rank}) for an input of rank {rank}. Received: axis={value}"
        )
    positive = value % rank
    if batch and positive == 0:
        raise ValueError(
            f"{owner} expected an axis other than the batch axis 0. Received: axis={value} for an input of rank {rank}"
        )
    return positive


def floating(x: Any, *, owner: str) -> None:
    """Refuse an input that does not hold floating-point numbers."""
    if not _is_floating(x.dtype):
        dtype = keras.backend.standardize_dtype(x.dtype)
        raise ValueError(f"{owner} expected a floating-point input; cast it first. Received: dtype={dtype}")


@functools.cache
def _is_floating(dtype: Any) -> bool:
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(dtype))


def tensor(x: Any, *, owner: str) -> Any:
    """Return `x` as a floating-point tensor, refusing symbolic and integer inputs."""
    if isinstance(x, keras.KerasTensor):
        raise ValueError(
            f"`{owner}` expected a tensor of numbers; in a functional model use the layer, or "
            f"`keras.layers.Activation({owner})` where the width does not change. Received: {x}"
        )
    x = keras.ops.convert_to_tensor(x.value if isinstance(x, keras.Variable) else x)
    floating(x, owner=f"`{owner}`")
    return x
