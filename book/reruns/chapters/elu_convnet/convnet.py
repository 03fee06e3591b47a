"""The network of Clevert and others 2016, section 4.2, made smaller, and what is the same for all that are trained."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

import keras_rectifiers as kr
from reruns.experiment import levels

Stacks = tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared. BN is batch normalization before each unit.
    units: tuple[str, ...] = levels("ELU", "SReLU", "LReLU", "ReLU", "ELU, BN", "ReLU, BN")
    # Fixed, as published: of each stack but the classes, its convolutions' kernels, and its last one's dropout.
    kernels: Stacks = ((5,), (1, 3), (1, 2), (1, 2), (1, 2), (1,))
    dropout: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    weight_decay: float = 5e-4
    momentum: float = 0.9
    # Fixed, ours: a quarter of the published filters. At the published rate of 0.01 ELU learned nothing in batches of
    # 32 in four epochs of seed 100, and in batches of 64 less than here, as measured on validation images.
    filters: Stacks = ((48,), (48, 60), (60, 65), (65, 70), (70, 75), (75,))
    learning_rate: float = 0.003
    batch: int = 32
    epochs: int = 20
    epochs_at_full_rate: int = 16
    measured_images: int = 1000
    train: int = 5000
    pixels: str = "standardized"
    # The network that is served. On small images filters cost little: half of the published ones from the third stack.
    served_unit: str = "ELU"
    served_filters: Stacks = ((48,), (48, 60), (120, 130), (130, 140), (140, 150), (150,))
    served_dropout: tuple[float, ...] = (0.0, 0.0, 0.1, 0.1, 0.2, 0.2)  # less, for so few epochs
    served_epochs: int = 7
    served_train: int | None = None


def shifted_relu(x: Any) -> Any:
    """Return max(-1, x), which the paper calls the shifted ReLU, SReLU."""
    return keras.ops.maximum(x, -1.0)


RECTIFIERS: dict[str, Callable[[str], keras.layers.Layer]] = {
    "ELU": lambda name: kr.ELU(name=name),
    "SReLU": lambda name: keras.layers.Activation(shifted_relu, name=name),
    "LReLU": lambda name: keras.layers.LeakyReLU(negative_slope=0.1, name=name),
    "ReLU": lambda name: keras.layers.ReLU(name=name),
}


def convnet(config: Config, unit: str, seed: int, inputs: tuple, served: bool = False) -> keras.Sequential:
    """Return the eleven layers of section 4.2, with a 2 x 2 max pooling after each stack that leaves more than a pixel.

    The last of them, a 1 x 1 convolution of that pixel into classes, is a dense layer. The served network has its own
    filters and dropout, takes pixels between 0 and 1, and gives probabilities instead of logits.
    """
    of_stacks = zip(
        config.kernels,
        config.served_filters if served else config.filters,
        config.served_dropout if served else config.dropout,
        strict=True,
    )
    rectifier, _, normalized = unit.partition(", ")
    layers: list[keras.layers.Layer] = [keras.Input(inputs, name="images")]
    if served:
        # CIFAR-10's pixels have a mean of about a half and a deviation of about a quarter.
        layers.append(keras.layers.Rescaling(4.0, -2.0))
    number = 0
    for stack, (kernels, filters, dropout) in enumerate(of_stacks, 1):
        for kernel, width in zip(kernels, filters, strict=True):
            number += 1
            layers.append(keras.layers.Conv2D(width, kernel, padding="same", **drawn(config, seed, number)))
            if normalized:
                layers.append(keras.layers.BatchNormalization())
            layers.append(RECTIFIERS[rectifier](f"unit{number}"))
        if dropout:
            layers.append(keras.layers.Dropout(dropout, seed=1000 * seed + number))
        if stack < len(config.kernels):
            layers.append(keras.layers.MaxPooling2D(padding="same"))
    name, activation = ("probabilities", "softmax") if served else ("logits", None)
    classes = keras.layers.Dense(10, activation=activation, name=name, **drawn(config, seed, number + 1))
    return keras.Sequential([*layers, keras.layers.Flatten(), classes])


def drawn(config: Config, seed: int, number: int) -> dict[str, Any]:
    """Return how a layer draws its weights, as He and others do, and how they decay.

    The gradient of the penalty is the rate times the weight, so its factor is half of the rate.
    """
    return {
        "kernel_initializer": keras.initializers.HeNormal(seed=1000 * seed + number),
        "kernel_regularizer": keras.regularizers.L2(config.weight_decay / 2),
    }
