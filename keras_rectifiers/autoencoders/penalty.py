"""The L1 penalty on what units give."""

from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks
from keras_rectifiers.compilation import Tensor


@keras.saving.register_keras_serializable(package="keras_rectifiers.autoencoders")
class ActivityL1(keras.regularizers.Regularizer):
    r"""Penalty on the size of what the units of a layer give, which drives rectifiers to exact zeros.

    .. math::

        \lambda \, \frac{1}{n} \sum_{c=1}^{n} \sum_j |h_{cj}|

    of n cases: per case, as a loss is. Keras's own `L1` of an activity grows with the batch.

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
