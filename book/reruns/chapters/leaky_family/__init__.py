"""Leaky slopes, small, large, learned and random ones, beside ReLU and tanh: on MNIST and on CIFAR-10."""

import dataclasses
from typing import Any

import keras

from reruns import units
from reruns.chapters.leaky_family import networks_in_networks, perceptrons
from reruns.claims import Judgement
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid, levels
from reruns.results import Results
from reruns.units import Unit


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared, after Maas and others in perceptrons, after Xu and others in networks in networks.
    depths: tuple[int, ...] = levels(2, 3, 4)
    perceptron_units: tuple[str, ...] = levels("tanh", "ReLU", "LReLU 0.01")
    units: tuple[str, ...] = levels("ReLU", "LReLU 0.01", "LReLU 1/5.5", "PReLU", "RReLU")
    images: tuple[int, ...] = levels(networks_in_networks.MOST, networks_in_networks.FEWER)
    units_on_fewer: tuple[str, ...] = levels("ReLU", "RReLU")
    # Fixed, of the perceptrons: as published, but for the width and the epochs.
    width: int = 256
    perceptron_batch: int = 256
    perceptron_rate: float = 0.01
    perceptron_momentum: float = 0.5
    perceptron_epochs: int = 10
    perceptron_images: int | None = None
    # Fixed, of the networks in networks: layers as published, but narrower by a factor. The paper does not say how it
    # trained. In three epochs of RReLU with seed 100 Adam at its usual rate had a lower cross-entropy on validation
    # images than descent with momentum at 0.01, 0.03 or 0.1, and a lower one in batches of 32 than of 64.
    narrower: int = 4
    dropout: float = 0.5
    batch: int = 32
    learning_rate: float = 0.001
    epochs: int = 20  # on the most images; on fewer as many steps, and so more epochs
    cut: float = 0.8  # after this share of the steps the rate falls to a tenth, about where the paper's curves drop
    draws: int = 20


def data(config: Config) -> dict:
    """Return the record of CIFAR-10, with that of the perceptrons' MNIST in it."""
    cifar10 = pipelines.cifar10(config.batch, 0, max(config.images)).record
    return {**cifar10, "perceptrons": pipelines.mnist(config.perceptron_batch, 0, config.perceptron_images).record}


def trials(config: Config) -> list[Trial]:
    """Return perceptrons of each depth and unit, and networks in networks of each unit, of some on fewer images too."""
    most, *fewer = config.images
    return [
        *grid(network=["perceptron"], depth=config.depths, unit=config.perceptron_units),
        *grid(network=["NIN"], images=[most], unit=config.units),
        *grid(network=["NIN"], images=fewer, unit=config.units_on_fewer),
    ]


def trial(
    config: Config, seed: int, network: str, unit: str, depth: int = 0, images: int | None = None
) -> dict[str, Any]:
    """Train one network: a perceptron of this depth, or a network in network on so many images."""
    if network == "perceptron":
        bound = perceptrons.TANH_IS_ACTIVE if unit == "tanh" else 0.0
        return perceptrons.trained(config, seed, UNITS[unit], depth, bound)
    return networks_in_networks.trained(config, seed, UNITS[unit], images or max(config.images))


def leaky(slope: float) -> Unit:
    """Return a leaky rectifier with this slope."""
    return lambda seed: [keras.layers.LeakyReLU(negative_slope=slope)]


UNITS: dict[str, Unit] = {
    **{name: units.UNITS[name] for name in ("tanh", "ReLU", "PReLU", "RReLU")},
    "LReLU 0.01": leaky(0.01),
    "LReLU 1/5.5": leaky(1 / 5.5),
}


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    return [*perceptrons.judge(results), *networks_in_networks.judge(results)]


EXPERIMENT = Experiment(
    name="leaky_family",
    live=Scale(
        Config(
            depths=(2,),
            perceptron_images=3000,
            perceptron_epochs=3,
            units=("RReLU",),
            images=(320,),
            narrower=12,
            epochs=1,
            draws=5,
        ),
        range(1),
    ),
    paper=Scale(Config(), range(5)),
    data=data,
    trials=trials,
    trial=trial,
    claims=(*perceptrons.CLAIMS, *networks_in_networks.CLAIMS),
    judge=judge,
)
