"""Rectifier units for Keras 3: serializable layers over XLA-compiled kernels, each from its paper."""

from keras_rectifiers import activations
from keras_rectifiers.activity import UnitActivity, unit_activity
from keras_rectifiers.compilation import plain
from keras_rectifiers.layers import (
    ELU,
    CReLU,
    Maxout,
    MaxoutDense,
    NReLU,
    PReLU,
    RReLU,
    ScaledSoftplus,
    SignFlip,
)
from keras_rectifiers.swapping import swap

__version__ = "0.1.0"
__all__ = [
    "ELU",
    "CReLU",
    "Maxout",
    "MaxoutDense",
    "NReLU",
    "PReLU",
    "RReLU",
    "ScaledSoftplus",
    "SignFlip",
    "UnitActivity",
    "activations",
    "plain",
    "swap",
    "unit_activity",
]
