"""How far the medians of a network's activations wander while it is trained."""

from typing import Any

import keras
import numpy as np


class Medians(keras.callbacks.Callback):
    """After each epoch, each channel's median over fixed images of its activation, which is a mean over the places."""

    def __init__(self, network: keras.Sequential, images: Any, batch: int) -> None:
        super().__init__()
        units = [layer.output for layer in network.layers if layer.name.startswith("unit")]
        # The means are taken within the network, for of all places the outputs would fill the memory.
        self.means = keras.Model(network.inputs[0], [keras.ops.mean(unit, axis=(1, 2)) for unit in units])
        self.images, self.batch = images, batch
        self.by_epoch: list[list[np.ndarray]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        of_layers = self.means.predict(self.images, batch_size=self.batch, verbose=0)
        self.by_epoch.append([np.median(of_layer, axis=0) for of_layer in of_layers])

    def variances(self) -> list[float]:
        """Return of each layer the mean over its channels of their medians' variance over the epochs."""
        return [float(np.var(of_layer, axis=0).mean()) for of_layer in zip(*self.by_epoch, strict=True)]
