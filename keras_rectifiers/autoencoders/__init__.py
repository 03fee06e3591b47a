"""Denoising autoencoders on any rectifier: corruption, the paper's reconstructions, greedy stacks, their classifier."""

from keras_rectifiers.autoencoders.classifier import to_classifier
from keras_rectifiers.autoencoders.corruption import MaskingNoise, SaltAndPepper
from keras_rectifiers.autoencoders.denoising import DenoisingAutoencoder
from keras_rectifiers.autoencoders.penalty import ActivityL1, ActivityPenalty
from keras_rectifiers.autoencoders.stack import pretrain

__all__ = [
    "ActivityL1",
    "ActivityPenalty",
    "DenoisingAutoencoder",
    "MaskingNoise",
    "SaltAndPepper",
    "pretrain",
    "to_classifier",
]
