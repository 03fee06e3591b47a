"""A network of MaxoutDense on MNIST, to be served."""

import dataclasses
from pathlib import Path

import keras
import numpy as np

from reruns import networks, records, verdicts
from reruns.data import pipelines


@dataclasses.dataclass(frozen=True)
class Config:
    # Fixed: nothing is compared here.
    widths: tuple[int, ...] = (128, 64)
    pieces: int = 4
    dropout: tuple[float, float] = (0.2, 0.5)
    learning_rate: float = 0.01
    momentum: float = 0.9
    batch: int = 100
    epochs: int = 8
    train: int | None = None


SCALES = {"live": Config(epochs=3, train=3000), "paper": Config()}
SEEDS = {"live": 1, "paper": 5}


def train(config: Config, seed: int) -> tuple[keras.Model, dict[str, float]]:
    """Train one network and return it with its accuracies, in percent."""
    keras.utils.set_random_seed(seed)
    splits = pipelines.mnist(config.batch, seed, config.train)
    model = networks.maxout_network(config.widths, config.pieces, config.dropout, seed)
    optimizer = keras.optimizers.SGD(config.learning_rate, momentum=config.momentum)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(splits.train, epochs=config.epochs, verbose=0, shuffle=False)

    def accuracy(split: str) -> float:
        return 100 * model.evaluate(getattr(splits, split), verbose=0, return_dict=True)["accuracy"]

    return model, {f"{split}_accuracy": accuracy(split) for split in ("validation", "test")}


def run(config: Config, seed: int) -> dict[str, dict]:
    """Train a network from one seed and return its accuracies."""
    return {"MaxoutDense": train(config, seed)[1]}


def data(config: Config) -> dict:
    """Return the record of the data."""
    return pipelines.mnist(config.batch, seed=0, train=config.train).record


def lines(metrics: dict[str, dict]) -> list[str]:
    """Return a line to print for the network of a run."""
    return [f"{name}  test accuracy {accuracies['test_accuracy']:.2f} %" for name, accuracies in metrics.items()]


def accuracies(results: dict, split: str) -> np.ndarray:
    """Return the accuracies in percent, one a seed."""
    return np.array([run["metrics"]["MaxoutDense"][f"{split}_accuracy"] for run in results["runs"].values()])


def export(config: Config, results: dict) -> Path:
    """Train the network that validated best again and write it to savedmodels/maxout_dense."""
    seed = int(list(results["runs"])[int(np.argmax(accuracies(results, "validation")))])
    model, metrics = train(config, seed)
    images, _ = next(iter(pipelines.mnist(config.batch, seed, config.train).test))
    hidden = " - ".join(f"{width} of {config.pieces} pieces" for width in config.widths)
    card = {
        "model": f"784 - {hidden} - 10, MaxoutDense with dropout, of {len(results['runs'])} seeds best in validation",
        "command": "python -m reruns serving --scale paper, from book/",
        "data": results["data"],
        "licence_of_the_data": "MNIST, by Yann LeCun and Corinna Cortes: CC BY-SA 3.0",
        "metric": verdicts.share("test accuracy, percent", metrics["test_accuracy"], results["data"]["sizes"]["test"]),
        "seed": seed,
    }
    return records.export(
        model, "maxout_dense", {"images": images.numpy()[:32]}, card, preprocess=keras.layers.Rescaling(1 / 255)
    )
