"""What a post says of rectifiers: outputs without bound and what tames their gradients, and lengths in retrieval."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reruns import networks, training
from reruns.chapters.revisited import claimed, retrieval
from reruns.data import pipelines
from reruns.data.pipelines import Splits
from reruns.experiment import Experiment, Scale, Trial, grid, levels
from reruns.units import UNITS


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: the unit, and what keeps its gradients small.
    units: tuple[str, ...] = levels("ReLU", "tanh")
    remedies: tuple[str, ...] = levels("none", "lower rate", "clipped norm")
    # Scientific: the data, and the length of the inputs.
    data_sets: tuple[str, ...] = levels("MNIST", "CIFAR-10")
    inputs: tuple[str, ...] = levels("pixels", "unit length")
    # Fixed: a deep network whose weights are somewhat too large.
    depth: int = 10
    width: int = 100
    too_large: float = 1.5  # times He's deviation
    learning_rate: float = 0.1
    momentum: float = 0.9
    lower: float = 0.001
    norm: float = 1.0
    deep_train: int | None = 10_000
    deep_epochs: int = 5
    # Fixed: the networks whose features are compared.
    widths: tuple[int, ...] = (300, 100)
    batch: int = 100
    rate: float = 0.1
    train: int | None = 20_000
    epochs: int = 15
    queries: int = 1000
    nearest: int = 10


PIPELINES = {"MNIST": pipelines.mnist, "CIFAR-10": pipelines.cifar10}


def data(config: Config) -> dict:
    """Return the record of MNIST, with that of CIFAR-10 in it."""
    return {**pipelines.of_mnist(config), "cifar10": pipelines.cifar10(config.batch, 0, config.train).record}


def trials(config: Config) -> list[Trial]:
    """Return a deep network of each unit with each remedy, and features of each unit, data set and length of inputs."""
    return [
        *grid(unit=config.units, remedy=config.remedies),
        *grid(unit=config.units, data=config.data_sets, inputs=config.inputs),
    ]


def trial(config: Config, seed: int, **factors: Any) -> dict[str, Any]:
    """Train a deep network, or one whose features are asked for the nearest."""
    return deep(config, seed, **factors) if "remedy" in factors else searched(config, seed, **factors)


def deep(config: Config, seed: int, unit: str, remedy: str) -> dict[str, Any]:
    """Return the training loss of a deep network by epoch, the gradient at its start, and its test error in percent.

    A loss that is not finite ends the training, and from there on counts as that of a network that only guesses.
    """
    splits = pipelines.mnist(config.batch, seed, config.deep_train)
    model = networks.perceptron(
        UNITS[unit], config.depth * (config.width,), seed, initializer=enlarged(config.too_large)
    )
    optimizer = keras.optimizers.SGD(
        config.lower if remedy == "lower rate" else config.learning_rate,
        momentum=config.momentum,
        global_clipnorm=config.norm if remedy == "clipped norm" else None,
    )
    first = first_gradient(model, splits)
    curves = training.fit(model, splits, optimizer, config.deep_epochs, errors_on=["test"], callbacks=[UntilLost()])
    losses = [loss if np.isfinite(loss) else GUESSING for loss in curves["train_loss"]]
    lost = not np.isfinite(curves["train_loss"]).all()
    return {
        "train_loss": losses + (config.deep_epochs - len(losses)) * [GUESSING],
        "finite": float(not lost),
        "first_gradient": first,
        "test_error": 90.0 if lost else curves["test_error"],
    }


class UntilLost(keras.callbacks.Callback):
    """End a training after the step whose loss is not finite; Keras's own says so aloud."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_training = not np.isfinite(logs["loss"])


GUESSING = float(np.log(10))  # nats, of ten classes


def enlarged(factor: float) -> Any:
    """Return He's initializer with weights so many times as large."""
    return lambda seed: keras.initializers.VarianceScaling(2 * factor**2, "fan_in", "truncated_normal", seed)


def first_gradient(model: keras.Sequential, splits: Splits) -> float:
    """Return the length of the gradient of a batch at the start, of all weights together."""
    images, labels = next(iter(splits.train))
    with tf.GradientTape() as tape:
        loss = training.LOGITS(labels, model(images, training=True))
    return float(tf.linalg.global_norm(tape.gradient(loss, model.trainable_weights)))


def searched(config: Config, seed: int, unit: str, data: str, inputs: str) -> dict[str, Any]:
    """Return how many of the nearest training images show what a test image shows, in percent, by way to compare."""
    splits = PIPELINES[data](config.batch, seed, config.train)
    if inputs == "unit length":
        train, validation, test = (retrieval.of_unit_length(part) for part in splits[:3])
        splits = Splits(train, validation, test, splits.record)
    shape = splits.train.element_spec[0].shape[1:]
    model = networks.perceptron(UNITS[unit], config.widths, seed, inputs=shape)
    optimizer = keras.optimizers.SGD(config.rate)
    found = training.fit(model, splits, optimizer, config.epochs, errors_on=["test"])
    features = keras.Model(model.inputs[0], model.layers[-2].output)
    of_base, of_queries = (retrieval.described(features, part) for part in (splits.train, splits.test))
    queries = tuple(part[: config.queries] for part in of_queries)
    kept = {name: found[name] for name in ("train_loss", "test_error")}
    return {**kept, **retrieval.precisions(of_base, queries, config.nearest)}


LIVE = Config(data_sets=("MNIST",), inputs=("pixels",), deep_train=2000, deep_epochs=2, train=2000, epochs=5)

EXPERIMENT = Experiment(
    name="revisited",
    live=Scale(LIVE, range(1)),
    paper=Scale(Config(), range(10)),
    data=data,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
)
