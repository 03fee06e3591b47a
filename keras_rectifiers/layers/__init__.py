"""The units. One file a unit: its formula, its kernel with gradient, its functional form, its Keras layer."""

from keras_rectifiers.layers.crelu import CReLU
from keras_rectifiers.layers.elu import ELU
from keras_rectifiers.layers.maxout import Maxout
from keras_rectifiers.layers.maxout_dense import MaxoutDense
from keras_rectifiers.layers.nrelu import NReLU
from keras_rectifiers.layers.prelu import PReLU
from keras_rectifiers.layers.rrelu import RReLU
from keras_rectifiers.layers.sign_flip import SignFlip
from keras_rectifiers.layers.softplus import ScaledSoftplus

__all__ = ["ELU", "CReLU", "Maxout", "MaxoutDense", "NReLU", "PReLU", "RReLU", "ScaledSoftplus", "SignFlip"]
