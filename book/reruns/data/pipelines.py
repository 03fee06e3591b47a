"""tf.data input pipelines, one function a data set, each with a record of what it did.

The order of operations: whole arrays as uint8 in memory, shuffled indices, a batch gathered at once, one map over the
batch, prefetch. One seed, together with TensorFlow's global one, orders the training batches the same way everywhere;
None leaves them in order.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from reruns.data import sources

UNSEEN_BATCH = 1000  # of validation and test images


class Splits(NamedTuple):
    """Pipelines of (inputs as float32, labels) and the record of where they come from."""

    train: tf.data.Dataset
    validation: tf.data.Dataset
    test: tf.data.Dataset
    record: dict


def mnist(batch: int, seed: int | None, train: int | None = None) -> Splits:
    """Return MNIST, the last 10,000 training images to validate; `train` images are enough if given."""
    return _images("mnist", ("train[:50000]", "train[50000:]", "test"), batch, seed, train)


def of_mnist(config: Any) -> dict:
    """Return the record of MNIST as a configuration's `batch` and `train` have it."""
    return mnist(config.batch, seed=0, train=config.train).record


def fashion_mnist(batch: int, seed: int, train: int | None = None) -> Splits:
    """Return Fashion-MNIST, the last 10,000 training images to validate."""
    return _images("fashion_mnist", ("train[:50000]", "train[50000:]", "test"), batch, seed, train)


def emnist(batch: int, seed: int, train: int | None = None) -> Splits:
    """Return EMNIST's 47 balanced classes, the last tenth of the training images to validate."""
    return _images("emnist", ("train[:90%]", "train[90%:]", "test"), batch, seed, train)


def cifar10(batch: int, seed: int | None, train: int | None = None, pixels: str = "unit") -> Splits:
    """Return CIFAR-10, the last 5,000 training images to validate, its pixels prepared in one of `PIXELS`' ways."""
    return _images("cifar10", ("train[:45000]", "train[45000:]", "test"), batch, seed, train, pixels)


def of_cifar10(config: Any) -> dict:
    """Return the record of CIFAR-10 as a configuration's `batch`, `train` and `pixels` have it."""
    return cifar10(config.batch, seed=0, train=config.train, pixels=config.pixels).record


def norb(
    batch: int, seed: int | None, cluttered: bool = True, train: int | None = None, pixels: str = "standardized"
) -> Splits:
    """Return NORB's stereo pairs as 32 x 32 x 2, the images of one training instance of each category to validate.

    `train` pairs are enough if given. Pixels are prepared in one of `PIXELS`' ways. Of the pairs without an object,
    which belong to no instance, a fifth validates.
    """
    found = _norb(cluttered)
    arrays = _norb_arrays(found.builder, train)
    told, prepared = PIXELS[pixels]
    # In the words of the first records: rows of other words do not join them.
    told = f"pixels, {STANDARDIZED}" if pixels == "standardized" else told
    record = {**found.record, "preprocessing": f"32 x 32 {told}"}
    return _splits(arrays, batch, seed, record, prepared(arrays[0][0]))


def norb_pixels(cluttered: bool = True, train: int | None = None) -> tuple[np.ndarray, float]:
    """Return what `norb` standardizes by: each pixel's mean, of shape (32, 32, 2), and the average deviation."""
    return mean_and_deviation(_norb_arrays(_norb(cluttered).builder, train)[0][0])


def _norb(cluttered: bool) -> sources.Found:
    return sources.find("norb" if cluttered else "smallnorb")


def _norb_arrays(builder: Any, train: int | None) -> list:
    images, labels, held_out = stereo_pairs(builder, "train")
    return [
        (images[~held_out][:train], labels[~held_out][:train]),
        (images[held_out], labels[held_out]),
        stereo_pairs(builder, "test")[:2],
    ]


STANDARDIZED = "zero mean each, divided by their average deviation"


def mean_and_deviation(images: np.ndarray) -> tuple[np.ndarray, float]:
    """Return each pixel's mean over images, and the average of the pixels' deviations."""
    return images.mean(axis=0, dtype="float64"), float(images.std(axis=0, dtype="float64").mean())


