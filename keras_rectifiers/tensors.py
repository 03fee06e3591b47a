"""Which tensors the units take; others are refused in Keras's grammar: what was expected, then what was received."""

import functools
import operator
from numbers import Number
from typing import Any

import keras

from keras_rectifiers.checks import shown


def shape(value: Any, *, owner: str) -> tuple[int | None, ...]:
    """Return the shape of one tensor as a tuple, refusing several shapes and none."""
    try:
        return tuple(None if size is None else operator.index(size) for size in value)
    except (TypeError, ValueError):
        raise ValueError(f"{owner} expected one tensor. Received: input_shape={shown(value)}") from None


def rank(x: Any, *, owner: str) -> int | None:
    """Return the rank of an input, None where a TensorFlow graph does not know it, refusing what is no tensor."""
    if not hasattr(x, "shape"):
        raise ValueError(f"{owner} expected one tensor. Received: {shown(x)}")
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


def axis_of(x: Any, value: int, *, owner: str, batch: bool = True) -> int:
    """Return the axis of an input counted from the front, as `axis` does; -1 where a graph knows no rank."""
    known = rank(x, owner=owner)
    # Of an unknown rank only the last axis is known.
    return -1 if known is None and value == -1 else axis(value, known, owner=owner, batch=batch)


def floating(x: Any, *, owner: str) -> None:
    """Refuse an input that does not hold floating-point numbers."""
    if not hasattr(x, "dtype"):
        raise ValueError(f"{owner} expected one tensor. Received: {shown(x)}")
    if not _is_floating(x.dtype):
        dtype = keras.backend.standardize_dtype(x.dtype)
        raise ValueError(f"{owner} expected a floating-point input; cast it first. Received: dtype={dtype}")


@functools.cache
def _is_floating(dtype: Any) -> bool:
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(dtype))


def converted(x: Any, *, owner: str) -> Any:
    """Return `x` as a floating-point tensor, refusing symbolic and integer inputs."""
    if isinstance(x, keras.KerasTensor):
        raise ValueError(
            f"`{owner}` expected a tensor of numbers; in a functional model use the layer, or "
            f"`keras.layers.Activation({owner})` where the width does not change. Received: {x}"
        )
    if isinstance(x, keras.Variable):
        x = x.value
    if not hasattr(x, "dtype") and not _is_of_numbers(x):
        raise ValueError(f"`{owner}` expected one tensor of numbers. Received: {shown(x)}")
    try:
        x = keras.ops.convert_to_tensor(x)
    except (TypeError, ValueError):
        raise ValueError(f"`{owner}` expected one tensor of numbers. Received: {shown(x)}") from None
    floating(x, owner=f"`{owner}`")
    return x


def _is_of_numbers(x: Any) -> bool:
    # A list of tensors would be stacked into another shape than was promised.
    if isinstance(x, list | tuple):
        return all(isinstance(entry, Number) for entry in keras.tree.flatten(x))
    return isinstance(x, Number) or hasattr(x, "__array__")


def compute_output_spec(layer: keras.layers.Layer, inputs: Any, *args: Any, **kwargs: Any) -> keras.KerasTensor:
    """Return what a layer makes of a symbolic input, refusing an integer one: a method that the layers have in common.

    Keras asks a layer that has a `compute_output_shape` for nothing else: `call` would refuse only when a model runs.
    """
    floating(inputs, owner=type(layer).__name__)
    # A subclass may take more than `training`.
    return keras.layers.Layer.compute_output_spec(layer, inputs, *args, **kwargs)
