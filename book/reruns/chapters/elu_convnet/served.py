"""The network of ELU on all training images that goes to savedmodels/."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from reruns import exports, training
from reruns.chapters.elu_convnet.convnet import Config, convnet
from reruns.data import pipelines
from reruns.results import Results

PIXELS = "unit"


def trained(config: Config, seed: int) -> tuple[keras.Model, dict[str, Any]]:
    """Train one network, on images of which each is mirrored every other time, and return its accuracies in percent."""
    splits = pipelines.cifar10(config.batch, seed, config.served_train, PIXELS)
    inputs = splits.train.element_spec[0].shape[1:]
    model = convnet(config, config.served_unit, seed, inputs, served=True)
    # What mirrors stands before the network, so that what is exported draws nothing.
    mirrored = keras.Sequential([keras.Input(inputs), keras.layers.RandomFlip("horizontal", seed=seed), model])
    steps = config.served_epochs * int(splits.train.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    curves = training.fit(
        mirrored,
        splits,
        keras.optimizers.SGD(rate, momentum=config.momentum),
        config.served_epochs,
        loss="sparse_categorical_crossentropy",
        errors_on=["validation", "test"],
    )
    return model, {f"{split}_accuracy": 100 - curves[f"{split}_error"] for split in ("validation", "test")}


def best(results: Results) -> int:
    """Return the seed of the network that validated best; the test set takes no part, nor does a run that diverged."""
    accuracies = results.of("validation_accuracy", part="served")
    return results.where(part="served").seeds[int(np.nanargmax(accuracies))]


def export(config: Config, results: Results) -> Path:
    """Train the network that validated best again and write it to savedmodels/cifar10."""
    seed = best(results)
    keras.utils.set_random_seed(seed)
    model, metrics = trained(config, seed)
    widths = " - ".join(str(width) for stack in config.served_filters for width in stack)
    seeds = len(results.where(part="served").seeds)
    card = {
        "model": f"convolutions of {widths} filters and 10 classes, of {seeds} seeds best in validation",
        "command": "python -m reruns elu_convnet --scale paper, from book/",
        "unit": config.served_unit,
        "seed": seed,
    }
    splits = pipelines.cifar10(config.batch, seed, config.served_train, PIXELS)
    return exports.of_cifar10(model, "cifar10", splits, metrics["test_accuracy"], card, features=True)
