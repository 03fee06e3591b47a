"""Restricted Boltzmann machines: units of any kind in either layer, contrastive divergence, likelihoods, stacks."""

from keras_rectifiers.rbm.annealing import Bracket, PartitionEstimate, annealed_importance_sampling, bracket
from keras_rectifiers.rbm.greedy import pretrained
from keras_rectifiers.rbm.likelihood import LogLikelihood, log_likelihood, log_partition_function
from keras_rectifiers.rbm.norms import NormRatio, norm_ratio
from keras_rectifiers.rbm.pseudo_likelihood import pseudo_log_likelihood
from keras_rectifiers.rbm.rbm import RBM
from keras_rectifiers.rbm.rectified_units import NReLU, SteppedSigmoid, TruncatedGaussian
from keras_rectifiers.rbm.siamese import siamese
from keras_rectifiers.rbm.sparsity import SparsityTarget
from keras_rectifiers.rbm.stacking import stacked
from keras_rectifiers.rbm.units import Binary, Binomial, Gaussian, Softmax
from keras_rectifiers.rbm.watching import FreeEnergyGap

__all__ = [
    "RBM",
    "Binary",
    "Binomial",
    "Bracket",
    "FreeEnergyGap",
    "Gaussian",
    "LogLikelihood",
    "NReLU",
    "NormRatio",
    "PartitionEstimate",
    "Softmax",
    "SparsityTarget",
    "SteppedSigmoid",
    "TruncatedGaussian",
    "annealed_importance_sampling",
    "bracket",
    "log_likelihood",
    "log_partition_function",
    "norm_ratio",
    "pseudo_log_likelihood",
    "pretrained",
    "siamese",
    "stacked",
]
