"""The sparsity target of restricted Boltzmann machines."""

from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks
from keras_rectifiers.compilation import Tensor


@keras.saving.register_keras_serializable(package="keras_rectifiers.rbm")
class SparsityTarget(keras.regularizers.Regularizer):
    r"""Penalty on hidden units whose mean over a batch is not the target.

    .. math::

        \lambda \sum_j (q_j - p)^2 / 2

    with q_j the mean activity of unit j, of any kind, and the target p.

    Args:
        target: a finite number.
        weight: lambda, a number of at least 0.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import SparsityTarget
    >>> round(float(SparsityTarget(0.1, weight=2.0)(np.full((5, 3), 0.2, "float32"))), 4)
    0.03
    """

    def __init__(self, target: float = 0.1, weight: float = 0.1) -> None:
        self.target = checks.number("target", target)
        self.weight = checks.number("weight", weight, least=0.0)

    def __call__(self, means: Tensor) -> Tensor:
        return 0.5 * self.weight * ops.sum(ops.square(ops.mean(means, axis=0) - self.target))

    def get_config(self) -> dict[str, Any]:
        return {"target": self.target, "weight": self.weight}
