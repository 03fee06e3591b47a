"""What is measured of trained maxout networks: filters that are never used, zeros, and the average of subnetworks."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_rectifiers as kr


def unused(model: keras.Sequential, images: tf.data.Dataset) -> list[float]:
    """Return the share of filters that are never the largest of their unit, in percent, layer by layer.

    Where a rectifier follows, the largest must be above 0 as well: otherwise the constant 0 is.
    """
    units = [place for place, layer in enumerate(model.layers) if isinstance(layer, kr.Maxout)]
    floors = [0.0 if isinstance(model.layers[place + 1], keras.layers.ReLU) else -np.inf for place in units]
    filters = keras.Model(model.inputs[0], [model.layers[place].input for place in units])
    used: list[Any] = [False] * len(units)
    for batch, _ in images:
        for layer, values in enumerate(keras.tree.flatten(filters(batch, training=False))):
            pieces = model.layers[units[layer]].pieces
            values = np.asarray(values).reshape(len(batch), -1, pieces)
            # Of equal ones the first, which takes the gradient.
            largest = values.argmax(axis=-1)[..., None] == np.arange(pieces)
            used[layer] |= (largest & (values > floors[layer])).any(axis=0)
    return [100 * float(1 - np.mean(of_layer)) for of_layer in used]


def zeros(model: keras.Sequential, images: tf.data.Dataset) -> list[float]:
    """Return how often a unit is exactly 0, in percent of all units and images, by layer of rectifiers."""
    rectified = [layer.output for layer in model.layers if isinstance(layer, keras.layers.ReLU)]
    units = keras.Model(model.inputs[0], rectified)
    shares = [
        [np.mean(np.asarray(values) == 0) for values in keras.tree.flatten(units(batch, training=False))]
        for batch, _ in images
    ]
    return [100 * float(share) for share in np.mean(shares, axis=0)]


def averages(model: keras.Sequential, batch: tuple[Any, Any], masks: Sequence[int]) -> dict[str, Any]:
    """Compare the network at inference, whose weights are scaled by dropout's rates, with averages of subnetworks.

    An average is the geometric mean of what so many networks with drawn masks predict, made to sum to 1 again.

    Returns:
        `divergences` of Kullback and Leibler, in nats, from the network's prediction to the average, a mean over the
        images; `average_errors`, in percent, and `halved_error`, the network's own.
    """
    images, labels = batch
    whole = _log_softmax(model(images, training=False))
    drawn = tf.function(lambda: model(images, training=True))
    total = np.zeros_like(whole)
    found: dict[str, list[float]] = {"divergences": [], "average_errors": []}
    for mask in range(1, max(masks) + 1):
        total += _log_softmax(drawn())
        if mask in masks:
            mean = _log_softmax(total / mask)
            found["divergences"].append(float(np.mean(np.sum(np.exp(whole) * (whole - mean), axis=1))))
            found["average_errors"].append(_error(mean, labels))
    return {**found, "halved_error": _error(whole, labels)}


def _log_softmax(logits: Any) -> np.ndarray:
    logits = np.asarray(logits, "float64")
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def _error(scores: np.ndarray, labels: Any) -> float:
    return 100 * float(np.mean(scores.argmax(axis=1) != np.asarray(labels)))
