"""One small network per unit, trained on a few thousand digits."""

import dataclasses
from pathlib import Path

import keras
import numpy as np

from reruns import records, verdicts
from reruns.data import pipelines
from reruns.networks import UNITS, digits_network


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared.
    units: tuple[str, ...] = tuple(unit for unit in UNITS if unit != "LReLU")
    # Nuisance: chosen for each unit by the validation accuracy.
    learning_rates: tuple[float, ...] = (0.03, 0.1, 0.3)
    # Fixed, the same for every unit: each is a caveat of what is concluded.
    width: int = 64
    momentum: float = 0.9
    batch: int = 100
    epochs: int = 15
    train: int = 3000  # so few that the units differ


SCALES = {"live": Config(learning_rates=(0.1,)), "paper": Config()}
SEEDS = {"live": 1, "paper": 5}


def train(unit: str, learning_rate: float, config: Config, seed: int) -> tuple[keras.Model, dict]:
    """Train one network and return it with its curves and its accuracies, in percent."""
    # One seed gives every unit the same initial weights, where shapes allow, and the same order of the batches.
    keras.utils.set_random_seed(seed)
    data = pipelines.mnist(config.batch, seed, config.train)
    model = digits_network(unit, config.width, seed)
    optimizer = keras.optimizers.SGD(learning_rate, momentum=config.momentum)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        data.train, validation_data=data.validation, epochs=config.epochs, verbose=0, shuffle=False
    ).history
    return model, {
        "train_loss": history["loss"],
        "validation_loss": history["val_loss"],
        "validation_accuracy": 100 * history["val_accuracy"][-1],
        "test_accuracy": 100 * model.evaluate(data.test, verbose=0, return_dict=True)["accuracy"],
    }


def run(config: Config, seed: int) -> dict[str, dict[str, dict]]:
    """Train a network of every unit at every learning rate from one seed."""
    return {
        unit: {str(rate): train(unit, rate, config, seed)[1] for rate in config.learning_rates} for unit in config.units
    }


def chosen_rates(results: dict) -> dict[str, float]:
    """Return the learning rate of each unit that validated best, in the mean over the seeds."""
    runs = [run["metrics"] for run in results["runs"].values()]

    def validated(unit: str, rate: str) -> float:
        return float(np.mean([run[unit][rate]["validation_accuracy"] for run in runs]))

    return {unit: float(max(rates, key=lambda rate: validated(unit, rate))) for unit, rates in runs[0].items()}


def chosen(results: dict, metric: str) -> dict[str, np.ndarray]:
    """Return a metric of each unit at its chosen learning rate, one row a seed."""
    return {
        unit: np.array([run["metrics"][unit][str(rate)][metric] for run in results["runs"].values()])
        for unit, rate in chosen_rates(results).items()
    }


def best(results: dict) -> tuple[str, float, int]:
    """Return unit, learning rate and seed of the network that validated best; the test set takes no part."""
    candidates = [
        (run["metrics"][unit][str(rate)]["validation_accuracy"], unit, rate, int(seed))
        for seed, run in results["runs"].items()
        for unit, rate in chosen_rates(results).items()
    ]
    _, unit, rate, seed = max(candidates)
    return unit, rate, seed


def data(config: Config) -> dict:
    """Return the record of the data."""
    return pipelines.mnist(config.batch, seed=0, train=config.train).record


def lines(metrics: dict[str, dict[str, dict]]) -> list[str]:
    """Return a line to print for each network of a run."""
    return [
        f"{unit:14s}  rate {rate:5s}  test accuracy {of_rate['test_accuracy']:.1f} %"
        for unit, rates in metrics.items()
        for rate, of_rate in rates.items()
    ]


def export(config: Config, results: dict) -> Path:
    """Train the best network again and write it to savedmodels/digits."""
    unit, rate, seed = best(results)
    model, metrics = train(unit, rate, config, seed)
    images, _ = next(iter(pipelines.mnist(config.batch, seed, config.train).test))
    card = {
        "model": f"784 - {config.width} - {config.width} - 10 with {unit}, of all networks best in validation",
        "command": "python -m reruns rectifiers --scale paper, from book/",
        "data": results["data"],
        "licence_of_the_data": "MNIST, by Yann LeCun and Corinna Cortes: CC BY-SA 3.0",
        "metric": verdicts.share("test accuracy, percent", metrics["test_accuracy"], results["data"]["sizes"]["test"]),
        "unit": unit,
        "learning_rate": rate,
        "seed": seed,
    }
    scaling = keras.layers.Rescaling(1 / 255)
    return records.export(model, "digits", {"images": images.numpy()[:32]}, card, preprocess=scaling, features=True)
