"""What the training of an autoencoder is watched by."""

import keras

from keras_rectifiers import diverging

_REMEDY = "Lower the learning rate, scale the data down, or clip the gradient's norm by the optimizer's `clipnorm`"


class Divergence(keras.callbacks.Callback):
    """Stops a training whose loss is no longer finite."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        diverging.refuse(logs, epoch, _REMEDY)
