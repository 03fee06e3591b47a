"""The jittered-cluttered form of toy_norb: bodies moved about over textures, with another body at the edge."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from reruns.data.toy_norb.bodies import CATEGORIES, INSTANCES, body
from reruns.data.toy_norb.scenes import PIXELS, POSE, Block, Views, averaged, sprites, stereo

NONE = len(CATEGORIES)  # the category of scenes without a body in the middle
EDGE = 2 * PIXELS  # of an image before it is averaged down
TEXTURES = 256  # of a split; each pair shows a part of one
LEAVES = 90  # of a texture
MARGIN = 32  # by which a texture's edge exceeds an image's
SUNKEN = 2  # pixels of a texture by which the two images of it differ: it lies behind the body

# What is done to the body in the middle, and to the whole image; named as in the book's builder of the real data.
BODY_JITTER = ("horizontal_shift", "vertical_shift", "object_scale", "rotation")
IMAGE_JITTER = ("luminance_change", "contrast")


@dataclasses.dataclass(frozen=True)
class Clutter:
    """How many pairs there are, and how far each kind of jitter goes: to both sides, or from and to."""

    train_pairs: int = 29_160
    test_pairs: int = 14_580
    shift: float = 1.0  # in pixels of an image
    scale: tuple[float, float] = (0.8, 1.1)
    rotation: float = 5.0  # in the plane of the image, in degrees
    luminance: float = 20.0  # in grey levels of 255
    contrast: tuple[float, float] = (0.8, 1.3)
    texture: float = 0.4  # contrast of the background
    distance: tuple[float, float] = (15.5, 16.5)  # of the distractor from the middle, in pixels of an image
    reduction: float = 0.6  # of the distractor, so that it stays out of the middle

    def __post_init__(self) -> None:
        for pairs in (self.train_pairs, self.test_pairs):
            if pairs <= 0 or pairs % (NONE + 1):
                raise ValueError(f"Pairs must be a multiple of {NONE + 1}, for as many a category. Received: {pairs}")


def jittered(split: str, seed: int, views: Views, clutter: Clutter, rows: int = 60) -> Iterator[Block]:
    """Yield the pairs of a split in blocks of some rows, one pair of each category in turn."""
    rng = np.random.default_rng([seed, sorted(INSTANCES).index(split)])
    bodies = [body(name, instance, seed) for name in CATEGORIES for instance in INSTANCES[split]]
    library = np.concatenate([sprites(solids, views) for solids in bodies])
    pairs = clutter.train_pairs if split == "train" else clutter.test_pairs
    backgrounds = textures(rng, min(TEXTURES, pairs), clutter.texture)
    scenes = drawn(rng, clutter, pairs, len(library), len(backgrounds))
    for first in range(0, pairs, rows):
        some = {name: values[first : first + rows] for name, values in scenes.items()}
        yield {**composed(some, library, backgrounds), **labels(some, INSTANCES[split], views.table())}


def drawn(rng: np.random.Generator, clutter: Clutter, pairs: int, stored: int, backgrounds: int) -> Block:
    """Return what the scenes show and where; the sprites of a category are shown equally often, or some once more."""
    category = np.arange(pairs) % (NONE + 1)
    shown = [np.resize(rng.permutation(stored // NONE), pairs // (NONE + 1)) for _ in range(NONE + 1)]
    angle, distance = rng.uniform(0, 2 * np.pi, pairs), rng.uniform(*clutter.distance, pairs)
    return {
        "label_category": category,
        # Category after category in the library; -1 where no sprite is in the middle.
        "sprite": np.where(category < NONE, category * (stored // NONE) + np.stack(shown, 1).ravel(), -1),
        "distractor": rng.integers(0, stored, pairs),
        "place": distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1),
        "distractor_scale": clutter.reduction * rng.uniform(*clutter.scale, pairs),
        "texture": rng.integers(0, backgrounds, pairs),
        "corner": rng.integers(0, MARGIN - SUNKEN, (pairs, 2)),
        "horizontal_shift": rng.uniform(-clutter.shift, clutter.shift, pairs),
        "vertical_shift": rng.uniform(-clutter.shift, clutter.shift, pairs),
        "object_scale": rng.uniform(*clutter.scale, pairs),
        "rotation": rng.uniform(-clutter.rotation, clutter.rotation, pairs),
        "luminance_change": rng.uniform(-clutter.luminance, clutter.luminance, pairs),
        "contrast": rng.uniform(*clutter.contrast, pairs),
    }


def composed(scenes: Block, library: np.ndarray, backgrounds: np.ndarray) -> Block:
    """Return the images of scenes: texture, distractor and body over one another, then contrast and luminance."""
    right, down, scale, rotation = (scenes[name] for name in BODY_JITTER)
    aside, below = scenes["place"].T
    edge = placed(library[scenes["distractor"]], aside, below, scenes["distractor_scale"], rotation)
    middle = placed(library[scenes["sprite"]], right, down, scale, rotation)
    middle[scenes["sprite"] < 0] = 0
    pairs = cropped(backgrounds[scenes["texture"]], scenes["corner"])
    for layer in (edge, middle):
        pairs = np.where(layer > 0, layer, pairs)
    change, contrast = (scenes[name][:, None, None, None] for name in IMAGE_JITTER)
    return stereo(127.5 + contrast * (averaged(pairs) - 127.5) + change)


def placed(
    pairs: np.ndarray, right: np.ndarray, down: np.ndarray, scale: np.ndarray, rotation: np.ndarray
) -> np.ndarray:
    """Return pairs of sprites moved by pixels of an image, scaled, and turned clockwise by degrees."""
    right, down, scale, turn = (values[:, None, None] for values in (2 * right, 2 * down, scale, np.radians(rotation)))
    middle = (EDGE - 1) / 2
    x, y = np.arange(EDGE) - middle - right, np.arange(EDGE)[:, None] - middle - down
    # Where each pixel comes from; the outermost pixels of a sprite are empty, and so is all beyond them.
    column, row = (
        np.clip(np.rint(part / scale + middle), 0, EDGE - 1).astype(np.intp)
        for part in (np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x)
    )
    source = (row * EDGE + column).reshape(len(pairs), 1, -1)
    return np.take_along_axis(pairs.reshape(len(pairs), 2, -1), source, -1).reshape(pairs.shape)


def cropped(backgrounds: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Return the part of each background below and right of its corner, as the two cameras see it."""
    row, column = (start[:, None] + np.arange(EDGE) for start in corner.T)
    scene = np.arange(len(corner))[:, None, None]
    eyes = [backgrounds[scene, row[:, :, None], column[:, None, :] + behind] for behind in (SUNKEN, 0)]
    return np.stack(eyes, 1)


