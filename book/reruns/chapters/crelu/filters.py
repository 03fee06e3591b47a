"""What the filters of a convolution are to one another: whether they pair up, and who takes up which phase."""

import functools

import keras
import numpy as np


def kernels(model: keras.Sequential) -> list[np.ndarray]:
    """Return the kernels of the convolutions, (height, width, inputs, filters), the one of the classes last."""
    return [np.asarray(layer.kernel, "float64") for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def measured(model: keras.Sequential, pairs: bool) -> dict[str, list[float]]:
    """Return the metrics of a trained network's weights, a number a convolution before that of the classes.

    Of the first three, each filter's least cosine is there too.
    """
    hidden = kernels(model)[:-1]
    chance = [by_chance(*fan_in_and_filters(kernel)) for kernel in hidden]
    outgoing = [phases(kernel) for kernel in kernels(model)[1:]] if pairs else []
    return {
        "cosine_after": mean_cosines(model),
        "cosine_by_chance": [mean for mean, _ in chance],
        "deviation_by_chance": [deviation for _, deviation in chance],
        **{f"cosines_{n}": least_cosines(rows(kernel)).tolist() for n, kernel in enumerate(hidden[:3], 1)},
        **{name: [layer[name] for layer in outgoing] for name in (PHASES if outgoing else ())},
    }


def rows(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel's filters as rows."""
    return kernel.reshape(-1, kernel.shape[-1]).T


def fan_in_and_filters(kernel: np.ndarray) -> tuple[int, int]:
    return rows(kernel).shape[::-1]


def least_cosines(filters: np.ndarray) -> np.ndarray:
    """Return of each filter, a row, the least cosine with any other: its pairing filter's."""
    unit = filters / np.linalg.norm(filters, axis=-1, keepdims=True)
    # A filter's cosine with itself, 1, is never the least.
    return (unit @ unit.swapaxes(-1, -2)).min(axis=-1)


def mean_cosines(model: keras.Sequential) -> list[float]:
    """Return the mean least cosine of each convolution before that of the classes."""
    return [float(least_cosines(rows(kernel)).mean()) for kernel in kernels(model)[:-1]]


DRAWS, AT_ONCE = 1000, 20


@functools.cache
def random_cosines(fan_in: int, filters: int) -> np.ndarray:
    """Return the least cosines of Gaussian filters, a row a random layer of this shape."""
    rng = np.random.default_rng(2016)
    layers = (rng.standard_normal((AT_ONCE, filters, fan_in)) for _ in range(DRAWS // AT_ONCE))
    return np.concatenate([least_cosines(layer) for layer in layers])


def by_chance(fan_in: int, filters: int) -> tuple[float, float]:
    """Return mean and standard deviation, over random layers of this shape, of their mean least cosine."""
    means = random_cosines(fan_in, filters).mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1))


PHASES = ("pair", "pair_absolute", "others", "others_absolute")


def phases(kernel: np.ndarray) -> dict[str, float]:
    """Return mean cosines of the weights by which a layer takes up the two phases of the filters before it.

    `pair` is of the positive and the negative phase of one filter, `others` of those of two filters.
    """
    outgoing = np.moveaxis(kernel, 2, 0).reshape(kernel.shape[2], -1)
    positive, negative = np.split(outgoing / np.linalg.norm(outgoing, axis=1, keepdims=True), 2)
    cosines = positive @ negative.T
    same = np.eye(len(cosines), dtype=bool)
    means = [f(cosines[which]).mean() for which in (same, ~same) for f in (np.asarray, np.abs)]
    return dict(zip(PHASES, map(float, means), strict=True))
