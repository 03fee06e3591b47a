"""Labeled Faces in the Wild, View 2: pairs of photographs of one person or of two, in folds that share nobody."""

import dataclasses
import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

# In the order of preference.
SOURCES = ("lfw-deepfunneled.zip", "lfw-deepfunneled.tgz", "lfw-deepfunneled", "lfw.tgz", "lfw")

INSTRUCTIONS = f"""\
Place two things of http://vis-www.cs.umass.edu/lfw/ in the manual download folder: pairs.txt, the protocol of View 2,
and the photographs aligned by deep funneling, as an archive or unpacked: {", ".join(SOURCES[:3])}
({" and ".join(SOURCES[3:])} are read too, but their faces are not aligned)."""

CITATION = """\
@techreport{huang2007labeled,
  author = {Huang, Gary B. and Ramesh, Manu and Berg, Tamara and Learned-Miller, Erik},
  title = {Labeled Faces in the Wild: A Database for Studying Face Recognition in Unconstrained Environments},
  institution = {University of Massachusetts, Amherst},
  number = {07-49},
  year = {2007}
}"""


class Face(NamedTuple):
    """A photograph, as pairs.txt names it."""

    name: str
    number: int

    @property
    def file(self) -> str:
        return f"{self.name}_{self.number:04d}.jpg"


Pair = tuple[Face, Face]


@dataclasses.dataclass(eq=False)
class LfwPairsConfig(tfds.core.BuilderConfig):
    """The central window of each photograph, in pixels a side, and the size it is averaged down to."""

    # Made from the numbers, so that no two windows or sizes are ever prepared into one folder.
    name: str = dataclasses.field(init=False)
    window: int = 144
    size: int = 32

    def __post_init__(self) -> None:
        if not 0 < self.size <= self.window:
            raise ValueError(f"Expected 0 < size <= window. Received: size={self.size}, window={self.window}")
        self.name = f"{self.window}_to_{self.size}"


class LfwPairs(tfds.core.GeneratorBasedBuilder):
    """Ten splits `fold_01` to `fold_10` of 600 pairs, half of them of one person, cropped as Nair & Hinton (2010) do.

    A fold is tested after training on the other nine: `training_split`. `info.metadata["photographs"]` says which
    archive or folder was read.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Pairs of View 2."}
    BUILDER_CONFIGS: ClassVar = [LfwPairsConfig()]
    MANUAL_DOWNLOAD_INSTRUCTIONS = INSTRUCTIONS

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.size
        image = tfds.features.Image(shape=(size, size, 3), encoding_format="png")
        features = {
            "image1": image,
            "image2": image,
            "same": tfds.features.ClassLabel(names=("different", "same")),
            "fold": np.int32,
            "name1": tfds.features.Text(),
            "name2": tfds.features.Text(),
            "number1": np.int32,
            "number2": np.int32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Labeled Faces in the Wild, the pairs and folds of View 2, with small colour images.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=(("image1", "image2"), "same"),
            homepage="http://vis-www.cs.umass.edu/lfw/",
            citation=CITATION,
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = Path(dl_manager.manual_dir)
        source = next((folder / name for name in SOURCES if (folder / name).exists()), None)
        if source is None or not (folder / "pairs.txt").is_file():
            lacking = "photographs" if source is None else "pairs.txt"
            raise FileNotFoundError(f"{INSTRUCTIONS} Received: {folder} without {lacking}")
        folds = read_pairs(folder / "pairs.txt")
        photographs = read_photographs(source, {face.file for pairs in folds for pair in pairs for face in pair})
        self.info.metadata["photographs"] = source.name
        return {
            f"fold_{fold:02d}": self._generate_examples(fold, pairs, photographs) for fold, pairs in enumerate(folds, 1)
        }

    def _generate_examples(
        self, fold: int, pairs: list[Pair], photographs: dict[str, bytes]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, pair in enumerate(pairs):
            example: dict[str, Any] = {"fold": fold, "same": int(pair[0].name == pair[1].name)}
            for which, face in zip("12", pair, strict=True):
                image = self._image(face.file, photographs[face.file])
                example |= {f"image{which}": image, f"name{which}": face.name, f"number{which}": face.number}
            yield index, example

    def _image(self, file: str, photograph: bytes) -> np.ndarray:
        try:
            return centre(photograph, self.builder_config.window, self.builder_config.size)
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            message = getattr(error, "message", error)
            raise ValueError(f"{file} was expected to be a whole photograph. Received: {message}") from None


def training_split(fold: int, folds: int = 10) -> str:
    """Return the split of the pairs that a fold's model is trained on: those of every other fold."""
    if not 1 <= fold <= folds:
        raise ValueError(f"Expected a fold between 1 and {folds}. Received: {fold}")
    return "+".join(f"fold_{other:02d}" for other in range(1, folds + 1) if other != fold)


