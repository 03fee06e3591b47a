"""What a model is tried with: inputs that are drawn so that it takes them, or the caller's."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_rectifiers.serving.models import flattened
from keras_rectifiers.serving.reasons import reason

Arrays = dict[str, np.ndarray]
ROWS = 32
# Where a size is free, the first of these that the model takes.
SIZES = (4, 8, 16, 32, 64, 128, 256)


def drawn(
    specs: Sequence[tf.TensorSpec], words: Sequence[list | None], run: Callable[[Arrays], dict[str, np.ndarray]]
) -> Arrays:
    """Return inputs to try a model with where none are given: uniform on [0, 1), 0 and 1 for integers, known words."""
    free = any(None in spec.shape[1:] for spec in specs)
    said = ""
    for size in SIZES if free else SIZES[:1]:
        example = _of_size(specs, words, size)
        try:
            outputs = run(example)
        # A model refuses inputs in many ways.
        except Exception as error:
            said = reason(error)
            continue
        if not free or all(value.size and _finite(value) for value in outputs.values()):
            return example
        said = "outputs that are empty or not finite"
    tried = f" with free sizes of {SIZES[0]} to {SIZES[-1]}" if free else ""
    raise ValueError(f"Expected a `probe` (--probe): none could be drawn{tried} that the model takes. Received: {said}")


def checked(example: Any, specs: Sequence[tf.TensorSpec]) -> Arrays:
    """Return the caller's inputs in the types of the signature, refused if they do not fit it."""
    if set(example) != {spec.name for spec in specs}:
        raise ValueError(
            f"Expected inputs to try the model with, named {', '.join(spec.name for spec in specs)}. "
            f"Received: {', '.join(example)}"
        )
    arrays = {spec.name: _unchanged(spec.name, np.asarray(example[spec.name]), spec.dtype) for spec in specs}
    for spec in specs:
        if not spec.shape.is_compatible_with(arrays[spec.name].shape) or not len(arrays[spec.name]):
            raise ValueError(
                f"Expected `{spec.name}` of shape {tuple(spec.shape)}. Received: shape {arrays[spec.name].shape}"
            )
    return arrays


def vocabularies(model: keras.Model) -> list[list | None]:
    """Return for each input what the lookup layers that take it know; for strings else what all of them know."""
    layers = [layer for layer in flattened(model) if hasattr(layer, "get_vocabulary")]
    known = [_known(layer) for layer in layers]
    strings = [word for words in known for word in words if isinstance(word, str)]
    found: list[list | None] = []
    for tensor in model.inputs:
        own = [word for layer, words in zip(layers, known, strict=True) if _takes(layer, tensor) for word in words]
        found.append(own or (strings or ["a", "b"] if tf.as_dtype(tensor.dtype) == tf.string else None))
    return found


def check_vocabularies(model: keras.Model) -> None:
    """Refuse lookup layers without words: TensorFlow would find their tables not initialized, whatever the inputs."""
    layers = [layer for layer in flattened(model) if hasattr(layer, "get_vocabulary")]
    if empty := [layer.name for layer in layers if not list(layer.get_vocabulary(include_special_tokens=False))]:
        raise ValueError(
            # The first, for within a TextVectorization is a second one.
            f"Expected lookup layers that were adapted or given a vocabulary. Received: {empty[0]}, without words"
        )


def _of_size(specs: Sequence[tf.TensorSpec], words: Sequence[list | None], size: int) -> Arrays:
    rng = np.random.default_rng(0)
    # Where one input has a fixed number of rows, those beside it have the same.
    rows = next((spec.shape[0] for spec in specs if spec.shape[0]), ROWS)
    arrays = {}
    for spec, known in zip(specs, words, strict=True):
        shape = (spec.shape[0] or rows, *(free or size for free in spec.shape[1:]))
        if known is not None:
            values: Any = np.asarray(known, object)[rng.integers(0, len(known), shape)]
        else:
            values = rng.random(shape) if spec.dtype.is_floating else rng.integers(0, 2, shape)
        arrays[spec.name] = _typed(values, spec.dtype)
    return arrays


def _unchanged(name: str, values: np.ndarray, dtype: tf.DType) -> np.ndarray:
    if wrong := _changed(values, dtype):
        raise ValueError(
            f"Expected `{name}` of values that {dtype.name} takes as they are. Received: {wrong[0]!r} of dtype "
            f"{values.dtype}"
        )
    return _typed(values, dtype)


def _changed(values: np.ndarray, dtype: tf.DType) -> list:
    """Return the values that become others in this type: floats are rounded, which is no change."""
    if dtype == tf.string:
        return [word for word in values.ravel().tolist() if not isinstance(word, str | bytes)]
    # NumPy would read numbers in texts, and drop imaginary parts.
    if values.dtype.kind in "OSUcmM":
        return values.ravel().tolist()
    if dtype.is_floating:
        return []
    with np.errstate(invalid="ignore"):
        return values[values.astype(dtype.as_numpy_dtype) != values].tolist()


def _typed(values: np.ndarray, dtype: tf.DType) -> np.ndarray:
    if dtype != tf.string:
        return values.astype(dtype.as_numpy_dtype)
    encoded = [word.encode() if isinstance(word, str) else bytes(word) for word in values.ravel().tolist()]
    # By hand, for NumPy would make fixed widths of the bytes, and drop zeros at their ends.
    array = np.empty(len(encoded), object)
    array[:] = encoded
    return array.reshape(values.shape)


def _finite(values: np.ndarray) -> bool:
    return not np.issubdtype(values.dtype, np.floating) or bool(np.isfinite(values).all())


def _known(layer: Any) -> list:
    words = list(layer.get_vocabulary(include_special_tokens=False))
    if isinstance(layer, keras.layers.TextVectorization):
        # Texts of several words, in which the order tells.
        return [" ".join((words[place:] + words)[:3]) for place in range(len(words))]
    return words if not getattr(layer, "invert", False) else []


def _takes(layer: Any, tensor: Any) -> bool:
    # Of a layer that is called twice, or not symbolically, there is no one input.
    try:
        return layer.input is tensor
    except (AttributeError, ValueError):
        return False
