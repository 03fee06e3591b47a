"""Machines trained greedily, each on the features of the ones before it."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_rectifiers import cases, checks
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm.rbm import RBM
from keras_rectifiers.rbm.stacking import activation_of, check_widths, parts_of, shape_after, stacked

FEATURES = ("mean", "network")


def pretrained(
    machines: Sequence[Any],
    data: Any,
    *,
    features: str = "mean",
    validation_data: Any = None,
    **fit: Any,
) -> list[RBM]:
    """Train machines greedily, each on the features that the ones before it give of the data, and return them.

    Each is initialized with the data that come to it and trained by its own `fit`, whose history it keeps as `history`;
    then it does not change any more. Afterwards `stacked` makes a network of them. Trained one by one, as with other
    epochs for each, the next one's data are `machine.transform(data)`.

    Nair and Hinton train their second layer of NReLUs so, for as many epochs as the first. They do not say which
    features it is given, nor of which kind its visible units are: rectified ones take the features as they are, and
    Gaussian ones after a `Normalization(axis=None)` between the machines. With an axis, a unit that is off for all of
    the data would be divided by next to nothing.

    Args:
        machines: a list of compiled machines, with Keras layers before and between them as in `stacked`. A
            `Normalization` that was neither adapted nor given a mean is adapted to the data that come to it.
        data: an array of shape (cases, ...), or on TensorFlow a tf.data pipeline of batches, which stays one: its
            features are computed anew in each epoch.
        features: `"mean"`, the hidden units' means, or `"network"`, what `stacked` makes of the same inputs: max(0, x)
            of rectified units.
        validation_data: as `data`, seen through the same features.
        **fit: what else `fit` takes, for all machines: `epochs`, `batch_size`, `callbacks`.

    Raises:
        ValueError: before any training, if an argument is none of the above, a machine is not compiled, its width does
            not fit, or the one before gives features that its visible units cannot take.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM, NReLU, pretrained, stacked
    >>> v = np.eye(4, dtype="float32")
    >>> machines = [RBM(8, hidden=NReLU(), seed=1), RBM(6, visible=NReLU(), hidden=NReLU(), seed=2)]
    >>> for machine in machines:
    ...     machine.compile("sgd")
    >>> network = stacked(pretrained(machines, v, epochs=2, verbose=0), classes=3, seed=3)
    >>> len(machines[1].history.epoch)
    2

    Reference: Nair and Hinton 2010, section 5; Hinton, Osindero and Teh 2006 for the greedy rule.
    """
    parts, only = parts_of(machines)
    if checks.choice("features", features, FEATURES) == "network":
        for machine in only:
            activation_of(machine)
    if missing := [machine.name for machine in only if not machine.compiled]:
        raise checks.refusal("machines", "machines that are compiled", missing)
    shape = cases.shape("data", data)
    if validation_data is not None and (other := cases.shape("validation_data", validation_data))[1:] != shape[1:]:
        raise checks.refusal("validation_data", f"data of cases of shape {shape[1:]}", other[1:])
    check_widths(parts, shape)
    _check_ranges(parts)
    for place, part in enumerate(parts, 1):
        if isinstance(part, RBM):
            part.initialize(data)
            part.fit(data, validation_data=validation_data, **fit)
        elif not part.built:
            _prepare(part, data, shape)
        shape = shape_after(part, shape)
        if place < len(parts):
            function = _function(part, features)
            data, validation_data = cases.mapped(function, data), cases.mapped(function, validation_data)
    return only


def _check_ranges(parts: list[Any]) -> None:
    """Refuse a machine whose visible units cannot be what the hidden ones right before it are."""
    for before, part in itertools.pairwise(parts):
        if isinstance(before, RBM) and isinstance(part, RBM):
            sent, taken = before.hidden, part.visible
            if sent.least < taken.least or sent.most > taken.most:
                raise ValueError(
                    f"Expected visible units of `{part.name}` that take the features of `{before.name}`, in "
                    f"[{sent.least:g}, {sent.most:g}]. Received: {taken}, in [{taken.least:g}, {taken.most:g}]"
                )


def _prepare(layer: keras.layers.Layer, data: Any, shape: tuple) -> None:
    # Built here, for what a layer keeps of a build within a pipeline's function belongs to that function.
    if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
        layer.adapt(data)
    else:
        layer.build(shape)


def _function(part: Any, features: str) -> Callable[[Tensor], Tensor]:
    if not isinstance(part, RBM):
        return part
    return part.transform if features == "mean" else stacked([part])
