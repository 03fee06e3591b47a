"""The L1 penalty on what units give, and the layer that puts any such penalty on what goes through it."""

from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, tensors
from keras_rectifiers.compilation import Tensor


@keras.saving.register_keras_serializable(package="keras_rectifiers.autoencoders")
class ActivityL1(keras.regularizers.Regularizer):
    r"""Penalty on the size of what the units of a layer give, which drives rectifiers to exact zeros.

    .. math::

        \lambda \, \frac{1}{n} \sum_{c=1}^{n} \sum_j |h_{cj}|

    of n cases: per case, as a loss is. For a `DenoisingAutoencoder`, and for `ActivityPenalty` in other networks; as
    the `activity_regularizer` of a Keras layer some versions of Keras would divide it by n once more.

    Args:
        weight: lambda, a number of at least 0. The paper's is 0.001.

    Raises:
        ValueError: if `weight` is none such.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.autoencoders import ActivityL1
    >>> float(ActivityL1(0.5)(np.array([[1.0, -2.0], [0.0, 1.0]], "float32")))
    1.0

    Reference: Glorot, Bordes and Bengio 2011, section 4.1.
    """

    def __init__(self, weight: float = 0.001) -> None:
        self.weight = checks.number("weight", weight, least=0.0)

    def __call__(self, activity: Tensor) -> Tensor:
        sizes = ops.sum(ops.abs(activity), axis=tuple(range(1, len(activity.shape))))
        return self.weight * ops.mean(sizes)

    def get_config(self) -> dict[str, Any]:
        return {"weight": self.weight}


@keras.saving.register_keras_serializable(package="keras_rectifiers.autoencoders")
class ActivityPenalty(keras.layers.Layer):
    """Adds a penalty on its input to the loss, as it is, and passes the input on.

    Args:
        regularizer: what is called on the input, such as `ActivityL1`.

    Input and output: float tensors of one shape, any rank. A mask passes through.

    Raises:
        ValueError: if `regularizer` is none of Keras's kind or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.autoencoders import ActivityL1, ActivityPenalty
    >>> layer = ActivityPenalty(ActivityL1(0.5))
    >>> y = layer(np.array([[1.0, -2.0], [0.0, 1.0]], "float32"))
    >>> [float(loss) for loss in layer.losses]
    [1.0]
    """

    def __init__(self, regularizer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.regularizer = keras.regularizers.get(regularizer)
        if self.regularizer is None:
            raise checks.refusal("regularizer", "a regularizer", regularizer)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        tensors.floating(inputs, owner="ActivityPenalty")
        self.add_loss(self.regularizer(inputs))
        return inputs

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tensors.shape(input_shape, owner="ActivityPenalty")

    def get_config(self) -> dict:
        return {**super().get_config(), "regularizer": keras.saving.serialize_keras_object(self.regularizer)}
