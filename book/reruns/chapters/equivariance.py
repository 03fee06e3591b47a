"""What the page on intensity claims, its pictures and its networks, whose weights are drawn and never trained.

Its experiment is small enough to stand on the page itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from scipy import special

from reruns.claims import Claim, Rule
from reruns.data import pipelines, sources
from reruns.units import UNITS, Unit

PAPER = "Nair and Hinton 2010"
FACTORS = (0.1, 0.5, 2.0, 10.0)  # of the light
EXACT, CHANGES = 1e-5, 1e-2
WIDTH, DEPTH = 300, 3
BIASES = 0.1  # their standard deviation, where there are any
FILTERS, SIDE = 32, 5
SPOT, LAMP = 6, 2.0  # pixels a side, and their brightness, where white is 1
PAIRS = 200

FEATURES = Claim(
    "N-3, features",
    "a bias-free rectifier network scales its features as the light scales the picture",
    f"f(c x) = c f(x) to {EXACT:g}, relative, at each factor",
    f"{PAPER}, section 3",
    Rule.IDENTITY,
    published="shown by argument",
)
SAME = Claim(
    "N-3, cosine",
    "what a siamese network makes of the cosine does not change with the light of one picture",
    f"Pr(same) changes by less than {EXACT:g} at each factor",
    f"{PAPER}, section 3 and figure 7",
    Rule.IDENTITY,
    published="shown by argument",
)
BINARY = Claim(
    "N-3, binary",
    "binary units have neither property",
    f"both change by more than {CHANGES:g}, in the mean, at each factor",
    f"{PAPER}, section 3",
    Rule.IDENTITY,
)
BIASED = Claim(
    "N-3, biases",
    "nor have rectifiers with biases",
    f"both change by more than {CHANGES:g}, in the mean, at each factor",
    f"{PAPER}, section 3",
    Rule.IDENTITY,
)
SPOTTED = Claim(
    "N-3, spot",
    "to divide the pixels by their sum is no substitute: a bright spot elsewhere changes the detectors of the object",
    f"divided, they change by more than {CHANGES:g} for each picture; undivided, by less than {EXACT:g}",
    f"{PAPER}, section 3",
    Rule.IDENTITY,
    published="shown by argument",
)
KIN = Claim(
    "N-3, kin",
    "PReLU, RReLU, CReLU, Maxout and SignFlip scale with the light too; ELU, ScaledSoftplus and noise that is drawn "
    "anew do not",
    f"f(c x) = c f(x) to {EXACT:g} at each factor, or off by more than {CHANGES:g}, in the mean, at one",
    "ours",
    Rule.IDENTITY,
)
CLAIMS = (FEATURES, SAME, BINARY, BIASED, SPOTTED, KIN)

SIGMOID: Unit = lambda seed: [keras.layers.Activation("sigmoid")]  # noqa: E731 - one of `UNITS`, which are lambdas
_SCALES = {False: (2.0, "fan_in"), True: (16.0, "fan_avg")}
# Whether each unit scales with the light, as its formula has it.
SCALES = {
    **dict.fromkeys(("ReLU", "LReLU", "PReLU", "RReLU", "CReLU", "Maxout", "NReLU", "SignFlip"), True),
    **dict.fromkeys(("tanh", "ELU", "ScaledSoftplus"), False),
}


def pictures() -> tuple[np.ndarray, dict]:
    """Return pairs of pictures, (pairs, 2, height, width, channels) from 0 to 1, and the record of where they are from.

    They are the first faces of LFW where it is prepared, and otherwise digits.
    """
    if sources.is_prepared("lfw"):
        found = sources.find("lfw")
        pairs, record = pipelines.face_pairs(found.builder, "fold_01")[0][:PAIRS] / 255.0, found.record
    else:
        digits = pipelines.mnist(batch=1, seed=None, train=1)
        images = next(iter(digits.test))[0].numpy()[: 2 * PAIRS]
        pairs = images.reshape(PAIRS, 2, *images.shape[1:])
        record = {**digits.record, "stands_in_for": sources.SOURCES["lfw"].title}
    return pairs.astype("float32"), {**record, "preprocessing": "pixels from 0 to 1", "sizes": {"test": 2 * len(pairs)}}


def _weights(unit: Unit, seed: int) -> keras.Initializer:
    # He's weights would leave logistic units near one half; theirs are four times Glorot's.
    return keras.initializers.VarianceScaling(*_SCALES[unit is SIGMOID], "truncated_normal", seed)


def network(unit: Unit, shape: tuple[int, ...], seed: int = 0, biases: float = 0.0, depth: int = DEPTH) -> keras.Model:
    """Return dense layers of a unit whose outputs are the features; with biases of this deviation, or without any."""
    layers: list[keras.layers.Layer] = [keras.Input(shape), keras.layers.Flatten()]
    for number in range(depth):
        drawn = 1000 * seed + number
        of_biases = keras.initializers.RandomNormal(stddev=biases, seed=drawn) if biases else "zeros"
        layers.append(keras.layers.Dense(WIDTH, None, bool(biases), _weights(unit, drawn), of_biases))
        layers += unit(drawn)
    return keras.Sequential(layers)


def detectors(unit: Unit, shape: tuple[int, ...], seed: int = 0) -> keras.Model:
    """Return convolutions of a unit, without biases and borders: each feature sees a window of the picture."""
    layers: list[keras.layers.Layer] = [keras.Input(shape)]
    for number in range(DEPTH):
        drawn = 1000 * seed + number
        layers += [keras.layers.Conv2D(FILTERS, SIDE, use_bias=False, kernel_initializer=_weights(unit, drawn))]
        layers += unit(drawn)
    return keras.Sequential(layers)


def pooled(shape: tuple[int, ...], seed: int = 0) -> keras.Model:
    """Return detectors of rectifiers under max pooling and average pooling."""
    pooling = [keras.layers.MaxPooling2D(2), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([detectors(UNITS["ReLU"], shape, seed), *pooling])


def unseen(maps: np.ndarray) -> np.ndarray:
    """Return which places of the detectors' maps do not see a spot in the upper left corner."""
    seen = np.zeros(maps.shape[1:3], bool)
    seen[:SPOT, :SPOT] = True
    return ~seen


