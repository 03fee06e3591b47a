"""The jittered-cluttered NORB of Huang and LeCun as a tensorflow-datasets builder.

Importing this module registers it: `tfds.load("norb_jittered_cluttered")` reads it once it is prepared from the
official files, which have to be placed by hand in the manual download folder.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from reruns.data.norb.binary_matrix import BinaryMatrix

HOMEPAGE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0/"
PARTS = {
    "train": [f"norb-5x46789x9x18x6x2x108x108-training-{number:02d}" for number in range(1, 11)],
    "test": [f"norb-5x01235x9x18x6x2x108x108-testing-{number:02d}" for number in range(1, 3)],
}
# The element type of each of a part's three files, and the shape of one of its rows.
LAYOUT: dict[str, tuple[str, tuple[int, ...]]] = {
    "dat": ("uint8", (2, 108, 108)),
    "cat": ("int32", ()),
    "info": ("int32", (10,)),
}
CATEGORIES = ("animal", "human", "airplane", "truck", "car", "none")
INFO = (
    "instance",
    "elevation",
    "azimuth",
    "lighting",
    "horizontal_shift",
    "vertical_shift",
    "luminance_change",
    "contrast",
    "object_scale",
    "rotation",
)


class Part(NamedTuple):
    """One of the twelve parts of the data set: image pairs that stay in their file, and what is known of each."""

    name: str
    pairs: BinaryMatrix
    categories: np.ndarray
    info: np.ndarray


class NorbJitteredCluttered(tfds.core.GeneratorBasedBuilder):
    """Stereo pairs of toys, jittered and put on cluttered backgrounds: 291,600 to train on and 58,320 to test.

    `image` and `image2` are the pair and `label_category` the class, named as in tensorflow-datasets' `smallnorb`; the
    sixth class, `none`, is background without a toy. The ten numbers of the info file are stored as they are:
    `instance` 0-9, `elevation` 0-8 (30 degrees and 5 a step), `azimuth` 0, 2, ..., 34 (tens of degrees; `smallnorb`
    halves it), `lighting` 0-5, then what was done to the toy.

    Their order agrees with two public loaders (scikit-data, pylearn2), but the official files were not at hand, and
    three things are unconfirmed: the info of `none` (-1 in the first four, says pylearn2); what the whole numbers of
    `contrast` and `object_scale` stand for, whose published ranges are 0.8-1.3 and 0.78-1.0; and the 29,160 pairs of
    every part. So none of these is checked.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    Fetch the 36 files of the jittered-cluttered NORB from {HOMEPAGE} and place them in the manual download folder,
    packed or unpacked: {PARTS["train"][0]}-dat.mat.gz, the same with cat and info for dat, and so on up to training-10;
    {PARTS["test"][0]}-dat.mat.gz and so on up to testing-02.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(108, 108, 1), encoding_format="png"),
            "image2": tfds.features.Image(shape=(108, 108, 1), encoding_format="png"),
            "label_category": tfds.features.ClassLabel(names=CATEGORIES),
            **{name: np.int32 for name in INFO},
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="The jittered-cluttered NORB: stereo pairs of toys of five classes on cluttered backgrounds, "
            "and backgrounds alone.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label_category"),
            homepage=HOMEPAGE,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        files = _found(Path(dl_manager.manual_dir))
        # Headers, labels and info are read before the first image, so that most mistakes show at once.
        parts = {split: [_part(name, files) for name in names] for split, names in PARTS.items()}
        return {split: self._generate_examples(parts[split]) for split in parts}

    def _generate_examples(self, parts: list[Part]) -> Iterator[tuple[str, dict[str, Any]]]:
        for part in parts:
            pairs = chain.from_iterable(part.pairs.blocks())
            for row, (pair, category, info) in enumerate(zip(pairs, part.categories, part.info, strict=True)):
                yield (
                    f"{part.name}-{row:05d}",
                    {
                        "image": pair[0, :, :, None],
                        "image2": pair[1, :, :, None],
                        "label_category": int(category),
                        **dict(zip(INFO, info.tolist(), strict=True)),
                    },
                )


def _found(folder: Path) -> dict[str, Path]:
    """Return the file of each name; those that are missing are all named at once."""
    names = [f"{part}-{kind}.mat" for parts in PARTS.values() for part in parts for kind in LAYOUT]
    # Of two the unpacked one, listed last, is read: it is faster.
    files = {name: folder / file for name in names for file in (f"{name}.gz", name) if (folder / file).is_file()}
    missing = [name for name in names if name not in files]
    if missing:
        raise FileNotFoundError(
            f"Expected {len(names)} files of the jittered-cluttered NORB in {folder}, as .mat.gz or .mat. "
            f"Received: {len(files)}. Fetch from {HOMEPAGE} what is missing: {', '.join(missing)}"
        )
    return files


def _part(name: str, files: dict[str, Path]) -> Part:
    """Return a part whose three files agree and whose categories exist."""
    matrices = {kind: BinaryMatrix(files[f"{name}-{kind}.mat"]) for kind in LAYOUT}
    pairs = matrices["dat"].shape[0]
    for kind, matrix in matrices.items():
        dtype, row = LAYOUT[kind]
        if (matrix.dtype.name, matrix.shape) != (dtype, (pairs, *row)):
            raise ValueError(
                f"{matrix.path}: expected {dtype} elements of shape {(pairs, *row)}, as {matrices['dat'].path.name} "
                f"has {pairs} pairs. Received: {matrix.dtype.name} of shape {matrix.shape}. Replace whichever of the "
                "two is not the official file."
            )
    categories = matrices["cat"].read()
    odd = sorted(set(categories.tolist()) - set(range(len(CATEGORIES))))
    if odd:
        raise ValueError(
            f"{matrices['cat'].path}: expected categories from 0 to {len(CATEGORIES) - 1}. Received: {odd}. "
            "Replace the file by a fresh copy of the official one."
        )
    return Part(name, matrices["dat"], categories, matrices["info"].read())
