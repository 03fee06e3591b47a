"""What pre-training is worth when few of the images have labels: rectifier against tanh, on NORB and MNIST."""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_rectifiers import unit_activity
from keras_rectifiers.diverging import DivergedError
from reruns import stacks, training
from reruns.chapters.few_labels import claimed
from reruns.data import pipelines
from reruns.data.pipelines import Splits
from reruns.experiment import Experiment, Scale, Trial, levels, rows


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: the data, the unit, whether it is pre-trained; and the rates of both phases.
    runs: tuple[tuple[str, str, bool, float, float], ...] = levels(
        ("NORB", "rectifier", False, 0.0, 0.1),
        ("NORB", "rectifier", True, 0.01, 0.1),
        ("NORB", "tanh", False, 0.0, 0.1),
        ("NORB", "tanh", True, 0.01, 0.1),
        ("MNIST", "rectifier", False, 0.0, 0.1),
        ("MNIST", "rectifier", True, 0.01, 0.1),
        ("MNIST", "tanh", False, 0.0, 0.1),
        ("MNIST", "tanh", True, 0.01, 0.1),
    )
    # Scientific: how many images have labels, from few to all of those that are trained on. Each trial has all levels.
    norb_labels: tuple[int, ...] = (1000, 4000, 10_000, 20_000)
    mnist_labels: tuple[int, ...] = (100, 1000, 10_000, 50_000)
    # Fixed, the same for all.
    widths: tuple[int, ...] = (500, 500, 500)
    noise: float = 0.25
    batch: int = 20
    pretraining_epochs: int = 4
    epochs: int = 10
    least_steps: int = 5000  # where the labels are few, they are seen more often


# Of training on NORB, with one seed that is not counted. MNIST has the rates of table 1's networks.
TRIED = (0.1, 0.01)
FACTORS = ("data", "unit", "pretrained", "pretraining_rate", "rate")


class Task(NamedTuple):
    """Data as pipelines of rows in a known order, how many classes they have, and the numbers of labels."""

    splits: Splits
    classes: int
    labels: tuple[int, ...]


def task(config: Config, data: str) -> Task:
    if data == "NORB":
        labels = config.norb_labels
        return Task(pipelines.norb(config.batch, None, train=max(labels), pixels="symmetric"), 6, labels)
    return Task(pipelines.mnist(config.batch, None, max(config.mnist_labels)), 10, config.mnist_labels)


def data(config: Config) -> dict:
    """Return the record of NORB, or of what stands in for it, with that of MNIST in it."""
    return {**task(config, "NORB").splits.record, "mnist": task(config, "MNIST").splits.record}


def trials(config: Config) -> list[Trial]:
    """Return each run's data, unit, pre-training and rates."""
    return rows(FACTORS, config.runs)


def trial(
    config: Config, seed: int, data: str, unit: str, pretrained: bool, pretraining_rate: float, rate: float
) -> dict[str, Any]:
    """Pre-train a stack on all images, or leave it as it was drawn; return the errors of the networks of few labels.

    Each network begins with the stack's weights and learns its labels alone. By number of labels, in percent.
    """
    of, kind = task(config, data), stacks.KINDS[unit]
    splits = stacks.flat(of.splits)
    images, unseen = stacks.inputs_of(splits.train), stacks.inputs_of(splits.validation)
    first = "linear" if data == "NORB" and unit == "rectifier" else None
    stack = stacks.untrained(kind, images.shape[1], config.widths, seed, config.noise if pretrained else 0.0, first)
    found: dict[str, list[Any]] = {name: [] for name in CURVES}
    try:
        if pretrained:
            how = {"epochs": config.pretraining_epochs, "batch": config.batch, "seed": seed, "steps_a_call": 10}
            found["reconstruction_errors"] = stacks.pretrained(stack, images, unseen, rate=pretraining_rate, **how)
    except DivergedError:
        return training.lost(CURVES, ())
    targets = np.concatenate([np.asarray(y) for _, y in splits.train])
    order = np.random.default_rng((seed, APART)).permutation(len(images))
    for number in of.labels:
        chosen = order[:number]
        labelled = splits._replace(train=repeated(images[chosen], targets[chosen], config, seed))
        network = stacks.network(stack, kind, of.classes, seed)
        optimizer = keras.optimizers.SGD(rate)
        errors = training.fit(network, labelled, optimizer, config.epochs, errors_on=SPLITS, steps_a_call=10)
        for split in SPLITS:
            found[f"{split}_errors"].append(errors[f"{split}_error"])
        found["last_losses"].append(errors["train_loss"][-1])
        activity = unit_activity(network, unseen).values()
        found["zeros"].append([100 * of_layer.zeros for of_layer in activity])
    return found


SPLITS = ("train", "validation", "test")
CURVES = (*(f"{split}_errors" for split in SPLITS), "last_losses", "zeros", "reconstruction_errors")
APART = 2011  # what the order of labels is drawn from beside the seed: that of pre-training is drawn from others


def repeated(images: np.ndarray, labels: np.ndarray, config: Config, seed: int) -> tf.data.Dataset:
    """Return batches in an order of their own in each epoch; so few that they make few steps come more than once."""
    steps_of_one = config.epochs * -(-len(labels) // config.batch)
    times = max(1, -(-config.least_steps // steps_of_one))
    inputs, targets = tf.constant(images), tf.constant(labels)
    data = tf.data.Dataset.range(len(labels)).shuffle(len(labels), seed=seed).batch(config.batch)
    data = data.map(lambda rows: (tf.gather(inputs, rows), tf.gather(targets, rows)))
    return data.repeat(times).prefetch(tf.data.AUTOTUNE)


LIVE = Config(
    runs=(
        ("MNIST", "rectifier", False, 0.0, 0.1),
        ("MNIST", "rectifier", True, 0.01, 0.1),
    ),
    norb_labels=(500,),
    mnist_labels=(100, 3000),
    widths=(200, 200),
    pretraining_epochs=3,
    epochs=4,
    least_steps=500,
)

EXPERIMENT = Experiment(
    name="few_labels",
    live=Scale(LIVE, range(1)),
    paper=Scale(Config(), range(5)),
    data=data,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
)
