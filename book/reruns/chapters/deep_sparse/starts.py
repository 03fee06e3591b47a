"""What rectifier networks are before training: half off, of no certain scale, and centred by a flip of signs."""

from collections.abc import Sequence

import keras
import numpy as np

import keras_rectifiers as kr
from keras_rectifiers import unit_activity
from reruns import networks
from reruns.units import UNITS


def network(unit: str, shape: tuple[int, ...], widths: Sequence[int], seed: int) -> keras.Sequential:
    """Return a network whose weights are uniform around 0, as the paper's, and whose biases are 0."""
    return networks.perceptron(UNITS[unit], widths, seed, inputs=shape, initializer=keras.initializers.GlorotUniform)


def zeros(images: np.ndarray, widths: Sequence[int], draws: int) -> np.ndarray:
    """Return the share of exact zeros by draw of weights and layer, in percent."""
    shares = []
    for seed in range(draws):
        activity = unit_activity(network("ReLU", images.shape[1:], widths, seed), images).values()
        shares.append([100 * of_layer.zeros for of_layer in activity])
    return np.array(shares)


def means(unit: str, images: np.ndarray, widths: Sequence[int], draws: int) -> np.ndarray:
    """Return by draw of weights and layer the absolute mean of what the units give, over images and units."""
    found = []
    for seed in range(draws):
        model = network(unit, images.shape[1:], widths, seed)
        last = kr.SignFlip if unit == "SignFlip" else keras.layers.ReLU
        outputs = [layer.output for layer in model.layers if isinstance(layer, last)]
        values = keras.tree.flatten(keras.Model(model.inputs[0], outputs)(images, training=False))
        found.append([abs(float(np.mean(np.asarray(of_layer, "float64")))) for of_layer in values])
    return np.array(found)


def rescaled(model: keras.Sequential, scales: Sequence[float]) -> keras.Sequential:
    """Return a network whose layer has its weights divided by its scale, and its biases by all scales so far."""
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    dense = [layer for layer in twin.layers if isinstance(layer, keras.layers.Dense)]
    for layer, scale, so_far in zip(dense, scales, np.cumprod(scales), strict=True):
        layer.kernel.assign(layer.kernel / scale)
        layer.bias.assign(layer.bias / so_far)
    return twin
