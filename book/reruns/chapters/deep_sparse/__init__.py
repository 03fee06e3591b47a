"""Rectifier, tanh and softplus networks, three layers deep, with pre-training and without: table 1."""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_rectifiers import unit_activity
from keras_rectifiers.diverging import DivergedError
from reruns import stacks, training
from reruns.chapters.deep_sparse import claimed
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, levels, rows


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: the data, the unit and the pre-training; and the best of TRIED, of pre-training and of training.
    runs: tuple[tuple[str, str, str, float, float], ...] = levels(
        ("MNIST", "rectifier", "none", 0.0, 0.1),
        ("MNIST", "tanh", "none", 0.0, 0.1),
        ("MNIST", "softplus", "none", 0.0, 0.1),
        ("MNIST", "rectifier", "denoising", 0.01, 0.1),
        ("MNIST", "tanh", "denoising", 0.01, 0.1),
        ("MNIST", "softplus", "denoising", 0.1, 0.1),
        ("MNIST", "tanh", "plain", 0.01, 0.1),
        ("CIFAR-10", "rectifier", "none", 0.0, 0.01),
        ("CIFAR-10", "tanh", "none", 0.0, 0.01),
        ("CIFAR-10", "softplus", "none", 0.0, 0.1),
        ("CIFAR-10", "rectifier", "denoising", 0.01, 0.01),
        ("CIFAR-10", "tanh", "denoising", 0.01, 0.01),
        ("CIFAR-10", "softplus", "denoising", 0.01, 0.1),
        ("MNIST", "rectifier, no penalty", "none", 0.0, 0.1),
        ("CIFAR-10", "rectifier, no penalty", "none", 0.0, 0.01),
    )
    # Fixed: MNIST as the paper has it, but for batch and epochs; CIFAR-10 smaller.
    depth: int = 3
    noise: float = 0.25
    batch: int = 20
    width: int = 1000
    train: int | None = None
    epochs: int = 12
    pretraining_epochs: int = 4
    cifar10_width: int = 300
    cifar10_train: int | None = 10_000
    cifar10_epochs: int = 20
    cifar10_pretraining_epochs: int = 8
    measured_images: int = 1000


# From which one seed that is not counted chose; the paper's grid goes down to 0.0001.
TRIED = {"pre-training": (0.1, 0.01, 0.001), "training": (0.1, 0.01)}
FACTORS = ("data", "unit", "pretraining", "pretraining_rate", "rate")
SPLITS = ("train", "validation", "test")


class Scaled(NamedTuple):
    """Data, and how large a network learns how much of them for how long."""

    pipeline: Any
    width: int
    train: int | None
    epochs: int
    pretraining_epochs: int


def scaled(config: Config, data: str) -> Scaled:
    if data == "MNIST":
        return Scaled(pipelines.mnist, config.width, config.train, config.epochs, config.pretraining_epochs)
    return Scaled(
        pipelines.cifar10,
        config.cifar10_width,
        config.cifar10_train,
        config.cifar10_epochs,
        config.cifar10_pretraining_epochs,
    )


def data(config: Config) -> dict:
    """Return the record of MNIST, with that of CIFAR-10 in it."""
    return {
        **pipelines.of_mnist(config),
        "cifar10": pipelines.cifar10(config.batch, 0, config.cifar10_train).record,
    }


def trials(config: Config) -> list[Trial]:
    """Return each run's data, unit, pre-training and rates."""
    return rows(FACTORS, config.runs)


def trial(
    config: Config, seed: int, data: str, unit: str, pretraining: str, pretraining_rate: float, rate: float
) -> dict[str, Any]:
    """Train one network; return its curves, its errors in percent, and what its units do on test images."""
    on, kind = scaled(config, data), stacks.KINDS[unit]
    splits, unshuffled = (stacks.flat(on.pipeline(config.batch, order, on.train)) for order in (seed, None))
    seen, unseen = stacks.inputs_of(unshuffled.train), stacks.inputs_of(splits.validation)
    noise = config.noise if pretraining == "denoising" else 0.0
    stack = stacks.untrained(kind, seen.shape[1], config.depth * (on.width,), seed, noise)
    try:
        errors = [] if pretraining == "none" else pretrained(config, stack, seen, unseen, on, pretraining_rate, seed)
    except DivergedError:
        return training.lost(CURVES, NUMBERS)
    model = stacks.network(stack, kind, 10, seed)
    optimizer = keras.optimizers.SGD(rate)
    found = training.fit(
        model,
        splits,
        optimizer,
        on.epochs,
        metrics=["accuracy", training.cross_entropy()],
        validates_on="validation",
        errors_on=SPLITS,
        steps_a_call=10,
    )
    images = next(iter(splits.test.rebatch(config.measured_images)))[0]
    return {
        "train_cross_entropy": found["train_cross_entropy"],
        "validation_errors": [100 * (1 - accuracy) for accuracy in found["validation_accuracies"]],
        # The last one of each layer.
        "reconstruction_errors": [of_layer[-1] for of_layer in errors],
        **{name: found[name] for name in NUMBERS},
        **measured(model, np.asarray(images)),
    }


CURVES = ("train_cross_entropy", "validation_errors", "reconstruction_errors", "zeros", "dead")
NUMBERS = tuple(f"{split}_error" for split in SPLITS)


def pretrained(
    config: Config, stack: Any, seen: np.ndarray, unseen: np.ndarray, on: Scaled, rate: float, seed: int
) -> list[list[float]]:
    """Train a stack greedily, and return its reconstruction error on validation images by layer and epoch."""
    return stacks.pretrained(
        stack, seen, unseen, rate=rate, epochs=on.pretraining_epochs, batch=config.batch, seed=seed, steps_a_call=10
    )


def measured(model: keras.Sequential, images: np.ndarray) -> dict[str, list[float]]:
    """Return by layer how often a unit is exactly 0, and the share of the units that are never above it, in percent."""
    activity = unit_activity(model, images).values()
    return {
        "zeros": [100 * of_layer.zeros for of_layer in activity],
        "dead": [100 * of_layer.dead for of_layer in activity],
    }


LIVE = Config(
    runs=(
        ("MNIST", "rectifier", "none", 0.0, 0.1),
        ("MNIST", "tanh", "none", 0.0, 0.1),
        ("MNIST", "rectifier", "denoising", 0.01, 0.1),
        ("MNIST", "tanh", "denoising", 0.01, 0.1),
    ),
    width=300,
    train=3000,
    epochs=4,
    pretraining_epochs=2,
)

EXPERIMENT = Experiment(
    name="deep_sparse",
    live=Scale(LIVE, range(1)),
    paper=Scale(Config(), range(5)),
    data=data,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
)