def single_faces(pairs: tf.data.Dataset) -> tf.data.Dataset:
    """Return the two faces of each pair one by one, with repetition: 10,800 from the training pairs of a fold."""

    def both(pair: dict[str, tf.Tensor]) -> tf.data.Dataset:
        keys = ("image", "name", "number")
        return tf.data.Dataset.from_tensor_slices({key: tf.stack([pair[f"{key}1"], pair[f"{key}2"]]) for key in keys})

    return pairs.flat_map(both)


def centre(photograph: bytes, window: int, size: int) -> np.ndarray:
    """Return the central window of a JPEG as a uint8 image of size x size x 3, each pixel the mean of its area."""
    # The default method is faster, and darker by one grey level on average in a ramp of colours.
    image = tf.io.decode_jpeg(photograph, channels=3, dct_method="INTEGER_ACCURATE")
    height, width, _ = image.shape
    if min(height, width) < window:
        raise ValueError(f"{height}x{width} pixels, smaller than the window of {window}x{window}")
    top, left = (height - window) // 2, (width - window) // 2
    image = tf.image.resize(image[top : top + window, left : left + window], (size, size), method="area")
    return tf.cast(tf.round(image), tf.uint8).numpy()


def read_pairs(path: Path) -> list[list[Pair]]:
    """Return the pairs of each fold; its first line says how many folds, and how many pairs of each kind in a fold."""
    header, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    counts = header.split("\t")
    if len(counts) != 2 or not all(map(_is_positive, counts)):
        raise ValueError(f"{path}, line 1: expected two positive numbers, folds and pairs. Received: {header!r}")
    folds, pairs = map(int, counts)
    if len(lines) != folds * 2 * pairs:
        raise ValueError(f"{path}: expected {folds} x 2 x {pairs} pairs after line 1. Received: {len(lines)} lines")
    # In each fold the pairs of one person come first.
    parsed = [_pair(f"{path}, line {i + 2}", line, i % (2 * pairs) < pairs) for i, line in enumerate(lines)]
    by_fold = [parsed[start : start + 2 * pairs] for start in range(0, len(parsed), 2 * pairs)]
    _refuse_shared_people(path, by_fold)
    return by_fold


def _pair(where: str, line: str, same: bool) -> Pair:
    fields = line.split("\t")
    names, numbers = (fields[:1] * 2, fields[1:]) if same else (fields[::2], fields[1::2])
    named = len(fields) == (3 if same else 4) and all(name.strip() for name in names)
    if not named or not all(map(_is_positive, numbers)) or (names[0] == names[1]) != same:
        expected = "a name and two positive numbers" if same else "two people, each a name and a positive number"
        raise ValueError(f"{where}: expected {expected}, separated by tabs. Received: {line!r}")
    return Face(names[0], int(numbers[0])), Face(names[1], int(numbers[1]))


def _is_positive(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _refuse_shared_people(path: Path, folds: list[list[Pair]]) -> None:
    fold_of: dict[str, int] = {}
    for fold, pairs in enumerate(folds, 1):
        for name in (face.name for pair in pairs for face in pair):
            if fold_of.setdefault(name, fold) != fold:
                raise ValueError(
                    f"{path}: expected folds that share nobody. Received: {name} in folds {fold_of[name]} and {fold}"
                )


def read_photographs(source: Path, wanted: set[str]) -> dict[str, bytes]:
    """Return the wanted files of a folder or an archive, still encoded: 70 MB, whatever size the images get."""
    try:
        photographs = dict(_files(source, wanted))
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{source} was expected to be a whole archive. Download it again. Received: {error}") from None
    if missing := sorted(wanted - photographs.keys()):
        named = ", ".join(missing[:3]) + (", ..." if missing[3:] else "")
        raise ValueError(f"{source} lacks {len(missing)} of the {len(wanted)} photographs of pairs.txt: {named}")
    return photographs


def _files(source: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    # By file name alone: it names the person, and the folders above it differ from one distribution to the next.
    if source.is_dir():
        yield from ((path.name, path.read_bytes()) for path in source.rglob("*.jpg") if path.name in wanted)
    elif source.suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            for member in archive.namelist():
                if (name := PurePosixPath(member).name) in wanted:
                    yield name, archive.read(member)
    else:
        with gzip.open(source) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for entry in archive:
                if (name := PurePosixPath(entry.name).name) in wanted and (file := archive.extractfile(entry)):
                    yield name, file.read()
            # The checksum of the whole comes after the last member, where a tar reader stops.
            while stream.read(1 << 20):
                pass
