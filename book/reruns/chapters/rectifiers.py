"""One small network per unit, trained on a few thousand digits."""

import dataclasses
from pathlib import Path
from typing import Any

import keras

from reruns import exports, networks, training
from reruns.claims import Claim, Rule
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid, levels
from reruns.results import Results
from reruns.units import UNITS


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared.
    units: tuple[str, ...] = levels(
        *("tanh", "ReLU", "PReLU", "RReLU", "ELU", "CReLU", "Maxout", "NReLU", "ScaledSoftplus", "SignFlip")
    )
    # Nuisance: chosen for each unit by the validation accuracy.
    learning_rates: tuple[float, ...] = levels(0.03, 0.1, 0.3)
    # Fixed, the same for every unit: each is a caveat of what is concluded.
    width: int = 64
    momentum: float = 0.9
    batch: int = 100
    epochs: int = 15
    train: int = 3000  # so few that the units differ


def trials(config: Config) -> list[Trial]:
    """Return a network of every unit at every learning rate."""
    return grid(unit=config.units, learning_rate=config.learning_rates)


def trained(config: Config, seed: int, unit: str, learning_rate: float) -> tuple[keras.Model, dict[str, Any]]:
    """Train one network and return it with its curves and its accuracies, in percent."""
    splits = pipelines.mnist(config.batch, seed, config.train)
    model = network(config, unit, seed)
    curves = training.fit(
        model,
        splits,
        keras.optimizers.SGD(learning_rate, momentum=config.momentum),
        config.epochs,
        loss="sparse_categorical_crossentropy",
        validates_on="validation",
        errors_on=["test"],
    )
    return model, {
        "train_loss": curves["train_loss"],
        "validation_loss": curves["validation_loss"],
        "validation_accuracy": 100 * curves["validation_accuracies"][-1],
        "test_accuracy": 100 - curves["test_error"],
    }


def network(config: Config, unit: str, seed: int) -> keras.Sequential:
    """Return 784 - width - width - 10, with probabilities as its outputs."""
    return networks.perceptron(
        UNITS[unit], 2 * (config.width,), seed, of_classes=keras.initializers.GlorotUniform, probabilities=True
    )


def trial(config: Config, seed: int, unit: str, learning_rate: float) -> dict[str, Any]:
    """Train one network and return its curves and its accuracies, in percent."""
    return trained(config, seed, unit, learning_rate)[1]


def best(results: Results) -> tuple[str, float, int]:
    """Return unit, learning rate and seed of the network that validated best; the test set takes no part."""
    table = results.chosen(over="learning_rate", by="validation_accuracy").table
    found = max(zip(table["validation_accuracy"], table["unit"], table["learning_rate"], table["seed"], strict=True))
    return found[1], found[2], int(found[3])


def export(config: Config, results: Results) -> Path:
    """Train the best network again and write it to savedmodels/digits."""
    unit, rate, seed = best(results)
    keras.utils.set_random_seed(seed)
    model, metrics = trained(config, seed, unit, rate)
    card = {
        "model": f"784 - {config.width} - {config.width} - 10 with {unit}, of all networks best in validation",
        "command": "python -m reruns rectifiers --scale paper, from book/",
        "unit": unit,
        "learning_rate": rate,
        "seed": seed,
    }
    splits = pipelines.mnist(config.batch, seed, config.train)
    return exports.of_digits(model, "digits", splits, metrics["test_accuracy"], card, features=True)


LECTURE, MAXOUT = "Fleuret 2019, lecture", "Goodfellow and others 2013, section 3"
EXACT = 1e-6
ENCODES = Claim("R-1", "Maxout encodes ReLU and the absolute value", f"error < {EXACT:g}", MAXOUT, Rule.IDENTITY)
POWERS = (-2.3, -1.7)
CONVEX = Claim(
    "R-2",
    "Maxout's error on the square falls with the square of the pieces",
    f"exponent in [{POWERS[0]}, {POWERS[1]}]",
    MAXOUT,
    Rule.IDENTITY,
)
FORWARD, JACOBIAN, BACKWARD = (
    Claim(f"R-{number}", f"the lecture: CReLU keeps the norm {where}", criterion, LECTURE, Rule.IDENTITY)
    for number, where, criterion in (
        (3, "forward", f"ratio within {EXACT:g} of 1"),
        (4, "backward, as a Jacobian", f"singular values within {EXACT:g} of 1"),
        (5, "backward, as a gradient", f"ratio within {EXACT:g} of 1"),
    )
)

EXPERIMENT = Experiment(
    name="rectifiers",
    live=Scale(Config(learning_rates=(0.1,)), range(1)),
    paper=Scale(Config(), range(5)),
    data=pipelines.of_mnist,
    trials=trials,
    trial=trial,
    claims=(ENCODES, CONVEX, FORWARD, JACOBIAN, BACKWARD),
    export=export,
)
