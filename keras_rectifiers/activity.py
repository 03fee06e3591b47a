"""What the units of a network do on data: how often they are exactly 0, never on, or always on."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_rectifiers import cases, checks
from keras_rectifiers import layers as units

_ACTIVATION_LAYERS = (
    *(getattr(units, name) for name in units.__all__ if name != "SignFlip"),
    *(getattr(keras.layers, name) for name in ("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU")),
)


class Activity(NamedTuple):
    """What the units of one layer do."""

    zeros: float
    on: np.ndarray

    @property
    def dead(self) -> float:
        """Return the share of the units that are never on."""
        return float(np.mean(self.on == 0))

    @property
    def always_on(self) -> float:
        """Return the share of the units that are on in every case."""
        return float(np.mean(self.on == 1))

    def histogram(self, bins: int = 20) -> np.ndarray:
        """Return how many units are on in a share of the cases, by bins of equal width from 0 to 1."""
        return np.histogram(self.on, checks.integer("bins", bins, least=1), (0.0, 1.0))[0]


def unit_activity(model: keras.Model, data: Any, layers: Sequence[str] | None = None) -> dict[str, Activity]:
    """Return what the units of a network do on data, by the name of their layer, in inference.

    Args:
        model: a Sequential or functional model that is built.
        data: an array of inputs, or batches of them such as a tf.data pipeline, whose labels are passed over.
        layers: names of layers, the last axis of whose output is the units'. None takes all rectifiers and other
            activations of the model but its output: layers of this package, Keras's of the kind, and layers with an
            `activation` that is not linear.

    Returns:
        of each layer an `Activity`: `zeros`, the share of exact zeros; `on`, of each unit the share of cases, and of
        positions where there are such, in which its output is above 0; `dead` and `always_on`, shares of the units;
        and `histogram(bins)`.

    Raises:
        ValueError: if the model has no such graph, no such layer, or there are no data.

    Example:

    >>> import keras, numpy as np
    >>> from keras_rectifiers import unit_activity
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="unit"), keras.layers.Dense(1)])
    >>> found = unit_activity(model, np.array([[1.0, -1.0], [0.0, -2.0]], "float32"))["unit"]
    >>> found.zeros, found.on.tolist(), found.dead
    (0.75, [0.5, 0.0], 0.5)
    """
    watched = _watched(model, layers)
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    outputs = keras.Model(inputs, [model.get_layer(name).output for name in watched])
    counts = [_Count() for _ in watched]
    for batch in _in_parts(data):
        found = outputs(batch, training=False)
        for count, output in zip(counts, found if isinstance(found, list) else [found], strict=True):
            count.add(np.asarray(ops.convert_to_numpy(output)))
    if not all(count.rows for count in counts):
        raise ValueError(f"Expected data of at least one case. Received: {checks.shown(data)}")
    return {name: count.activity() for name, count in zip(watched, counts, strict=True)}


class _Count:
    """Of each unit: how many outputs are 0 and how many above it, of how many."""

    def __init__(self) -> None:
        self.rows = 0
        self.zeros = self.on = np.zeros(1, int)

    def add(self, outputs: np.ndarray) -> None:
        rows = outputs.reshape(-1, outputs.shape[-1])
        self.rows += len(rows)
        self.zeros = self.zeros + np.sum(rows == 0, axis=0)
        self.on = self.on + np.sum(rows > 0, axis=0)

    def activity(self) -> Activity:
        return Activity(float(np.mean(self.zeros)) / self.rows, self.on / self.rows)


def _in_parts(data: Any) -> Any:
    if isinstance(data, tuple):
        raise checks.refusal("data", "an array of inputs, or batches of them", data)
    if hasattr(data, "shape"):
        return (data[start : start + cases.ROWS] for start in range(0, len(data), cases.ROWS))
    return (cases.inputs(batch) for batch in data)


def _watched(model: keras.Model, layers: Sequence[str] | None) -> list[str]:
    if not getattr(model, "inputs", None):
        raise ValueError(f"Expected a Sequential or functional model that is built. Received: {checks.shown(model)}")
    named = {layer.name: layer for layer in model.layers}
    if layers is not None:
        if isinstance(layers, str) or not layers or not set(layers) <= set(named):
            raise checks.refusal("layers", f"names of the model's layers, {', '.join(named)}", layers)
        return list(layers)
    ends = [id(tensor) for tensor in model.outputs]
    found = [name for name, layer in named.items() if _is_activation(layer) and id(layer.output) not in ends]
    if not found:
        raise ValueError(f"Expected a model with activations before its output. Received: {', '.join(named)}")
    return found


def _is_activation(layer: keras.layers.Layer) -> bool:
    activation = getattr(layer, "activation", None)
    return isinstance(layer, _ACTIVATION_LAYERS) or activation not in (None, keras.activations.linear)


class UnitActivity(keras.callbacks.Callback):
    """Adds what the units of a network do on data to the logs of each epoch of a Sequential or functional model.

    Of each layer: `zeros_LAYER`, the share of exact zeros; `dead_LAYER`, the share of units that are never on;
    `always_on_LAYER`, that of units that are on in every case. The histograms of the share of cases in which a unit is
    on are kept in `histograms`, of each layer an array of (epochs, bins).

    Args:
        data: as `unit_activity` takes them, some hundreds or thousands of cases.
        layers: as there.
        bins: of the histograms, an integer of at least 1.

    Raises:
        ValueError: if an argument is none of the above.

    Example:

    >>> import keras, numpy as np
    >>> from keras_rectifiers import UnitActivity
    >>> x, y = np.eye(4, dtype="float32"), np.arange(4)
    >>> hidden = keras.layers.Dense(8, "relu", name="hidden")
    >>> model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(4)])
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> activity = UnitActivity(x)
    >>> history = model.fit(x, y, epochs=2, callbacks=[activity], verbose=0)
    >>> len(history.history["zeros_hidden"]), activity.histograms["hidden"].shape
    (2, (2, 20))
    """

    def __init__(self, data: Any, layers: Sequence[str] | None = None, bins: int = 20) -> None:
        super().__init__()
        self.data, self.layers, self.bins = data, layers, checks.integer("bins", bins, least=1)
        self.histograms: dict[str, np.ndarray] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        self.histograms = {}
        _watched(self.model, self.layers)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, found in unit_activity(self.model, self.data, self.layers).items():
            before = self.histograms.get(name, np.empty((0, self.bins), int))
            self.histograms[name] = np.vstack([before, found.histogram(self.bins)])
            if logs is not None:
                shares = {"zeros": found.zeros, "dead": found.dead, "always_on": found.always_on}
                logs.update({f"{what}_{name}": share for what, share in shares.items()})