def textures(rng: np.random.Generator, count: int, contrast: float) -> np.ndarray:
    """Return textures of fallen leaves: ellipses of many sizes over one another, each of one grey level and a slope."""
    edge = EDGE + MARGIN
    y, x = np.mgrid[:edge, :edge].astype(np.float32)
    grey = np.zeros((count, edge, edge), np.float32)
    for _ in range(LEAVES):
        # Sizes by a power law, as in photographs: a texture looks alike at every magnification.
        size, flatness = 6 / np.sqrt(rng.uniform(0.005, 1, count)), rng.uniform(1, 3, count)
        angle, level = rng.uniform(0, np.pi, count), rng.uniform(-1, 1, count)
        leaf = np.stack([size, flatness, level, np.cos(angle), np.sin(angle), *rng.uniform(0, edge, (2, count))])
        size, flatness, level, cosine, sine, right, down = leaf.astype(np.float32)[..., None, None]
        u, v = cosine * (x - right) + sine * (y - down), flatness * (cosine * (y - down) - sine * (x - right))
        grey = np.where(u * u + v * v < size * size, level + 0.3 * u / size, grey)
    return np.clip(np.rint(127.5 + contrast * 80 * grey), 0, 255).astype(np.uint8)


def labels(scenes: Block, instances: tuple[int, ...], table: np.ndarray) -> Block:
    """Return the labels of scenes: where no body is in the middle -1, and no shift, scale or rotation."""
    there = scenes["sprite"] >= 0
    pose = dict(zip(POSE, table[scenes["sprite"] % len(table)].T, strict=True))
    pose["instance"] = np.array(instances)[scenes["sprite"] // len(table) % len(instances)]
    jitter = {name: np.where(there, scenes[name], float(name == "object_scale")) for name in BODY_JITTER}
    jitter |= {name: scenes[name] for name in IMAGE_JITTER}
    return {
        "label_category": scenes["label_category"],
        **{name: np.where(there, numbers, -1) for name, numbers in pose.items()},
        **{name: values.astype(np.float32) for name, values in jitter.items()},
    }
