"""Networks of maxout units and of their rivals: the paper's files with other sizes, and its optimizer."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

import keras_rectifiers as kr

Layers = list[keras.layers.Layer]

# What follows the filters of a unit, of which each has `pieces`; "with 0" has a constant 0 among them.
UNITS: dict[str, Callable[[int], Layers]] = {
    "maxout": lambda pieces: [kr.Maxout(pieces)],
    "with 0": lambda pieces: [kr.Maxout(pieces), keras.layers.ReLU()],
    "rectifier": lambda pieces: [keras.layers.ReLU()],
    "large rectifier": lambda pieces: [keras.layers.ReLU()],
    "tanh": lambda pieces: [keras.layers.Activation("tanh")],
}
OF_ONE_FILTER = ("rectifier", "tanh")  # and the large rectifier makes a unit of each filter

# Of all the paper's files, as those of Pylearn2 have them.
KEPT_INPUTS, KEPT_UNITS = 0.8, 0.5
MAX_NORM = 1.9365  # of the weights of a filter
# Of the convolutions in the file for CIFAR-10: a filter's side, the padding, the pooled side and a filter's norm.
CONVOLUTIONS = ((8, 4, 4, 0.9), (8, 3, 4, MAX_NORM), (5, 3, 2, MAX_NORM))
PIECES_OF_CONVOLUTION, PIECES_OF_DENSE, NORM_OF_DENSE = 2, 5, 1.9


class Builder:
    """Makes one layer of weights after another, uniform in ± `weights`: the n-th from seed 1000 * `seed` + n."""

    def __init__(self, unit: str, seed: int, weights: float, dropout: bool = True) -> None:
        self.unit, self.weights, self.dropout = unit, weights, dropout
        self.seed, self.made = 1000 * seed, 0

    def dense(self, units: int, pieces: int, norm: float = MAX_NORM) -> Layers:
        return [*self._dense(self._filters(units, pieces), norm), *UNITS[self.unit](pieces)]

    def classes(self) -> Layers:
        return self._dense(10, MAX_NORM)

    def convolution(self, units: int, side: int, padding: int, pooled: int, norm: float) -> Layers:
        pieces = PIECES_OF_CONVOLUTION
        drops, weights = self._next(norm, [0, 1, 2])
        return [
            *(*drops, keras.layers.ZeroPadding2D(padding)),
            keras.layers.Conv2D(self._filters(units, pieces), side, **weights),
            *(*UNITS[self.unit](pieces), keras.layers.MaxPooling2D(pooled, 2)),
        ]

    def _dense(self, filters: int, norm: float) -> Layers:
        drops, weights = self._next(norm, [0])
        return [*drops, keras.layers.Dense(filters, **weights)]

    def _filters(self, units: int, pieces: int) -> int:
        return units if self.unit in OF_ONE_FILTER else units * pieces

    def _next(self, norm: float, axes: list[int]) -> tuple[Layers, dict[str, Any]]:
        """Return the dropout of the next layer's inputs, and how its weights begin and are bounded."""
        drawn, kept = self.seed + self.made, KEPT_UNITS if self.made else KEPT_INPUTS
        self.made += 1
        drops = [keras.layers.Dropout(1 - kept, seed=drawn)] if self.dropout else []
        uniform = keras.initializers.RandomUniform(-self.weights, self.weights, seed=drawn)
        return drops, {"kernel_initializer": uniform, "kernel_constraint": keras.constraints.MaxNorm(norm, axis=axes)}


def perceptron(
    unit: str, widths: Sequence[int], pieces: int, seed: int, weights: float, dropout: bool = True
) -> keras.Sequential:
    """Return the network of the paper's table 1, at 240 and 240 units of 5 pieces, or a deep one of its figure 9."""
    build = Builder(unit, seed, weights, dropout)
    layers: Layers = [keras.Input((28, 28, 1)), keras.layers.Flatten()]
    for width in widths:
        layers += build.dense(width, pieces)
    return keras.Sequential([*layers, *build.classes()])


def convnet(
    unit: str, units: Sequence[int], hidden: int, seed: int, weights: float, inputs: tuple[int, ...]
) -> keras.Sequential:
    """Return the network of the paper's table 3, at 96, 192 and 192 units a convolution and 500 hidden ones."""
    build = Builder(unit, seed, weights)
    layers: Layers = [keras.Input(inputs)]
    for count, shape in zip(units, CONVOLUTIONS, strict=True):
        layers += build.convolution(count, *shape)
    layers += [keras.layers.Flatten(), *build.dense(hidden, PIECES_OF_DENSE, NORM_OF_DENSE)]
    return keras.Sequential([*layers, *build.classes()])


class RisingMomentum(keras.optimizers.SGD):
    """Stochastic gradient descent whose momentum rises by a straight line over so many updates.

    Keras's own is a constant of the graph.
    """

    def __init__(self, learning_rate: float, momenta: tuple[float, float], updates: int) -> None:
        super().__init__(learning_rate, momentum=momenta[0])
        self.momenta, self.updates = momenta, updates

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        first, last = self.momenta
        risen = ops.minimum(ops.cast(self.iterations, "float32") / self.updates, 1.0)
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(
            velocity, (first + (last - first) * risen) * ops.convert_to_tensor(velocity) - learning_rate * gradient
        )
        self.assign_add(variable, velocity)