def _standardizer(images: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    mean, deviation = mean_and_deviation(images)
    scale, offset = np.float32(1 / deviation), (mean / deviation).astype("float32")
    return lambda x: tf.cast(x, tf.float32) * scale - offset


def _centring(images: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    mean = images.mean(axis=0, dtype="float64").astype("float32")
    return lambda x: tf.cast(x, tf.float32) - mean


def _of_255(images: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda x: tf.cast(x, tf.float32) / 255.0


def _symmetric(images: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda x: tf.cast(x, tf.float32) / 127.5 - 1.0


# How pixels are prepared: what a page says of it, and the map that the training images give.
PIXELS = {
    "unit": ("pixels divided by 255", _of_255),
    "centred": ("pixels of 0 to 255 less each one's mean over the training images", _centring),
    "standardized": (f"pixels of {STANDARDIZED}", _standardizer),
    "symmetric": ("pixels scaled from 0 to 255 onto -1 to 1", _symmetric),
}


VALIDATION_INSTANCE = 9
WITHOUT_OBJECT = 5


@functools.lru_cache(maxsize=4)
def stereo_pairs(builder: Any, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a split's pairs, uint8 of shape (n, 32, 32, 2), their categories, and which of them validate."""

    def reduced(x: dict) -> tuple:
        pair = tf.cast(tf.concat([x["image"], x["image2"]], axis=-1), tf.float32)
        small = tf.cast(tf.round(tf.image.resize(pair, (32, 32), method="area")), tf.uint8)
        return small, tf.cast(x["label_category"], tf.int32), tf.cast(x["instance"], tf.int32)

    data = builder.as_dataset(split=split, shuffle_files=False).batch(UNSEEN_BATCH).map(reduced)
    images, labels, instances = (np.concatenate(part) for part in zip(*data.as_numpy_iterator(), strict=True))
    a_fifth = np.random.default_rng(2010).random(len(labels)) < 0.2
    return images, labels, np.where(labels == WITHOUT_OBJECT, a_fifth, instances == VALIDATION_INSTANCE)


def lfw(batch: int, seed: int | None, fold: int, folds: int | None = None) -> Splits:
    """Return pairs of faces as 2 x 32 x 32 x 3 and whether they show one person, of a fold and of its others.

    Pixels are standardized as NORB's, by the faces of the training pairs. The arguments are those of `lfw_arrays`.
    """
    arrays, record = lfw_arrays(fold, folds)
    return _splits(arrays, batch, seed, record, _standardizer(single_faces(arrays[0][0])))


def lfw_arrays(fold: int, folds: int | None = None) -> tuple[list, dict]:
    """Return pairs of faces, uint8, to train, to validate and to test, with their record.

    `folds` are all official ones, or fewer into which neighbours are merged. A fold tests, the official one behind it
    validates, and the others train: no person is in two of the three. Pairs of digits stand in for faces, not folded.
    """
    found = sources.find("lfw")
    if found.record["stands_in_for"] is not None:
        stored = [labelled_images(found.builder, split) for split in found.builder.info.splits]
        record = {**found.record, "preprocessing": f"pairs, half of them of one digit, pixels of {STANDARDIZED}"}
        return [digit_pairs(*images) for images in stored], record
    official = len(found.builder.info.splits)
    folds = official if folds is None else folds
    if folds < 1 or official % folds:
        raise ValueError(f"Expected folds that the {official} official ones can be merged into. Received: {folds}")
    if not 1 <= fold <= folds:
        raise ValueError(f"Expected a fold between 1 and {folds}. Received: {fold}")
    merged = official // folds
    others = [f"fold_{1 + (merged * (fold - 1) + step) % official:02d}" for step in range(official)]
    pairs = [face_pairs(found.builder, name) for name in others]
    uses = pairs[merged + 1 :], pairs[merged : merged + 1], pairs[:merged]
    arrays = [tuple(np.concatenate(part) for part in zip(*of_use, strict=True)) for of_use in uses]
    which = f"fold {fold} to test" if folds == official else f"fold {fold} of {folds} to test"
    return arrays, {**found.record, "preprocessing": f"32 x 32 pixels, {STANDARDIZED}; {which}"}


def single_faces(pairs: np.ndarray) -> np.ndarray:
    """Return the two images of each pair one by one."""
    return pairs.reshape(-1, *pairs.shape[2:])


def digit_pairs(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each image with another one, every second time of the same label, and 1 where it is."""
    rng = np.random.default_rng(2010)
    same, places = np.arange(len(labels), dtype="int32") % 2, np.arange(len(labels))
    partners = [
        rng.choice(np.flatnonzero(((labels == labels[i]) == bool(wanted)) & (places != i)))
        for i, wanted in zip(places, same, strict=True)
    ]
    return np.stack([images, images[partners]], 1), same


@functools.lru_cache(maxsize=10)
def face_pairs(builder: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a fold's pairs of faces, uint8 of shape (n, 2, 32, 32, 3), and 1 where both show one person."""
    stored = _stored(builder, split)
    return np.stack([stored["image1"], stored["image2"]], 1), stored["same"].astype("int32")


def imdb(batch: int, seed: int | None, terms: int = 5000) -> Splits:
    """Return film reviews as bags of words, the last 2,500 training texts to validate.

    A column is 1 where a review holds the term; the terms are the commonest of the training texts.
    """
    found, splits = sources.find("imdb"), review_splits()
    words = bag_of_words(found.builder, terms, splits[0])
    arrays = [_bags(found.builder, words, split) for split in splits]
    kept = words.vocabulary_size() - 1
    record = {**found.record, "preprocessing": f"presence of the {kept} commonest terms of the training texts"}
    return _splits(arrays, batch, seed, record, lambda x: tf.cast(x, tf.float32))


def review_splits() -> list[str]:
    """Return the splits of the reviews to train, to validate and to test."""
    found = sources.find("imdb")
    if found.record["stands_in_for"] is not None:
        return list(found.builder.info.splits)
    # tensorflow-datasets has shuffled the reviews.
    return ["train[:-2500]", "train[-2500:]", "test"]


@functools.lru_cache(maxsize=2)
def bag_of_words(builder: Any, terms: int, split: str) -> keras.layers.TextVectorization:
    """Return what looks up the commonest terms of a split; its first column stands for all other words."""
    layer = keras.layers.TextVectorization(max_tokens=terms + 1, output_mode="multi_hot", name="words")
    layer.adapt(_texts(_stored(builder, split)["text"]))
    return layer


@functools.lru_cache(maxsize=6)
def _bags(builder: Any, words: keras.layers.TextVectorization, split: str) -> tuple[np.ndarray, np.ndarray]:
    stored = _stored(builder, split)
    bags = [np.asarray(words(texts))[:, 1:].astype("uint8") for texts in _texts(stored["text"])]
    return np.concatenate(bags), np.asarray(stored["label"], "int32")


def _texts(texts: np.ndarray) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(texts).batch(UNSEEN_BATCH)


def _images(
    name: str, splits: Iterable[str], batch: int, seed: int | None, train: int | None = None, pixels: str = "unit"
) -> Splits:
    found = sources.find(name)
    if found.record["stands_in_for"] is not None:
        splits = found.builder.info.splits
    images, *unseen = [labelled_images(found.builder, split) for split in splits]
    arrays = [(images[0][:train], images[1][:train]), *unseen]
    preprocessing, prepared = PIXELS[pixels]
    return _splits(arrays, batch, seed, {**found.record, "preprocessing": preprocessing}, prepared(arrays[0][0]))


@functools.lru_cache(maxsize=8)
def labelled_images(builder: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a split's images, uint8, and labels, int32."""
    stored = _stored(builder, split)
    return stored["image"], stored["label"].astype("int32")


def _stored(builder: Any, split: str) -> dict[str, np.ndarray]:
    return tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, shuffle_files=False))


def _splits(arrays: list, batch: int, seed: int | None, record: dict, prepared: Callable) -> Splits:
    (x, y), *unseen = arrays
    validation, test = (_pipeline(x, y, UNSEEN_BATCH, prepared) for x, y in unseen)
    sizes = dict(zip(("train", "validation", "test"), (len(labels) for _, labels in arrays), strict=True))
    return Splits(_pipeline(x, y, batch, prepared, seed), validation, test, {**record, "sizes": sizes})


def _pipeline(x: np.ndarray, y: np.ndarray, batch: int, prepared: Callable, seed: int | None = None) -> tf.data.Dataset:
    inputs, labels = tf.constant(x), tf.constant(y)
    data = tf.data.Dataset.range(len(y))
    if seed is not None:
        data = data.shuffle(len(y), seed=seed, reshuffle_each_iteration=True)
    # A batch is gathered and mapped at once: that costs a tenth of a map over its images.
    data = data.batch(batch).map(
        lambda rows: (prepared(tf.gather(inputs, rows)), tf.gather(labels, rows)), num_parallel_calls=tf.data.AUTOTUNE
    )
    options = tf.data.Options()
    options.deterministic = True
    return data.prefetch(tf.data.AUTOTUNE).with_options(options)


def note(record: dict) -> str:
    """Return the sentence by which a page says what it ran on."""
    sizes = ", ".join(f"{size:,} to {use}" for use, size in _uses(record["sizes"]))
    # The first records were written before sources had versions.
    version = f" (version {record['version']})" if "version" in record else ""
    origin = f"**{record['name']}**{version}: {sizes}; {record['preprocessing']}."
    if record["stands_in_for"]:
        origin = f"**Stand-in.** In place of {record['stands_in_for']}: {origin}"
    return f"{origin} {record['caveat']}" if "caveat" in record else origin


def _uses(sizes: dict[str, int]) -> list[tuple[str, int]]:
    uses = {"train": "train", "validation": "validate", "test": "test"}
    return [(uses[name], size) for name, size in sizes.items()]
