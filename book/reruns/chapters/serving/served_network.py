"""The network of MaxoutDense that is served, and its training."""

import dataclasses

import keras

import keras_rectifiers as kr
from reruns import training
from reruns.data import pipelines
from reruns.experiment import levels


@dataclasses.dataclass(frozen=True)
class Config:
    # What is measured: of each model of savedmodels/, at these rows a batch.
    models: tuple[str, ...] = levels("digits", "maxout_dense")
    batches: tuple[int, ...] = levels(1, 32, 256)
    # Fixed: nothing is compared here.
    widths: tuple[int, ...] = (128, 64)
    pieces: int = 4
    dropout: tuple[float, float] = (0.2, 0.5)
    learning_rate: float = 0.01
    momentum: float = 0.9
    batch: int = 100
    epochs: int = 8
    train: int | None = None


def trained(config: Config, seed: int) -> tuple[keras.Model, dict[str, float]]:
    """Train one network and return it with its accuracies, in percent."""
    splits = pipelines.mnist(config.batch, seed, config.train)
    model = network(config, seed)
    curves = training.fit(
        model,
        splits,
        keras.optimizers.SGD(config.learning_rate, momentum=config.momentum),
        config.epochs,
        loss="sparse_categorical_crossentropy",
        errors_on=["validation", "test"],
    )
    return model, {f"{split}_accuracy": 100 - curves[f"{split}_error"] for split in ("validation", "test")}


def network(config: Config, seed: int) -> keras.Sequential:
    """Return 784, layers of MaxoutDense, 10 classes, with dropout of the input and of each hidden layer."""
    of_input, of_hidden = config.dropout
    layers: list[keras.layers.Layer] = [keras.Input((28, 28, 1), name="images"), keras.layers.Flatten()]
    layers.append(keras.layers.Dropout(of_input, seed=1000 * seed))
    for number, width in enumerate(config.widths, 1):
        normal = keras.initializers.HeNormal(seed=1000 * seed + number)
        layers.append(kr.MaxoutDense(width, config.pieces, kernel_initializer=normal))
        layers.append(keras.layers.Dropout(of_hidden, seed=1000 * seed + number))
    last = keras.initializers.GlorotUniform(seed=1000 * seed + len(config.widths) + 1)
    layers.append(keras.layers.Dense(10, activation="softmax", kernel_initializer=last, name="probabilities"))
    return keras.Sequential(layers, name="maxout_dense")