def spotted(images: np.ndarray) -> np.ndarray:
    """Return the pictures with a spot in the upper left corner that is brighter than any of them."""
    found = images.copy()
    found[:, :SPOT, :SPOT] = LAMP
    return found


def divided(images: np.ndarray) -> np.ndarray:
    """Return each picture divided by the sum of its pixels, times a constant that keeps it about as bright."""
    sums = images.sum(axis=(1, 2, 3), keepdims=True)
    return (images * (0.1 * images[0].size) / sums).astype("float32")


def lengths(rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rows.reshape(len(rows), -1).astype("float64"), axis=1)


def change(found: Any, expected: Any) -> np.ndarray:
    """Return of each picture how far features are off, over the length that was expected."""
    found, expected = (np.asarray(features, "float64") for features in (found, expected))
    return lengths(found - expected) / lengths(expected)


def _directions(features: Any) -> np.ndarray:
    features = np.asarray(features, "float64").reshape(len(features), -1)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def cosines(one: Any, other: Any) -> np.ndarray:
    return (_directions(one) * _directions(other)).sum(axis=1)


def degrees(one: Any, other: Any) -> np.ndarray:
    """Return the angles between features, from the distance of their directions: small cosines lose all digits."""
    return np.rad2deg(2 * np.arcsin(np.minimum(lengths(_directions(one) - _directions(other)) / 2, 1)))


def by_light(
    features: Callable, pairs: np.ndarray, factors: Sequence[float] = FACTORS
) -> tuple[np.ndarray, np.ndarray]:
    """Return by factor how far f(c x) is from c f(x), relative, and how Pr(same) moves if x alone is lit so.

    Pr(same) = sigmoid(w d + b) of the cosine d of a pair's features. The paper learns w and b. Here they give w d + b
    a mean of 0 and a deviation of 2 over the pairs: so Pr(same) is as sensitive for one network as for another.
    """
    one, other = (np.asarray(features(pairs[:, side]), "float64") for side in (0, 1))
    unlit = cosines(one, other)
    w, b = 2 / unlit.std(), -2 * unlit.mean() / unlit.std()
    gaps, moved = [], []
    for c in factors:
        lit = np.asarray(features(np.float32(c) * pairs[:, 0]), "float64")
        gaps.append(change(lit, c * one))
        moved.append(np.abs(special.expit(w * cosines(lit, other) + b) - special.expit(w * unlit + b)))
    return np.array(gaps), np.array(moved)
