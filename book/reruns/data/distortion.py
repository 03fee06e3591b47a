"""Distorted characters: the idea of NISTP as a tf.data transformation of whole batches, with seeded stateless draws.

NISTP (Glorot, Bordes and Bengio 2011) came out of the generator of Bastien et al. 2010, "Deep Self-Taught Learning for
Handwritten Character Recognition" (arXiv:1009.3589), where every distortion of every image draws a level of its own,
uniform from 0 to a common complexity. NISTP has the generator's five distortions of shape alone, at complexity 0.7:
`NISTP`. The other five here are noise, as in its sister set P07; blur, scratches and contrast are left out.
"""

import numbers
from collections.abc import Collection

import numpy as np
import tensorflow as tf

# How often each distortion is applied at complexity 1. The generator had these rates at every complexity, but for the
# background's. Its ranges are those of slant, pinch, translation, permutation, gaussian and salt and pepper; the others
# are ours.
NISTP = {"slant": 1.0, "thickness": 1.0, "affine": 1.0, "elastic": 1.0, "pinch": 1.0}
NOISE = {"occlusion": 0.4, "permutation": 0.2, "gaussian": 0.3, "background": 0.5, "salt_and_pepper": 0.25}
RATES = NISTP | NOISE

# In pixels of a character of 28 to 32.
TRANSLATION, ELASTIC, ELASTIC_SIGMA, TEXTURE_SIGMA = 4.0, 2.0, 4.0, 1.5


