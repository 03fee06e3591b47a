"""The units that the chapters compare, each as the layers that follow a layer of weights."""

from collections.abc import Callable

import keras

import keras_rectifiers as kr

# The number seeds those that draw noise.
Unit = Callable[[int], list[keras.layers.Layer]]

UNITS: dict[str, Unit] = {
    "tanh": lambda seed: [keras.layers.Activation("tanh")],
    "ReLU": lambda seed: [keras.layers.ReLU()],
    "LReLU": lambda seed: [keras.layers.LeakyReLU(negative_slope=0.1)],
    "PReLU": lambda seed: [kr.PReLU()],
    "RReLU": lambda seed: [kr.RReLU(seed=seed)],
    "ELU": lambda seed: [kr.ELU()],
    "CReLU": lambda seed: [kr.CReLU()],
    "Maxout": lambda seed: [kr.Maxout(pieces=2)],
    "NReLU": lambda seed: [kr.NReLU(seed=seed)],
    "ScaledSoftplus": lambda seed: [kr.ScaledSoftplus(sharpness=3.0)],
    "SignFlip": lambda seed: [keras.layers.ReLU(), kr.SignFlip()],
}
