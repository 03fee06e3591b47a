"""The network that several chapters train."""

from collections.abc import Sequence

import keras

from reruns.units import Unit

Initializer = type[keras.Initializer]


def perceptron(
    unit: Unit,
    widths: Sequence[int],
    seed: int,
    *,
    inputs: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    initializer: Initializer = keras.initializers.HeNormal,
    of_classes: Initializer | None = None,
    probabilities: bool = False,
) -> keras.Sequential:
    """Return a dense network whose layer n draws its weights from seed 1000 * `seed` + n.

    So one seed gives every unit the same initial weights, where the shapes allow.

    Args:
        unit: the layers after each hidden layer of weights.
        widths: how many pre-activations each hidden layer has. CReLU makes twice as many outputs of them, Maxout half.
        seed: of the weights and of the units' noise.
        inputs: the shape of an example; it is flattened.
        classes: how many outputs there are.
        initializer: of the hidden layers' weights.
        of_classes: of the last layer's, if it is another.
        probabilities: the outputs are probabilities instead of logits.
    """
    layers: list[keras.layers.Layer] = [keras.Input(inputs, name="images"), keras.layers.Flatten()]
    for number, width in enumerate(widths):
        drawn = 1000 * seed + number
        layers += [keras.layers.Dense(width, kernel_initializer=initializer(seed=drawn)), *unit(drawn)]
    last = (of_classes or initializer)(seed=1000 * seed + len(widths))
    name, activation = ("probabilities", "softmax") if probabilities else ("logits", None)
    layers.append(keras.layers.Dense(classes, activation=activation, kernel_initializer=last, name=name))
    return keras.Sequential(layers)
