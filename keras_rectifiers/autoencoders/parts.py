"""The layers that an autoencoder is made of, as they are given: by themselves, by name, by level, or serialized."""

from typing import Any

import keras

from keras_rectifiers import checks
from keras_rectifiers.autoencoders.corruption import MaskingNoise


def unit_of(value: Any, policy: Any) -> keras.layers.Layer:
    """Return a layer as it is or as it was serialized, or Keras's of the name of an activation."""
    layer = _deserialized(value)
    if isinstance(layer, str):
        try:
            return keras.layers.Activation(layer, dtype=policy)
        except ValueError:
            pass
    if not isinstance(layer, keras.layers.Layer):
        raise checks.refusal("unit", "a Keras layer or the name of one of Keras's activations", value)
    return _of_dtype("unit", layer, policy)


def corruption_of(value: Any, seed: int | None, policy: Any) -> keras.layers.Layer | None:
    """Return None, a layer as it is or as it was serialized, or masking noise of a level."""
    layer = _deserialized(value)
    if layer is None:
        return None
    if isinstance(layer, keras.layers.Layer):
        return _of_dtype("corruption", layer, policy)
    level = checks.number("corruption", value, least=0.0, most=1.0, wanted="None, a Keras layer, or a number")
    return MaskingNoise(level, seed=seed, dtype=policy)


def initializer_of(value: Any) -> keras.Initializer | None:
    """Return None or an initializer that a layer can have a copy of."""
    if value is None:
        return None
    found = keras.initializers.get(value)
    if not isinstance(found, keras.Initializer):
        raise checks.refusal("kernel_initializer", "None or an initializer of Keras's", value)
    return found


def _deserialized(value: Any) -> Any:
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


def _of_dtype(name: str, layer: keras.layers.Layer, policy: Any) -> keras.layers.Layer:
    if layer.compute_dtype != policy.compute_dtype:
        raise checks.refusal(name, f"a layer of the autoencoder's dtype, {policy.compute_dtype}", layer.compute_dtype)
    return layer
