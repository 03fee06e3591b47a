"""ELU in a convnet on CIFAR-10: errors beside other rectifiers, batch normalization, and a network to be served."""

from typing import Any

import keras

from reruns import training
from reruns.chapters.elu_convnet import claimed, served
from reruns.chapters.elu_convnet.convnet import Config, convnet
from reruns.chapters.elu_convnet.medians import Medians
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid


def data(config: Config) -> dict:
    """Return the record of CIFAR-10 as the comparison has it, with what is other for the served network."""
    record = pipelines.of_cifar10(config)
    other = pipelines.cifar10(config.batch, 0, config.served_train, served.PIXELS).record
    apart = f"for the served network {other['sizes']['train']:,} images to train, {other['preprocessing']}"
    return {**record, "preprocessing": f"{record['preprocessing']}; {apart}"}


def trials(config: Config) -> list[Trial]:
    """Return a network of each unit, and the one that is served."""
    return [*grid(part=["comparison"], unit=config.units), {"part": "served"}]


def trial(config: Config, seed: int, part: str, unit: str = "") -> dict[str, Any]:
    """Train one network: of the comparison, or the served one, of which the accuracies alone are returned."""
    return compared(config, seed, unit) if part == "comparison" else served.trained(config, seed)[1]


def compared(config: Config, seed: int, unit: str) -> dict[str, Any]:
    """Train one network, and return its cross-entropy by epoch, its errors, and its medians' variances by layer."""
    splits = pipelines.cifar10(config.batch, seed, config.train, config.pixels)
    model = convnet(config, unit, seed, splits.train.element_spec[0].shape[1:])
    # Of training images, and for every seed the same ones.
    images = next(iter(pipelines.cifar10(config.measured_images, None, config.train, config.pixels).train))[0]
    medians = Medians(model, images, config.batch)
    curves = training.fit(
        model,
        splits,
        keras.optimizers.SGD(config.learning_rate, momentum=config.momentum),
        config.epochs,
        metrics=["accuracy", training.cross_entropy()],
        errors_on=["train", "test"],
        callbacks=[training.falling_rate(config.learning_rate, config.epochs_at_full_rate), medians],
    )
    kept = ("train_cross_entropy", "train_error", "test_error")
    return {**{name: curves[name] for name in kept}, "median_variances": medians.variances()}


EXPERIMENT = Experiment(
    name="elu_convnet",
    live=Scale(
        Config(units=("ELU", "ReLU"), epochs=2, epochs_at_full_rate=1, train=500, served_epochs=1, served_train=500),
        range(1),
    ),
    paper=Scale(Config(), range(5)),
    data=data,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
    export=served.export,
)
