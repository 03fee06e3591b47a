"""Exact zeros in rectifier networks on MNIST: when they come, what many of them cost, and what they save."""

import dataclasses
from typing import Any

import keras
import numpy as np

from reruns import networks, training
from reruns.chapters.sparsity import claimed, products
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid, levels, rows
from reruns.units import UNITS, Unit


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared.
    units: tuple[str, ...] = levels("ReLU", "tanh")
    penalties: tuple[float, ...] = levels(0.0, 1e-3)
    # Scientific: the penalty on wide networks of ReLU.
    wide: tuple[tuple[int, float], ...] = levels(
        *((1000, penalty) for penalty in (0.0, 2e-4, 3e-4, 5e-4, 7e-4, 1e-3, 3e-3, 1e-2))
    )
    # Scientific: cases, units and share of zeros of a product with the next layer's weights.
    products: tuple[tuple[int, int, float], ...] = levels(
        *((cases, 1000, share) for cases in (1, 100) for share in (0.0, 0.5, 0.7, 0.834, 0.9, 0.95, 0.99))
    )
    # Fixed, the same for all.
    depth: int = 3
    width: int = 300
    learning_rate: float = 0.1
    batch: int = 100
    epochs: int = 10
    measured_images: int = 1000
    train: int | None = None


def trials(config: Config) -> list[Trial]:
    """Return a network of each unit with each penalty, wide networks of more penalties, and products."""
    return [
        *grid(unit=config.units, penalty=config.penalties),
        *rows(("width", "penalty"), config.wide),
        *rows(("cases", "units", "share"), config.products),
    ]


def trial(config: Config, seed: int, **factors: Any) -> dict[str, Any]:
    """Train a network and count its zeros, or time a product."""
    if "share" in factors:
        return products.measured(seed, **factors)
    return network(config, seed, **{"unit": "ReLU", "width": config.width, **factors})


def network(config: Config, seed: int, unit: str, width: int, penalty: float) -> dict[str, Any]:
    """Train one network, and return its test error and the share of exact zeros in each layer before and after."""
    splits = pipelines.mnist(config.batch, seed, config.train)
    model = networks.perceptron(penalised(UNITS[unit], penalty), config.depth * (width,), seed)
    images = next(iter(splits.test.rebatch(config.measured_images)))[0]
    before = zeros(model, images)
    optimizer = keras.optimizers.SGD(config.learning_rate)
    curves = training.fit(model, splits, optimizer, config.epochs, errors_on=["test"])
    return {"zeros_before": before, "zeros_after": zeros(model, images), "test_error": curves["test_error"]}


def penalised(unit: Unit, penalty: float) -> Unit:
    """Return a unit with an L1 penalty on its outputs, summed over a layer and averaged over the batch."""
    return lambda seed: [*unit(seed), keras.layers.ActivityRegularization(l1=penalty)]


def zeros(model: keras.Sequential, images: Any) -> list[float]:
    """Return the share of the outputs that are exactly 0, in percent, layer by layer."""
    outputs = [layer.output for layer in model.layers if isinstance(layer, keras.layers.ActivityRegularization)]
    found = keras.Model(model.inputs[0], outputs)(images, training=False)
    return [100 * float(np.mean(np.asarray(values) == 0)) for values in found]


LIVE = Config(wide=(), products=(), train=3000, epochs=3)

EXPERIMENT = Experiment(
    name="sparsity",
    live=Scale(LIVE, range(1)),
    paper=Scale(Config(), range(5)),
    data=pipelines.of_mnist,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
)
