"""Restricted Boltzmann machines: units of any kind in either layer, contrastive divergence, likelihoods, stacks."""

from keras_rectifiers.rbm.norms import NormRatio, norm_ratio
from keras_rectifiers.rbm.rbm import RBM
from keras_rectifiers.rbm.rectified_units import NReLU, SteppedSigmoid, TruncatedGaussian
from keras_rectifiers.rbm.sparsity import SparsityTarget
from keras_rectifiers.rbm.units import Binary, Binomial, Gaussian, Softmax
from keras_rectifiers.rbm.watching import FreeEnergyGap

__all__ = [
    "RBM",
    "Binary",
    "Binomial",
    "FreeEnergyGap",
    "Gaussian",
    "NReLU",
    "NormRatio",
    "Softmax",
    "SparsityTarget",
    "SteppedSigmoid",
    "TruncatedGaussian",
    "norm_ratio",
]
