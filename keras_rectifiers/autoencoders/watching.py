"""What the training of an autoencoder is watched by."""

import math

import keras


class Divergence(keras.callbacks.Callback):
    """Stops a training whose loss is no longer finite."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise RuntimeError(
                "The training diverged. Lower the learning rate, scale the data down, or clip the gradient's norm by "
                f"the optimizer's `clipnorm`. Received: loss={loss} in epoch {epoch + 1}"
            )
