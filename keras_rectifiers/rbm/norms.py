r"""Whether a machine of two unbounded layers has a law at all: the norm ratio, and a constraint that bounds it.

Where both layers' log-partitions grow as squares, large states in the direction of a unit vector u have an energy of
about (1 - |f(W' u)|^2) / 2 of their squared length, with f the rectifier where the hidden units are rectified. The
machine has a law if rho, the largest |f(W' u)|, is below 1; from 1 on its chains run away.
"""

from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, keys, noise
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm.units import Unit


def norm_ratio(kernel: Tensor, visible: Unit, hidden: Unit, starts: int = 16, steps: int = 100) -> float:
    """Return rho, or 0.0 where one layer's log-partition grows more slowly than a square: then every machine has a law.

    It is the largest value of a convex function on a sphere, sought from several random directions by steps that never
    lessen it: a lower bound, and for layers that are not rectified the spectral norm.

    Args:
        kernel: weights of shape (visible, hidden).
        visible: the visible units.
        hidden: the hidden units.
        starts: random directions, an integer of at least 1.
        steps: from each of them, an integer of at least 1.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import Gaussian, NReLU, norm_ratio
    >>> round(norm_ratio(0.9 * np.eye(3, dtype="float32"), Gaussian(), NReLU()), 3)
    0.9
    """
    if "nowhere" in (visible.square, hidden.square):
        return 0.0
    rectified = visible.square == "above", hidden.square == "above"
    # PyTorch warns of a number that is taken from a tensor with a gradient.
    return float(_largest_norm(ops.stop_gradient(ops.convert_to_tensor(kernel)), *rectified, starts, steps))


def _largest_norm(w: Tensor, visible: bool, hidden: bool, starts: int, steps: int) -> Tensor:
    # Squares of the weights of a machine that has run away would not be finite.
    scale = ops.max(ops.abs(w)) + 1e-30
    w, sent = w / scale, ops.transpose(w)[:, :0]
    u = noise.normal((w.shape[0], starts), keys.make_key(0), w.dtype)
    for _ in range(steps):
        u = ops.relu(u) if visible else u
        # The least number, so that a direction from which nothing comes back stays 0.
        u = u / (ops.norm(u, axis=0, keepdims=True) + 1e-30)
        sent = ops.matmul(ops.transpose(w), u)
        sent = ops.relu(sent) if hidden else sent
        u = ops.matmul(w, sent)
    return scale * ops.max(ops.norm(sent, axis=0))


@keras.saving.register_keras_serializable(package="keras_rectifiers.rbm")
class NormRatio(keras.constraints.Constraint):
    r"""Keep the norm ratio of a machine with rectified hidden units below a limit, by scaling its kernel down.

    .. math::

        \rho = \max_{|u| = 1} |\max(0, W^\top u)| \le \text{limit}

    The ratio is sought by a few steps at every update, so it may be found too small by a few hundredths: leave room.

    Args:
        limit: a positive number, below 1 for machines that are to have a law.
        rectified: whether the hidden units are. Without the rectifier the ratio is the spectral norm.
        starts: directions from which it is sought, an integer of at least 1.
        steps: from each of them, an integer of at least 1.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import NormRatio
    >>> bounded = NormRatio(0.9)(2.0 * np.eye(3, dtype="float32"))
    >>> round(float(bounded[0, 0]), 3)
    0.9
    """

    def __init__(self, limit: float = 0.95, rectified: bool = True, starts: int = 8, steps: int = 10) -> None:
        self.limit = checks.number("limit", limit, above=0.0)
        self.rectified = checks.boolean("rectified", rectified)
        self.starts = checks.integer("starts", starts, least=1)
        self.steps = checks.integer("steps", steps, least=1)

    def __call__(self, w: Tensor) -> Tensor:
        w = ops.convert_to_tensor(w)
        ratio = _largest_norm(w, False, self.rectified, self.starts, self.steps)
        return w * ops.minimum(1.0, self.limit / (ratio + 1e-30))

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("limit", "rectified", "starts", "steps")}
