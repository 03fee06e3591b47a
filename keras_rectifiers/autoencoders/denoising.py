"""Denoising autoencoders as Keras models: one hidden layer that learns to undo the corruption of its inputs."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import cases, checks, tensors
from keras_rectifiers.autoencoders import parts
from keras_rectifiers.autoencoders import reconstruction as reconstructions
from keras_rectifiers.autoencoders.watching import Divergence
from keras_rectifiers.autoencoders.weights import initial_weights
from keras_rectifiers.compilation import Tensor

# Numbers of draws that no corruption of the same seed takes: those count from 0 up.
_OF_ENCODER, _OF_DECODER = -1, -2
_OWNER = "DenoisingAutoencoder"


@keras.saving.register_keras_serializable(package="keras_rectifiers.autoencoders")
class DenoisingAutoencoder(keras.Model):
    r"""Denoising autoencoder: one hidden layer, trained to give its clean inputs when it sees corrupted ones.

    .. math::

        h = s(\tilde x W + c), \qquad f = h W' + b, \qquad
        \text{loss} = \frac{1}{n} \sum_{\text{cases}} \sum_i L(x_i, f_i)

    with :math:`\tilde x` the corrupted input, x the clean one, s the unit, and :math:`W' = W^\top` where it is tied. At
    inference nothing is corrupted. `fit` needs no targets: they are the inputs.

    The reconstructions, by name; 1 to 4 are the paper's for rectifiers:

    1. `"softplus"`: log(1 + e^f), quadratic cost. For inputs that are not negative; the paper's choice for images.
    2. `"scaled"`: sigmoid(f), and the cross-entropy with x scaled onto [0, 1]; the paper's choice for text. How it
       scales the paper does not say: here by the smallest and the largest of the training data, which `initialize`
       finds, and for the cost alone, so that the encoder sees x as it is.
    3. `"linear"`: f, quadratic cost. (The paper tried the inputs of the rectifiers below as targets too.)
    4. `"rectifier"`: max(0, f), quadratic cost. For inputs that are not negative. Where f < 0 no gradient passes.
    5. `"cross_entropy"`: sigmoid(f), and the cross-entropy, of inputs in [0, 1].

    Args:
        units: hidden units, an integer of at least 1.
        unit: what they compute: a Keras layer of this package or Keras's, or the name of an activation of Keras's.
        reconstruction: one of the above.
        corruption: None, the level of `MaskingNoise`, or a Keras layer that corrupts while training.
        tied: whether the decoder's weights are the encoder's, transposed: one variable. The unit keeps the width then.
        activity_regularizer: penalty on what the units give of the corrupted inputs, such as `ActivityL1`.
        kernel_initializer: None, or an initializer of Keras's for the weights. None draws them uniformly from between
            plus and minus the root of 6 / (inputs + units), as Glorot and Bengio do, the same on every backend.
        seed: None or an integer in [0, 2**31), of these weights and of masking noise. A unit that draws noise wants
            another one.

    Input: float tensor of shape (batch, inputs). Output: what is made of it, of the same shape and range.

    Raises:
        ValueError: if an argument is none of the above, or `fit` is given data that the reconstruction cannot give.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.autoencoders import DenoisingAutoencoder
    >>> x = np.eye(8, dtype="float32")
    >>> autoencoder = DenoisingAutoencoder(units=4, corruption=0.25, seed=7)
    >>> autoencoder.compile("sgd")
    >>> history = autoencoder.fit(x, epochs=2, verbose=0)
    >>> tuple(autoencoder.encode(x).shape), tuple(autoencoder(x).shape)
    ((8, 4), (8, 8))

    References: Glorot, Bordes and Bengio 2011, section 3.2; Vincent, Larochelle, Lajoie, Bengio and Manzagol 2010.
    """

    def __init__(
        self,
        units: int,
        unit: Any = "relu",
        reconstruction: str = "softplus",
        corruption: Any = 0.25,
        tied: bool = True,
        activity_regularizer: Any = None,
        kernel_initializer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.compute_dtype not in ("float32", "float64"):
            raise checks.refusal("dtype", "float32 or float64", self.compute_dtype)
        self.units = checks.integer("units", units, least=1)
        self.reconstruction = checks.choice("reconstruction", reconstruction, reconstructions.RECONSTRUCTIONS)
        self.tied = checks.boolean("tied", tied)
        self.seed = checks.seed(seed)
        self.activity_penalty = keras.regularizers.get(activity_regularizer)
        self.kernel_initializer = parts.initializer_of(kernel_initializer)
        self.unit = parts.unit_of(unit, self.dtype_policy)
        self.corruption = parts.corruption_of(corruption, self.seed, self.dtype_policy)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.encoder = keras.layers.Dense(
            self.units, kernel_initializer=self._initializer(_OF_ENCODER), dtype=self.dtype_policy, name="encoder"
        )
        self.error = keras.metrics.Mean("reconstruction_error")

    def _initializer(self, number: int) -> Any:
        if self.kernel_initializer is not None:
            return self.kernel_initializer.clone()

        return lambda shape, dtype: initial_weights(shape, dtype, self.seed_generator, number)

    @property
    def _reconstruction(self) -> reconstructions.Reconstruction:
        return reconstructions.RECONSTRUCTIONS[self.reconstruction]

    def build(self, input_shape: tuple) -> None:
        shape = tensors.shape(input_shape, owner=_OWNER)
        if len(shape) != 2 or shape[1] is None:
            raise ValueError(f"{_OWNER} expected inputs of shape (batch, inputs). Received: shape {shape}")
        self.encoder.build(shape)
        hidden = self.encoder.compute_output_shape(shape)
        if not self.unit.built:  # that of a file is
            self.unit.build(hidden)
        features = self.unit.compute_output_shape(hidden)[-1]
        if self.tied and features != self.units:
            raise ValueError(
                f"Expected a unit that keeps the width where weights are tied; give tied=False. "
                f"Received: {type(self.unit).__name__}, which makes {features} features of {self.units}"
            )
        if not self.tied:
            self.decoder = self.add_weight(
                name="decoder", shape=(features, shape[1]), initializer=self._initializer(_OF_DECODER)
            )
        self.decoder_bias = self.add_weight(name="decoder_bias", shape=(shape[1],), initializer="zeros")
        if self._reconstruction.scales:
            # A range of 0 has not been measured.
            self.data_low = self.add_weight(name="data_low", shape=(), initializer="zeros", trainable=False)
            self.data_range = self.add_weight(name="data_range", shape=(), initializer="zeros", trainable=False)
        super().build(shape)

    def initialize(self, data: Any) -> None:
        """Build the weights, and find the range of the data for a scaled reconstruction.

        Args:
            data: an array of shape (cases, inputs), or an iterable of batches of them, such as a tf.data pipeline.

        Raises:
            ValueError: if the data are none such, or the reconstruction cannot give them.
        """
        least, most, width = math.inf, -math.inf, 0
        for batch in cases.batches(data):
            width = self._checked_width(batch)
            least, most = min(least, float(batch.min())), max(most, float(batch.max()))
        if not width:
            raise ValueError(f"Expected data of at least one case. Received: {checks.shown(data)}")
        if not self.built:
            self.build((None, width))
        if self._reconstruction.scales:
            if least == most:
                raise ValueError(f"Expected data that vary, to be scaled onto [0, 1]. Received: {least:g} throughout")
            self.data_low.assign(least)
            self.data_range.assign(most - least)

    def _checked_width(self, batch: np.ndarray) -> int:
        if batch.ndim != 2 or not batch.size:
            raise ValueError(f"{_OWNER} expected data of shape (cases, inputs). Received: shape {batch.shape}")
        reconstructions.check_range(self.reconstruction, batch)
        return batch.shape[1]

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; data out of range are refused, and a run that diverges is stopped.

        With a scaled reconstruction whose range is not known, all of the data are looked through first.
        """
        for name in ("sample_weight", "class_weight"):
            if kwargs.get(name) is not None:
                raise checks.refusal(name, "None: every case counts alike", kwargs[name])
        known, scales = cases.known(x), self._reconstruction.scales
        begins = not self.built or (scales and not self._is_measured())
        if known is None and begins:
            raise ValueError(f"{_OWNER} must be initialized before it sees data that can be read once only")
        if known is not None:
            self._checked_width(known)
            if begins:
                self.initialize(x if scales else known)
            elif scales:
                self._check_scale(known)
        # First, so that no other one keeps what has diverged.
        callbacks = [Divergence(), *keras.tree.flatten(kwargs.pop("callbacks", None) or [])]
        return super().fit(x, *args, callbacks=callbacks, **kwargs)

    def _is_measured(self) -> bool:
        return float(ops.convert_to_numpy(self.data_range)) > 0

    def _check_scale(self, inputs: np.ndarray) -> None:
        low, width = (float(ops.convert_to_numpy(value)) for value in (self.data_low, self.data_range))
        least, most = float(inputs.min()), float(inputs.max())
        slack = 0.001 * width  # for rounding, and features that are computed in other batches
        if least < low - slack or most > low + width + slack:
            raise ValueError(
                f"Expected inputs in [{low:g}, {low + width:g}], by which the reconstruction is scaled; `initialize` "
                f"measures anew. Received: inputs from {least:g} to {most:g}"
            )

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, **kwargs: Any) -> None:
        """Configure `fit` as `keras.Model.compile` does, without a loss or metrics: these are the model's own."""
        for name, value in (("loss", loss), ("metrics", metrics)):
            if value:
                raise checks.refusal(name, "None: the reconstruction has its own", value)
        super().compile(optimizer, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        # Keras's own leaves a model uncompiled whose `compile` is not Keras's.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer:
            self.optimizer.build(self.trainable_variables)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        x = ops.cast(ops.convert_to_tensor(inputs), self.compute_dtype)
        corrupted = self.corruption(x, training=training) if self.corruption else x
        h = self._features(corrupted, training)
        f = self._decoded(h)
        low, width = self._scale()
        # Beyond [0, 1], where held-out data may be, the cross-entropy has no lower bound.
        target = ops.clip((x - low) / width, 0.0, 1.0) if self._reconstruction.scales else x
        self.add_loss(ops.mean(ops.sum(self._reconstruction.cost(target, f), axis=-1)))
        if self.activity_penalty:
            self.add_loss(self.activity_penalty(h))
        made = self._reconstruction.activation(f)
        return made * width + low if self._reconstruction.scales else made

    def _scale(self) -> tuple[Any, Any]:
        if not self._reconstruction.scales:
            return 0.0, 1.0
        width = ops.convert_to_tensor(self.data_range)
        return ops.convert_to_tensor(self.data_low), ops.where(width > 0, width, ops.ones_like(width))

    def encode(self, x: Tensor) -> Tensor:
        """Return what the hidden units give of inputs as they are, of shape (batch, features)."""
        return self._features(ops.cast(ops.convert_to_tensor(x), self.compute_dtype), False)

    # Products not by ops.matmul, which on PyTorch computes float64 in float32.

    def _features(self, x: Tensor, training: bool | None) -> Tensor:
        return self.unit(x @ self.encoder.kernel + self.encoder.bias, training=training)

    def _decoded(self, h: Tensor) -> Tensor:
        weights = ops.transpose(self.encoder.kernel) if self.tied else ops.convert_to_tensor(self.decoder)
        return h @ weights + self.decoder_bias

    def compute_metrics(self, x: Tensor, y: Any, y_pred: Tensor, sample_weight: Any = None) -> dict[str, Any]:
        error = ops.mean(ops.square(ops.cast(x, self.compute_dtype) - y_pred), axis=-1)
        self.error.update_state(error, sample_weight)
        return self.get_metrics_result()

    def get_config(self) -> dict[str, Any]:
        plain = ("units", "reconstruction", "tied", "seed")
        objects = {
            "unit": self.unit,
            "corruption": self.corruption,
            "activity_regularizer": self.activity_penalty,
            "kernel_initializer": self.kernel_initializer,
        }
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in plain},
            **{name: keras.saving.serialize_keras_object(value) for name, value in objects.items()},
        }
