"""The networks of the chapters."""

from collections.abc import Callable

import keras

import keras_rectifiers as kr

# Each unit as the layers that follow a Dense layer; the seed is for those that draw noise.
UNITS: dict[str, Callable[[int], list[keras.layers.Layer]]] = {
    "tanh": lambda seed: [keras.layers.Activation("tanh")],
    "ReLU": lambda seed: [keras.layers.ReLU()],
    "LReLU": lambda seed: [keras.layers.LeakyReLU(negative_slope=0.1)],
    "PReLU": lambda seed: [kr.PReLU()],
    "RReLU": lambda seed: [kr.RReLU(seed=seed)],
    "ELU": lambda seed: [kr.ELU()],
    "CReLU": lambda seed: [kr.CReLU()],
    "Maxout": lambda seed: [kr.Maxout(pieces=2)],
    "NReLU": lambda seed: [kr.NReLU(seed=seed)],
    "ScaledSoftplus": lambda seed: [kr.ScaledSoftplus(sharpness=3.0)],
    "SignFlip": lambda seed: [keras.layers.ReLU(), kr.SignFlip()],
}


def digits_network(unit: str, width: int, seed: int) -> keras.Model:
    """Return 784 - width - width - 10 with `unit` after both hidden Dense layers, He-initialized from `seed`.

    `width` counts the pre-activations; CReLU makes twice as many outputs of them, Maxout half as many.
    """
    layers: list[keras.layers.Layer] = [keras.Input((28, 28, 1), name="images"), keras.layers.Flatten()]
    for depth in range(2):
        normal = keras.initializers.HeNormal(seed=1000 * seed + depth)
        layers += [keras.layers.Dense(width, kernel_initializer=normal), *UNITS[unit](1000 * seed + depth)]
    last = keras.initializers.GlorotUniform(seed=1000 * seed + 2)
    layers.append(keras.layers.Dense(10, activation="softmax", kernel_initializer=last, name="probabilities"))
    return keras.Sequential(layers, name=f"digits_{unit.lower()}")


def perceptron(
    unit: str, depth: int, width: int, seed: int, initializer: type[keras.Initializer] = keras.initializers.HeNormal
) -> keras.Model:
    """Return 784, `depth` hidden layers of `width`, 10 logits: one seed gives every unit the same initial weights."""
    layers: list[keras.layers.Layer] = [keras.Input((28, 28, 1), name="images"), keras.layers.Flatten()]
    for number in range(depth):
        weights = initializer(seed=1000 * seed + number)
        layers += [keras.layers.Dense(width, kernel_initializer=weights), *UNITS[unit](1000 * seed + number)]
    layers.append(keras.layers.Dense(10, kernel_initializer=initializer(seed=1000 * seed + depth), name="logits"))
    return keras.Sequential(layers, name=f"{unit.lower()}_{depth}x{width}")


def maxout_network(widths: tuple[int, ...], pieces: int, dropout: tuple[float, float], seed: int) -> keras.Model:
    """Return 784, layers of MaxoutDense of these widths, 10 classes; dropout of the input and of each hidden layer."""
    of_input, of_hidden = dropout
    layers: list[keras.layers.Layer] = [keras.Input((28, 28, 1), name="images"), keras.layers.Flatten()]
    layers.append(keras.layers.Dropout(of_input, seed=1000 * seed))
    for number, width in enumerate(widths, 1):
        normal = keras.initializers.HeNormal(seed=1000 * seed + number)
        layers.append(kr.MaxoutDense(width, pieces, kernel_initializer=normal))
        layers.append(keras.layers.Dropout(of_hidden, seed=1000 * seed + number))
    last = keras.initializers.GlorotUniform(seed=1000 * seed + len(widths) + 1)
    layers.append(keras.layers.Dense(10, activation="softmax", kernel_initializer=last, name="probabilities"))
    return keras.Sequential(layers, name="maxout_dense")


def autoencoder(unit: str, widths: tuple[int, ...], seed: int) -> keras.Model:
    """Return an encoder of these widths and its mirror image, with a logit for each of 784 pixels.

    The code, the narrowest layer, is linear.
    """
    layers: list[keras.layers.Layer] = [keras.Input((28, 28, 1), name="images"), keras.layers.Flatten()]
    hidden = (*widths, *widths[-2::-1])
    for number, width in enumerate(hidden):
        normal = keras.initializers.HeNormal(seed=1000 * seed + number)
        layers.append(keras.layers.Dense(width, kernel_initializer=normal))
        if number != len(widths) - 1:
            layers += UNITS[unit](1000 * seed + number)
    last = keras.initializers.HeNormal(seed=1000 * seed + len(hidden))
    layers += [keras.layers.Dense(784, kernel_initializer=last), keras.layers.Reshape((28, 28, 1), name="logits")]
    return keras.Sequential(layers, name=f"autoencoder_{unit.lower()}")