def distorted(
    dataset: tf.data.Dataset, seed: int, complexity: float = 0.7, kinds: Collection[str] = tuple(RATES)
) -> tf.data.Dataset:
    """Distort the images of a dataset of batches (images, labels, ...), with a seed of its own for each batch.

    Its first iterator, its second and so on have streams of seeds of their own: every epoch sees new distortions, and
    a dataset built again with the same seed repeats them all. As in `shuffle`, TensorFlow's global seed enters.
    """
    if not isinstance(seed, numbers.Integral):
        raise ValueError(f"Expected an integer seed. Received: {seed!r}")
    if not isinstance(dataset.element_spec, tuple):
        raise ValueError(f"Expected a dataset of tuples (images, labels, ...). Received: {dataset.element_spec}")
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2, drop_remainder=True)

    # There is nothing to convert, and converted code words its errors less clearly.
    @tf.autograph.experimental.do_not_convert
    def distort_batch(batch: tuple, words: tf.Tensor) -> tuple:
        return (distort(batch[0], words, complexity, kinds), *batch[1:])

    zipped = tf.data.Dataset.zip(dataset, seeds)
    return zipped.map(distort_batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def distort(
    images: tf.Tensor, seed: tf.Tensor, complexity: float = 0.7, kinds: Collection[str] = tuple(RATES)
) -> tf.Tensor:
    """Distort each image, uint8 or float32 in [0, 1] of shape (batch, height, width, 1), by draws of its own.

    Complexity, from 0 to 1, bounds the levels of the distortions and multiplies their rates; at 0 the images come back
    unchanged. The seed is two integers, and the same seed gives the same images.
    """
    images = tf.convert_to_tensor(images)
    if images.dtype not in (tf.uint8, tf.float32):
        raise ValueError(f"Expected images of dtype uint8 or float32. Received: {images.dtype.name}")
    shape = images.shape
    if shape.rank != 4 or shape[3] != 1 or None in shape[1:3] or shape[1] % 2 or shape[2] % 2:
        raise ValueError(f"Expected images of shape (batch, height, width, 1) with even sides. Received: {shape}")
    if not isinstance(complexity, numbers.Real) or not 0 <= complexity <= 1:
        raise ValueError(f"Expected a complexity from 0 to 1. Received: {complexity!r}")
    if isinstance(kinds, str) or set(kinds) - set(RATES):
        raise ValueError(f"Expected kinds among {', '.join(RATES)}. Received: {kinds!r}")
    seed = tf.convert_to_tensor(seed)
    if seed.shape != (2,) or not seed.dtype.is_integer:
        raise ValueError(f"Expected a seed of two integers. Received: {seed}")
    for_levels, for_images = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    levels = draw_levels(tf.shape(images)[0], for_levels, complexity, kinds)
    if images.dtype == tf.float32:
        return apply(images, levels, for_images)
    distorted_images = apply(tf.cast(images, tf.float32) / 255.0, levels, for_images)
    return tf.cast(tf.round(255.0 * distorted_images), tf.uint8)


def draw_levels(count: tf.Tensor, seed: tf.Tensor, complexity: float, kinds: Collection[str]) -> dict[str, tf.Tensor]:
    """Return each kind's levels for `count` images: 0 where it is not applied, else uniform up to the complexity."""
    rates = [complexity * RATES[kind] if kind in kinds else 0.0 for kind in RATES]
    chance, level = tf.unstack(tf.random.stateless_uniform((2, len(RATES), count), seed))
    levels = tf.where(chance < tf.constant(rates)[:, None], complexity * level, 0.0)
    return dict(zip(RATES, tf.unstack(levels, len(RATES)), strict=True))


def apply(images: tf.Tensor, levels: dict[str, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
    """Distort float images at these levels, one an image and kind; an image whose levels are 0 keeps every bit."""
    words = tf.random.experimental.stateless_split(seed, len(RATES))
    seeds = dict(zip(RATES, tf.unstack(words, len(RATES)), strict=True))
    level = {kind: value[:, None, None, None] for kind, value in levels.items()}
    # Less erosion than dilation: a whole pixel from each side would erase thin characters.
    sign = _symmetric((tf.shape(images)[0],), seeds["thickness"])
    images = thicken(images, levels["thickness"] * tf.where(sign < 0, -0.6, 2.0))
    images = resample(images, _sources(images, levels, seeds))
    images = _occlude(images, level["occlusion"], seeds["occlusion"])
    images = _permute(images, levels["permutation"][:, None, None] / 3.0, seeds["permutation"])
    images += level["gaussian"] / 10.0 * tf.random.stateless_normal(tf.shape(images), seeds["gaussian"])
    images = tf.clip_by_value(images, 0.0, 1.0)
    images += (1.0 - images) * level["background"] * _texture(images, seeds["background"])
    drawn = tf.random.stateless_uniform(tf.shape(images), seeds["salt_and_pepper"])
    share = level["salt_and_pepper"] / 5.0
    return tf.where(drawn < share, tf.cast(drawn < share / 2.0, tf.float32), images)


def thicken(images: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
    """Dilate each image by a square of this radius, up to 2, or erode it, down to -1; between radii it is blended."""
    radius = radius[:, None, None, None]
    dilated, eroded = _dilate(images), -_dilate(-images)
    further = tf.clip_by_value(radius - 1.0, 0.0, 1.0) * (_dilate(dilated) - dilated)
    dilation = tf.clip_by_value(radius, 0.0, 1.0) * (dilated - images)
    return images + dilation + further + tf.clip_by_value(-radius, 0.0, 1.0) * (eroded - images)


def _dilate(images: tf.Tensor) -> tf.Tensor:
    # Ten times as fast as max_pool2d on one channel. The frame lies below all pixels and their negatives.
    framed = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-1.0)
    rows = tf.maximum(tf.maximum(framed[:, :-2], framed[:, 1:-1]), framed[:, 2:])
    return tf.maximum(tf.maximum(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])


def centred_grid(height: int, width: int) -> tf.Tensor:
    """Return the pixels' positions (x, y) from the centre, in pixels, of shape (2, height * width)."""
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    return tf.constant(np.stack([x.ravel(), y.ravel()]), tf.float32)


def _sources(images: tf.Tensor, levels: dict[str, tf.Tensor], seeds: dict[str, tf.Tensor]) -> tf.Tensor:
    """Return where each pixel comes from: pinch, elastic field, affine map and slant composed, (batch, 2, pixels)."""
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    pinched = _symmetric((count,), seeds["pinch"])
    amount = levels["pinch"] * tf.where(pinched < 0, pinched, 0.7 * pinched)
    points = pinch(centred_grid(height, width), amount, min(height, width) / 2)
    white = tf.random.stateless_normal((count, 2, height, width), seeds["elastic"])
    field = tf.reshape(smooth(white, ELASTIC_SIGMA), (count, 2, height * width))
    points += ELASTIC * levels["elastic"][:, None, None] * field
    drawn = levels["affine"][:, None, None] * _symmetric((count, 2, 3), seeds["affine"])
    slanted = levels["slant"][:, None, None] * _symmetric((count, 1, 1), seeds["slant"])
    slant = tf.eye(2) + slanted * tf.constant([[0.0, 1.0], [0.0, 0.0]])
    return tf.matmul(slant, tf.matmul(tf.eye(2) + 0.3 * drawn[:, :, :2], points) + TRANSLATION * drawn[:, :, 2:])


def pinch(points: tf.Tensor, amount: tf.Tensor, radius: float) -> tf.Tensor:
    """Push points (batch, 2, n) within the radius from the centre, or pull them to it, by GIMP's formula."""
    distance = tf.clip_by_value(tf.norm(points, axis=-2, keepdims=True) / radius, 1e-6, 1.0)
    return points * tf.sin(np.pi / 2 * distance) ** -amount[:, None, None]


def smooth(white: tf.Tensor, sigma: float) -> tf.Tensor:
    """Blur white noise (..., height, width) by a Gaussian and restore the variance 1 of each pixel."""

    def weights(size: int) -> np.ndarray:
        offsets = np.arange(size)[:, None] - np.arange(size)
        gaussian = np.exp(-0.5 * (offsets / sigma) ** 2)
        return (gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)).astype("float32")

    # A product of four dimensions with two ends TensorFlow 2.21 on some processors with a segmentation fault.
    pictures = tf.reshape(white, (-1, *white.shape[-2:]))
    across = tf.matmul(pictures, weights(white.shape[-1]), transpose_b=True)
    return tf.reshape(tf.matmul(weights(white.shape[-2]), across), tf.shape(white))


def resample(images: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Read each image bilinearly at its points (batch, 2, pixels) from the centre; outside of it all is 0."""
    height, width = images.shape[1:3]
    framed = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    # The four neighbours of a point as channels: one gather reads them all.
    corners = [framed[:, :-1, :-1], framed[:, :-1, 1:], framed[:, 1:, :-1], framed[:, 1:, 1:]]
    corners = tf.reshape(tf.concat(corners, -1), (-1, (height + 1) * (width + 1), 4))
    x = tf.clip_by_value(points[:, 0] + (width + 1) / 2, 0.0, width + 1.0)
    y = tf.clip_by_value(points[:, 1] + (height + 1) / 2, 0.0, height + 1.0)
    left, top = tf.minimum(tf.floor(x), width), tf.minimum(tf.floor(y), height)
    read = tf.gather(corners, tf.cast(top * (width + 1) + left, tf.int32), batch_dims=1)
    upper = read[..., 0] + (x - left) * (read[..., 1] - read[..., 0])
    lower = read[..., 2] + (x - left) * (read[..., 3] - read[..., 2])
    return tf.reshape(upper + (y - top) * (lower - upper), (-1, height, width, 1))


def _occlude(images: tf.Tensor, level: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw a rectangle of another image of the batch over each, the brighter pixel winning."""
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    for_other, for_rectangle = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    # Never by 0: a batch of one has no other, and stays as it is.
    others = tf.roll(images, tf.random.stateless_uniform((), for_other, 1, tf.maximum(count, 2), tf.int32), 0)
    drawn = tf.random.stateless_uniform((4, count, 1, 1, 1), for_rectangle)
    rows, columns = tf.range(height, dtype=tf.float32)[:, None, None], tf.range(width, dtype=tf.float32)[:, None]
    inside = tf.abs(rows - height * drawn[0]) < level * height * (1.0 + drawn[1]) / 4.0
    inside &= tf.abs(columns - width * drawn[2]) < level * width * (1.0 + drawn[3]) / 4.0
    return tf.where(inside, tf.maximum(images, others), images)


def _permute(images: tf.Tensor, share: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Swap this share of the pairs of neighbours, first along the rows and then along the columns."""
    half = images.shape[1] * images.shape[2] // 2
    for word in tf.unstack(tf.random.experimental.stateless_split(seed, 2)):
        pairs = tf.reshape(images, (-1, half, 2))
        swapped = tf.random.stateless_uniform((tf.shape(pairs)[0], half, 1), word) < share
        pairs = tf.where(swapped, tf.reverse(pairs, [2]), pairs)
        images = tf.transpose(tf.reshape(pairs, (-1, *images.shape[1:])), [0, 2, 1, 3])
    return images


def _texture(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    height, width = images.shape[1:3]
    white = tf.random.stateless_normal((tf.shape(images)[0], height, width), seed)
    return 0.6 * tf.sigmoid(2.0 * smooth(white, TEXTURE_SIGMA))[..., None]


def _symmetric(shape: tuple, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
