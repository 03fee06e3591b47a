"""What a training is watched by: its data before it begins, its loss and its norm ratio, its free energies."""

import math
import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import cases, diverging
from keras_rectifiers.rbm.norms import norm_ratio
from keras_rectifiers.rbm.units import Gaussian, Unit

# How far a layer of Gaussian units may be from a mean of 0 and a deviation of 1 before a warning, and how large one
# unit's values: pixels that are standardized together differ among themselves, by less than that.
FAR_MEAN, FAR_DEVIATION, FAR_UNIT = 0.5, 2.0, 5.0
_REMEDY = (
    "Lower the learning rate; standardize the data of Gaussian units; bound rectified machines by "
    "kernel_constraint=NormRatio()"
)


def check(data: Any, unit: Unit) -> int | None:
    """Refuse data outside the visible units' range; warn if Gaussian ones' are far from standardized.

    Return the width of the cases, or None for data that can be read once only: they are not looked at.
    """
    known = cases.known(data)
    if known is None:
        return None
    width = _checked(known, unit)
    if isinstance(unit, Gaussian):
        squares = np.einsum("ij,ij->j", known, known, dtype="float64") / len(known)
        _warn_unless_standardized(known.mean(axis=0, dtype="float64"), squares)
    return width


def _checked(states: np.ndarray, unit: Unit) -> int:
    if states.ndim != 2:
        raise ValueError(f"RBM expected data of shape (cases, visible). Received: shape {states.shape}")
    if not states.size:
        raise ValueError(f"Expected data of at least one case. Received: shape {states.shape}")
    check_range(states, unit)
    return states.shape[1]


def check_range(states: np.ndarray, unit: Unit) -> None:
    """Refuse cases of which some lie outside the visible units' range."""
    least, most = float(states.min()), float(states.max())
    if not (unit.least <= least and most <= unit.most and math.isfinite(most - least)):
        if math.isinf(unit.least):
            raise ValueError(f"{unit} units expected finite values. Received: values from {least:g} to {most:g}")
        remedy = "; divide pixels by 255" if most > 1 and unit.most == 1 else ""
        raise ValueError(
            f"{unit} units expected values in [{unit.least:g}, {unit.most:g}]{remedy}. "
            f"Received: values from {least:g} to {most:g}"
        )


def _warn_unless_standardized(means: np.ndarray, squares: np.ndarray) -> None:
    """Warn of the layer, or of its largest unit, from each unit's mean and mean square."""
    mean, square, what = means.mean(), squares.mean(), ""
    deviation = math.sqrt(max(0.0, square - mean**2))
    if abs(mean) <= FAR_MEAN and 1 / FAR_DEVIATION < deviation < FAR_DEVIATION:
        largest = int(np.argmax(squares))
        mean, square, what = means[largest], squares[largest], f" of unit {largest}"
        if square <= FAR_UNIT**2:
            return
        deviation = math.sqrt(max(0.0, square - mean**2))
    warnings.warn(
        "Gaussian units have a variance of 1: standardize the data, to a mean of 0 and a deviation of 1. "
        f"Received: values{what} of mean {mean:.3g} and deviation {deviation:.3g}",
        stacklevel=4,
    )


def mean_of(data: Any, unit: Unit) -> tuple[np.ndarray, int]:
    """Return the mean of an array's cases, or of all batches', in float64, and how many they are."""
    total, squares, count = 0.0, np.zeros(()), 0
    for batch in cases.batches(data):
        values = np.asarray(batch, "float64")
        _checked(values, unit)
        total, squares, count = total + values.sum(axis=0), squares + np.square(values).sum(axis=0), count + len(values)
    if not count:
        raise ValueError(f"Expected data of at least one case. Received: {data}")
    mean = np.asarray(total / count)
    if isinstance(unit, Gaussian):
        _warn_unless_standardized(mean, squares / count)
    return mean, count


def watched(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a training with one that stops it when it diverges."""
    return [Divergence(), *keras.tree.flatten(callbacks or [])]


class Divergence(keras.callbacks.Callback):
    """Stops a training whose loss is no longer finite, and warns once when its machine no longer has a law."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.warned = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        diverging.refuse(logs, epoch, _REMEDY)
        ratio = norm_ratio(self.model.kernel, self.model.visible, self.model.hidden, steps=30)
        if ratio and logs is not None:
            logs["norm_ratio"] = ratio
        if ratio >= 1 and not self.warned:
            self.warned = True
            warnings.warn(
                f"The norm ratio is {ratio:.3f} after epoch {epoch + 1}: from 1 on the machine has no law, and long "
                "chains run away. Bound it by kernel_constraint=NormRatio(), a lower learning rate or weight decay",
                stacklevel=2,
            )


class FreeEnergyGap(keras.callbacks.Callback):
    """Adds to each epoch's logs `free_energy_gap`, the mean free energy of held-out data less that of training data.

    Both with the parameters at the epoch's end. From about 0 it grows as a machine learns its training data by heart.

    Args:
        trained: a (cases, visible) array of some of the training data.
        held_out: a (cases, visible) array of others.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM, FreeEnergyGap
    >>> v = np.eye(4, dtype="float32")
    >>> machine = RBM(units=2, seed=7)
    >>> machine.compile("sgd")
    >>> history = machine.fit(v[:2], callbacks=[FreeEnergyGap(v[:2], v[2:])], verbose=0)
    >>> "free_energy_gap" in history.history
    True

    Reference: Hinton 2010, A practical guide to training restricted Boltzmann machines, section 6.
    """

    def __init__(self, trained: Any, held_out: Any) -> None:
        super().__init__()
        self.trained, self.held_out = trained, held_out

    def on_train_begin(self, logs: Any = None) -> None:
        self._mean(self.trained[:1])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None:
            held_out, trained = (self._mean(v) for v in (self.held_out, self.trained))
            logs["free_energy_gap"] = held_out - trained

    def _mean(self, v: Any) -> float:
        return float(np.mean(cases.mapped(lambda part: ops.stop_gradient(self.model.free_energy(part)), v)))
