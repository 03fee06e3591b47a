"""Networks that begin as stacks of denoising autoencoders, pre-trained or not."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_rectifiers.autoencoders import ActivityL1, DenoisingAutoencoder, pretrain, to_classifier
from reruns.data.pipelines import Splits


class Kind(NamedTuple):
    """A hidden unit, the reconstruction that its autoencoders learn by, and the weight of the L1 penalty on it."""

    unit: Callable[[], keras.layers.Layer]
    reconstruction: str
    penalty: float = 0.0


# Glorot, Bordes and Bengio 2011, section 4.1: the cross-entropy for tanh, whose own outputs must be scaled for it.
KINDS = {
    "rectifier": Kind(keras.layers.ReLU, "softplus", 0.001),
    "rectifier, no penalty": Kind(keras.layers.ReLU, "softplus"),
    "tanh": Kind(lambda: keras.layers.Activation("tanh"), "scaled"),
    "softplus": Kind(lambda: keras.layers.Activation("softplus"), "softplus"),
}


def untrained(
    kind: Kind, inputs: int, widths: Sequence[int], seed: int, noise: Any, first: str | None = None
) -> list[DenoisingAutoencoder]:
    """Return autoencoders, one on the other, whose layer n draws its weights from seed 1000 * `seed` + n.

    So one seed gives every unit the same initial weights, whether they are pre-trained or not. The noise is the level
    of masking noise, 0 for none, or a level or a layer of Keras's for each autoencoder. The first one may have another
    reconstruction, for inputs that the others' cannot give.
    """
    made = []
    for number, width in enumerate(widths):
        autoencoder = DenoisingAutoencoder(
            units=width,
            unit=kind.unit(),
            reconstruction=first if first and number == 0 else kind.reconstruction,
            corruption=(noise[number] if isinstance(noise, list) else noise) or None,
            activity_regularizer=ActivityL1(kind.penalty) if kind.penalty else None,
            seed=1000 * seed + number,
        )
        autoencoder.build((None, inputs))
        inputs = width
        made.append(autoencoder)
    return made


def pretrained(
    stack: Sequence[DenoisingAutoencoder],
    seen: np.ndarray,
    unseen: np.ndarray,
    *,
    rate: float,
    epochs: int,
    batch: int,
    seed: int,
    steps_a_call: int = 1,
) -> list[list[float]]:
    """Train a stack greedily; return by layer and epoch its squared error on what is unseen, a mean over its inputs."""
    for autoencoder in stack:
        autoencoder.compile(keras.optimizers.SGD(rate), steps_per_execution=steps_a_call)
    pretrain(stack, seen, epochs=epochs, batch_size=batch, seed=seed, validation_data=unseen, verbose=0)
    return [autoencoder.history.history["val_reconstruction_error"] for autoencoder in stack]


def network(stack: Sequence[DenoisingAutoencoder], kind: Kind, classes: int, seed: int) -> keras.Sequential:
    """Return a network of logits that begins with a stack's encoders."""
    penalty = ActivityL1(kind.penalty) if kind.penalty else None
    return to_classifier(stack, classes, activity_regularizer=penalty, seed=1000 * seed + len(stack))


def flat(splits: Splits) -> Splits:
    """Return pipelines of rows, for what takes no images."""

    def rows(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.reshape(x, (-1, math.prod(x.shape[1:]))), y

    return Splits(splits.train.map(rows), splits.validation.map(rows), splits.test.map(rows), splits.record)


def inputs_of(data: tf.data.Dataset) -> np.ndarray:
    """Return all inputs of a pipeline."""
    return np.concatenate([np.asarray(x) for x, _ in data])
