"""Which images are the nearest by their features: by inner product, by cosine and by distance."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

WAYS = ("inner product", "cosine", "distance")
Described = tuple[np.ndarray, np.ndarray]


def of_unit_length(data: tf.data.Dataset) -> tf.data.Dataset:
    """Return a pipeline whose inputs have the length 1 each."""

    def scaled(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # An input that is 0 throughout has no direction.
        lengths = tf.sqrt(tf.reduce_sum(x * x, axis=range(1, len(x.shape)), keepdims=True))
        return tf.math.divide_no_nan(x, lengths), y

    return data.map(scaled)


def described(features: keras.Model, data: tf.data.Dataset) -> Described:
    """Return the features of all inputs of a pipeline, and their labels."""
    pairs = [(np.asarray(features(x, training=False)), np.asarray(y)) for x, y in data]
    return tuple(np.concatenate(part) for part in zip(*pairs, strict=True))  # type: ignore[return-value]


def precisions(base: Described, queries: tuple[Any, ...], nearest: int) -> dict[str, float]:
    """Return the share of the nearest ones that have the query's label, in percent, for each way to compare."""
    (x, labels), (q, wanted) = base, queries
    found = {}
    for way in WAYS:
        rows = np.argpartition(-likeness(way, q, x), nearest, axis=1)[:, :nearest]
        found[way] = 100 * float(np.mean(labels[rows] == np.asarray(wanted)[:, None]))
    return found


def likeness(way: str, q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return how alike each query and each candidate are, the larger the more."""
    if way == "cosine":
        q, x = (of / np.maximum(np.linalg.norm(of, axis=1, keepdims=True), 1e-12) for of in (q, x))
    products = q @ x.T
    return products if way != "distance" else 2 * products - np.sum(x**2, axis=1) - np.sum(q**2, axis=1)[:, None]
