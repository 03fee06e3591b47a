"""Which Keras models can be served, and as what: a functional model, found or wrapped around one that is called."""

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers import NReLU, RReLU
from keras_rectifiers.rbm import RBM
from keras_rectifiers.serving.reasons import reason

# They take `training` for the sake of quantization only.
ALIKE = (keras.layers.Dense, keras.layers.EinsumDense)


def accepted(model: Any, probe: Mapping | None) -> keras.Model:
    """Return a model with symbolic inputs: the given one, or one around a subclassed model that has been called."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected Keras on TensorFlow: a model that was trained on another backend is saved as a .keras file and "
            f"exported from a process with KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}"
        )
    if isinstance(model, keras.Model) and getattr(model, "inputs", None):
        return model
    if isinstance(model, RBM) and model.built:
        return model
    if not isinstance(model, keras.Model) or isinstance(model, keras.Sequential) or not model.built:
        built = "not built" if isinstance(model, keras.Model) else "no model"
        raise ValueError(
            "Expected a Keras model that is built: functional or sequential, or a subclass that has been called once. "
            f"Received: {type(model).__name__}, {built}"
        )
    return _wrapped(model, probe or {})


def warn_of_noise(model: keras.Model, sample: bool) -> None:
    """Tell of layers that were called with `training=True`, which Keras overrides at inference, and so does serving."""
    layers = [inner for layer in flattened(model) if _called_for_training(layer) for inner in _acting(layer)]
    ours = [layer for layer in layers if isinstance(layer, RReLU | NReLU)]
    foreign = [layer for layer in layers if not isinstance(layer, RReLU | NReLU)]
    if silent := (foreign if sample else [*ours, *foreign]):
        hint = "; `sample=True` (--sample) adds a signature that draws the noise of RReLU and NReLU" if ours else ""
        warnings.warn(
            "Expected no layer that was called with training=True: as in `predict`, it is served as in inference. "
            f"Received: {', '.join(sorted({layer.name for layer in silent}))}{'' if sample else hint}",
            stacklevel=3,
        )


def flattened(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return a model's or layer's layers, those within others too."""
    # Private, but `layers` lists only the outermost.
    return list(model._flatten_layers(include_self=False, recursive=True))


def _wrapped(model: keras.Model, probe: Mapping) -> keras.Model:
    def symbolic(shape: Any, name: str) -> Any:
        if isinstance(shape, Mapping):
            return {key: symbolic(value, key) for key, value in shape.items()}
        if not all(size is None or isinstance(size, int) for size in shape):
            return [symbolic(value, f"{name}_{number}") for number, value in enumerate(shape)]
        return keras.Input(shape[1:], name=name, dtype=_dtype(probe.get(name), model.input_dtype))

    inputs = {name: symbolic(shape, name) for name, shape in _shapes(model, probe).items()}
    try:
        outputs = model(**inputs) if len(inputs) > 1 else model(*inputs.values())
    # Whatever its `call` does to what is no array.
    except Exception as error:
        raise ValueError(
            "Expected a model that can be called on a `keras.Input`; of several arguments Keras keeps the shape of the "
            f"first, and a `probe` tells the others. Received: {type(model).__name__}, where {reason(error)}"
        ) from None
    return keras.Model(keras.tree.flatten(inputs), outputs)


def _shapes(model: keras.Model, probe: Mapping) -> dict[str, Any]:
    """Return the shapes that a model was called on, by argument: as Keras keeps them, or as the probe has them."""
    # What `build` was called with, by Keras itself when the model was called.
    config = model.get_build_config()
    if len(probe) > 1 and set(probe) <= set(inspect.signature(model.call).parameters):
        return {name: np.shape(values) for name, values in probe.items()}
    if not config:
        raise ValueError(f"Expected a model that has been called once. Received: {type(model).__name__}")
    shapes = config.get("shapes_dict") or {"inputs": config["input_shape"]}
    return {name.removesuffix("_shape"): shape for name, shape in shapes.items()}


def _dtype(given: Any, otherwise: str) -> str:
    # Keras keeps the shapes that a model was called on, but no types.
    if given is None:
        return otherwise
    array = np.asarray(given)
    return "string" if array.dtype.kind in "OSU" else otherwise if array.dtype.kind == "f" else array.dtype.name


def _acting(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return what does in training something else: of a model of layers these; of any other layer, itself in doubt."""
    # Of ours, the others only compile differently in training.
    if type(layer).__module__.startswith("keras_rectifiers."):
        return [layer] if isinstance(layer, RReLU | NReLU) else []
    if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
        return [acting for inner in layer.layers for acting in _acting(inner)]
    if type(layer) in ALIKE or "training" not in inspect.signature(layer.call).parameters:
        return []
    inside = [acting for inner in flattened(layer) for acting in _acting(inner)]
    ours = [inner for inner in inside if isinstance(inner, RReLU | NReLU)]
    # What its own `call` does in training nobody knows, unless units of ours explain it.
    return ours if ours and len(ours) == len(inside) else [layer, *ours]


def _called_for_training(layer: keras.layers.Layer) -> bool:
    # Private, but the public configuration tells of calls only where every layer has one.
    return any(node.arguments.kwargs.get("training") is True for node in layer._inbound_nodes)
