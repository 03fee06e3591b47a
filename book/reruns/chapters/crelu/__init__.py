"""CReLU on CIFAR-10: do the filters of a rectifier pair up, and is it better to keep both phases of each?"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from reruns import training
from reruns.chapters.crelu import claimed, filters
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid, levels
from reruns.units import UNITS, Unit


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared.
    units: tuple[str, ...] = levels("ReLU", "ReLU, double", "AVR", "CReLU", "CReLU, half", "tanh")
    # Fixed, the same for all. The layers follow the paper's; the rest it gives in a supplement that we have not seen.
    sizes: tuple[int, ...] = (5, 3, 3, 3, 3, 1)
    widths: tuple[int, ...] = (32, 32, 48, 48, 48, 48)
    pooled: tuple[int, ...] = (2, 4)  # after which convolutions
    dropout: float = 0.3
    ends: float = 0.01  # standard deviation of the first and the last layer's initial weights
    learning_rate: float = 0.001
    batch: int = 64
    epochs: int = 20
    pixels: str = "standardized"
    train: int = 5000


class Variant(NamedTuple):
    """A unit, how many times as many filters its network has, and what draws their weights."""

    unit: Unit
    times: float = 1.0
    initializer: Callable[..., keras.Initializer] = keras.initializers.HeNormal


# He's variance for a unit of slope a below zero is 2 / (1 + a²) over the fan-in: for AVR, slope -1, half of ReLU's.
VARIANTS = {
    "ReLU": Variant(UNITS["ReLU"]),
    "ReLU, double": Variant(UNITS["ReLU"], 2.0),
    "AVR": Variant(lambda seed: [keras.layers.Activation(keras.ops.absolute)], 1.0, keras.initializers.LecunNormal),
    "CReLU": Variant(UNITS["CReLU"]),
    "CReLU, half": Variant(UNITS["CReLU"], 0.5),
    "tanh": Variant(UNITS["tanh"], 1.0, keras.initializers.GlorotNormal),
}


def trials(config: Config) -> list[Trial]:
    """Return a network of each unit."""
    return grid(unit=config.units)


def trial(config: Config, seed: int, unit: str) -> dict[str, Any]:
    """Train one network, and return its errors in percent and what its filters are to one another."""
    splits = pipelines.cifar10(config.batch, seed, config.train, config.pixels)
    model = network(config, unit, seed, splits.train.element_spec[0].shape[1:])
    before = filters.mean_cosines(model)
    optimizer = keras.optimizers.Adam(config.learning_rate)
    found = training.fit(model, splits, optimizer, config.epochs, errors_on=["train", "test"])
    kept = {name: found[name] for name in ("train_loss", "train_error", "test_error")}
    return {**kept, "cosine_before": before, **filters.measured(model, pairs=unit.startswith("CReLU"))}


def network(config: Config, unit: str, seed: int, inputs: tuple) -> keras.Sequential:
    """Return the baseline of section 3.1, made smaller: seven convolutions, two poolings, a global average.

    Of ConvPool-CNN-C (Springenberg and others 2014) it has two instead of three convolutions before each pooling, 32
    and 48 filters instead of 96 and 192, and 5 x 5 instead of 3 x 3 pixels in the first layer.
    """
    variant = VARIANTS[unit]
    # In so few steps a first layer of He's weights keeps most of them: its cosines would be those of its start.
    small = functools.partial(keras.initializers.RandomNormal, 0.0, config.ends)
    layers: list[keras.layers.Layer] = [keras.Input(inputs)]
    for number, (size, width) in enumerate(zip(config.sizes, config.widths, strict=True), 1):
        drawn = 1000 * seed + number
        weights = small(drawn) if number == 1 else variant.initializer(seed=drawn)
        wide = int(variant.times * width)
        layers += [keras.layers.Conv2D(wide, size, padding="same", kernel_initializer=weights), *variant.unit(drawn)]
        if number in config.pooled:
            layers += [
                keras.layers.MaxPooling2D(3, 2, padding="same"),
                keras.layers.Dropout(config.dropout, seed=drawn),
            ]
    # Max pooling raises the variances: classes drawn like the rest start at a loss from which the first steps explode.
    weights = small(1000 * seed + len(config.sizes) + 1)
    return keras.Sequential(
        [*layers, keras.layers.Conv2D(10, 1, kernel_initializer=weights), keras.layers.GlobalAveragePooling2D()]
    )


EXPERIMENT = Experiment(
    name="crelu",
    live=Scale(Config(units=("ReLU", "CReLU, half"), train=500, epochs=2), range(1)),
    paper=Scale(Config(), range(5)),
    data=pipelines.of_cifar10,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
)
