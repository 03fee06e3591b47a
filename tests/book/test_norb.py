"""Does the NORB builder read exactly what the official files hold, a little at a time, and refuse broken ones?"""

import contextlib
import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from reruns.data.norb import binary_matrix
from reruns.data.norb.binary_matrix import BinaryMatrix
from reruns.data.norb.builder import NorbJitteredCluttered

TRAINING = [f"norb-5x46789x9x18x6x2x108x108-training-{number:02d}" for number in range(1, 11)]
TESTING = [f"norb-5x01235x9x18x6x2x108x108-testing-{number}" for number in ("01", "02")]
FIELDS = (
    "instance elevation azimuth lighting "
    "horizontal_shift vertical_shift luminance_change contrast object_scale rotation"
)
NAMES = ["animal", "human", "airplane", "truck", "car", "none"]
UINT8, INT32 = 0x1E3D4C55, 0x1E3D4C54


def matrix(magic: int, shape: tuple[int, ...], data: bytes) -> bytes:
    """The official format, written from its description and not by the reader's own code."""
    stored = [*shape, 1, 1][: max(3, len(shape))]
    return struct.pack(f"<ii{len(stored)}i", magic, len(shape), *stored) + data


def part(rng: np.random.Generator, pairs: int) -> dict:
    info = rng.integers(-6, 35, (pairs, 10)).astype("<i4")
    categories = (np.arange(pairs) % 6).astype("<i4")
    info[categories == 5, :4] = -1
    return {"dat": rng.integers(0, 256, (pairs, 2, 108, 108)).astype("u1"), "cat": categories, "info": info}


def write(folder: Path, name: str, arrays: dict, packed: bool) -> None:
    for kind, array in arrays.items():
        contents = matrix(UINT8 if kind == "dat" else INT32, array.shape, array.tobytes())
        if packed:
            (folder / f"{name}-{kind}.mat.gz").write_bytes(gzip.compress(contents, 1, mtime=0))
        else:
            (folder / f"{name}-{kind}.mat").write_bytes(contents)


@pytest.fixture(scope="module")
def official():
    """What the twelve parts hold: seven pairs in the first, so that each class is there, and two in the others."""
    rng = np.random.default_rng(2010)
    return {name: part(rng, 7 if name.endswith("01") else 2) for name in TRAINING + TESTING}


def place(folder: Path, official: dict) -> Path:
    """Write all 36 files, every other part packed."""
    manual = folder / "manual"
    manual.mkdir()
    for number, (name, arrays) in enumerate(official.items()):
        write(manual, name, arrays, packed=number % 2 == 0)
    return manual


def prepare(folder: Path):
    builder = NorbJitteredCluttered(data_dir=folder / "data")
    config = tfds.download.DownloadConfig(manual_dir=folder / "manual")
    builder.download_and_prepare(download_dir=folder / "downloads", download_config=config)
    return builder


@pytest.fixture(scope="module")
def prepared(official, tmp_path_factory):
    folder = tmp_path_factory.mktemp("norb")
    manual = place(folder, official)
    # Where both are there, the unpacked one is read.
    (manual / f"{TRAINING[1]}-dat.mat.gz").write_bytes(b"not read")
    return prepare(folder)


@pytest.mark.parametrize(("split", "parts"), [("train", TRAINING), ("test", TESTING)])
def test_every_pair_comes_out_as_it_was_written(prepared, official, split, parts):
    expected = {}
    for name in parts:
        for pair, category, info in zip(*(official[name][kind] for kind in ("dat", "cat", "info")), strict=True):
            expected[pair.tobytes()] = (category, *info)
    found = {}
    for row in tfds.as_numpy(prepared.as_dataset(split)):
        assert row["image"].shape == row["image2"].shape == (108, 108, 1)
        values = tuple(int(row[name]) for name in ("label_category", *FIELDS.split()))
        found[row["image"].tobytes() + row["image2"].tobytes()] = values
    assert found == expected
    assert prepared.info.splits[split].num_examples == len(expected) == 7 + 2 * (len(parts) - 1)


def test_it_is_loaded_by_name_with_the_features_of_smallnorb(prepared, tmp_path):
    assert tfds.builder_cls("norb_jittered_cluttered") is NorbJitteredCluttered
    data, info = tfds.load(
        "norb_jittered_cluttered",
        split="test",
        data_dir=prepared.data_path.parents[1],
        download=False,
        as_supervised=True,
        with_info=True,
    )
    assert {tuple(x.shape) for x, _ in data} == {(108, 108, 1)}
    small = tfds.builder("smallnorb", data_dir=tmp_path).info
    assert {"image", "image2", "label_category", "instance"} <= set(small.features) & set(info.features)
    assert info.supervised_keys == small.supervised_keys
    assert info.features["label_category"].names == NAMES
    # The same order, if in other words: "four-legged animals" for "animal".
    for ours, theirs in zip(NAMES, small.features["label_category"].names, strict=False):
        assert ours in theirs
    assert {np.dtype(info.features[name].np_dtype) for name in FIELDS.split()} == {np.dtype("int32")}


def test_all_missing_files_are_named_and_only_those(official, tmp_path):
    manual = place(tmp_path, official)
    missing = [f"{TRAINING[2]}-dat.mat.gz", f"{TRAINING[9]}-cat.mat", f"{TESTING[1]}-info.mat"]
    for name in missing:
        (manual / name).unlink()
    with pytest.raises(FileNotFoundError, match="36 files.* Received: 33") as refusal:
        prepare(tmp_path)
    named = str(refusal.value).split("missing: ")[1].split(", ")
    assert named == [name.removesuffix(".gz") for name in missing]


def test_an_empty_folder_is_answered_with_instructions(tmp_path):
    with pytest.raises(AssertionError, match=f"{TRAINING[0]}-dat.mat.gz"):
        prepare(tmp_path)


def pairs(kind: str, array: np.ndarray, magic: int = INT32) -> dict:
    return {kind: matrix(magic, array.shape, array.tobytes())}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            pairs("cat", np.zeros(3, "<i4")),
            "cat.mat: expected int32 elements of shape .2,.*Received: int32 of shape .3,",
        ),
        (pairs("info", np.zeros((1, 10), "<i4")), "info.mat: expected .*2, 10.*Received: .*1, 10"),
        (pairs("info", np.zeros((2, 4), "<i4")), "info.mat: expected .*2, 10.*Received: .*2, 4"),
        (pairs("dat", np.zeros((2, 2, 96, 96), "u1"), UINT8), "dat.mat: expected .*2, 2, 108, 108.*2, 2, 96, 96"),
        (pairs("cat", np.zeros(2, "u1"), UINT8), "cat.mat: expected int32 .*Received: uint8"),
        (pairs("cat", np.array([0, 6], "<i4")), "cat.mat: expected categories from 0 to 5. Received: .6."),
        (pairs("cat", np.array([-1, 5], "<i4")), "cat.mat: expected categories from 0 to 5. Received: .-1."),
    ],
)
def test_files_that_do_not_agree_are_refused_before_an_image_is_read(official, tmp_path, broken, message):
    manual = place(tmp_path, official)
    for kind, contents in broken.items():
        (manual / f"{TESTING[1]}-{kind}.mat").write_bytes(contents)
    # Were it read first, its own fault would be told.
    packed = manual / f"{TRAINING[0]}-dat.mat.gz"
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ValueError, match=f"{TESTING[1]}-{message}"):
        prepare(tmp_path)


@pytest.mark.parametrize("change", ["short", "long"])
def test_a_failed_preparation_leaves_nothing_and_a_mended_one_succeeds(official, tmp_path, change):
    manual = place(tmp_path, official)
    path = manual / f"{TESTING[1]}-dat.mat"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] if change == "short" else whole + b"x")
    before = {file: file.stat().st_mtime_ns for file in manual.iterdir()}
    with pytest.raises(ValueError, match=f"{path.name}: expected .*Received: a {change}er file"):
        prepare(tmp_path)
    assert [file for file in tmp_path.rglob("*") if file.is_file() and file.parent != manual] == []
    assert list((tmp_path / "data").rglob("1.0.0*")) == list((tmp_path / "data").rglob("*incomplete*")) == []
    assert {file: file.stat().st_mtime_ns for file in manual.iterdir()} == before
    path.write_bytes(whole)
    assert prepare(tmp_path).info.splits["test"].num_examples == 9


@pytest.mark.parametrize(
    ("magic", "dtype"),
    [
        (0x1E3D4C51, "float32"),
        (0x1E3D4C53, "float64"),
        (0x1E3D4C54, "int32"),
        (0x1E3D4C55, "uint8"),
        (0x1E3D4C56, "int16"),
        (0x1E3D4C57, "int8"),
    ],
)
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4), (3, 2, 2, 5)])
@pytest.mark.parametrize("packed", [False, True])
def test_every_element_type_is_read_in_every_rank(tmp_path, rng, magic, dtype, shape, packed):
    array = (rng.normal(size=shape) * 50).astype(dtype)
    # Element by element in the order of struct's own little-endian codes.
    code = {"float32": "f", "float64": "d", "int32": "i", "uint8": "B", "int16": "h", "int8": "b"}[dtype]
    contents = matrix(magic, shape, struct.pack(f"<{array.size}{code}", *array.ravel().tolist()))
    path = tmp_path / ("m.mat.gz" if packed else "m.mat")
    path.write_bytes(gzip.compress(contents, mtime=0) if packed else contents)
    read = BinaryMatrix(path)
    assert (read.dtype, read.shape) == (np.dtype(dtype), shape)
    np.testing.assert_array_equal(read.read(), array, strict=True)


def test_a_file_is_known_by_its_contents_not_by_its_name(tmp_path):
    array = np.arange(5, dtype="<i4")
    contents = matrix(INT32, (5,), array.tobytes())
    for name, stored in (("m.mat.gz", contents), ("m.mat", gzip.compress(contents, mtime=0))):
        (tmp_path / name).write_bytes(stored)
        np.testing.assert_array_equal(BinaryMatrix(tmp_path / name).read(), array)


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_file_is_read_in_small_memory(tmp_path, packed):
    rows, row = 2900, (2, 108, 108)
    path = tmp_path / "m.mat"
    with gzip.open(path, "wb", compresslevel=1) if packed else open(path, "wb") as file:
        file.write(matrix(UINT8, (rows, *row), b""))
        for index in range(rows):
            file.write(bytes([index % 256]) * 23328)
    tracemalloc.start()
    try:
        with contextlib.closing(BinaryMatrix(path).blocks()) as blocks:
            seen = np.concatenate([block[:, 1, 107, 107].copy() for block in blocks])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(seen, np.arange(rows) % 256)
    assert peak < 5 * binary_matrix.BLOCK_BYTES < rows * 23328 / 3


SOUND = matrix(INT32, (3, 2), bytes(24))
PACKED = gzip.compress(SOUND, mtime=0)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "a header. Received: a shorter file"),
        (SOUND[:3], "a header. Received: a shorter file"),
        (SOUND[:6], "a header. Received: a shorter file"),
        (SOUND[:19], "a header. Received: a shorter file"),
        (SOUND[:-1], "int32 elements of shape .3, 2.. Received: a shorter file"),
        (SOUND + b"\0", "int32 elements of shape .3, 2. and no more. Received: a longer file"),
        (gzip.compress(SOUND[:-1], mtime=0), "int32 elements of shape .3, 2.. Received: a shorter file"),
        (gzip.compress(SOUND + b"\0", mtime=0), "and no more. Received: a longer file"),
        (PACKED[:-1], "a whole and undamaged gzip file"),
        (PACKED[:15], "a whole and undamaged gzip file"),
        (PACKED[:-8] + bytes(8), "a whole and undamaged gzip file. Received: CRC"),
        (PACKED[:10] + b"\xff" + PACKED[11:], "a whole and undamaged gzip file"),
        (PACKED + b"\n<html>", "a whole and undamaged gzip file"),
        (matrix(0x1E3D4C58, (3,), bytes(12)), "magic number among 0x1E3D4C51.* Received: 0x1E3D4C58"),
        (b"<!DOCTYPE html>", "magic number among .*Received: 0x4F44213C"),
        (matrix(0x1E3D4C52, (3,), bytes(12)), "Received: 0x1E3D4C52, a packed matrix"),
        (struct.pack(">iiiii", UINT8, 1, 3, 1, 1) + bytes(3), "Received: 0x554C3D1E, the big-endian form"),
        (matrix(INT32, (-3, 2), bytes(24)), "2 positive dimensions.* Received: .-3, 2, 1."),
        (matrix(INT32, (3, 0), b""), "2 positive dimensions.* Received: .3, 0, 1."),
        (struct.pack("<iiiii", INT32, 2, 3, 2, 2) + bytes(24), "made up to three by ones. Received: .3, 2, 2."),
        (struct.pack("<iiiii", INT32, 0, 1, 1, 1) + bytes(4), "from 1 to 32 dimensions. Received: 0"),
        (struct.pack("<ii", INT32, -1), "from 1 to 32 dimensions. Received: -1"),
        (struct.pack("<ii", INT32, 2**30) + bytes(99), "from 1 to 32 dimensions. Received: 1073741824"),
        # 2^62 elements fit into an int64, their bytes do not; NumPy's product of the second is 0.
        (matrix(INT32, (2**31 - 1, 2**31 - 1), bytes(24)), "no more elements than a file can hold"),
        (matrix(INT32, (2**16, 2**16, 2**16, 2**16), bytes(24)), "no more elements than a file can hold"),
        (matrix(UINT8, (2, 2**31 - 1, 2**31 - 1), bytes(24)), "Received: a shorter file"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, contents, message):
    path = tmp_path / "norb.mat"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=f"norb.mat: expected .*{message}.* Replace the file"):
        BinaryMatrix(path).read()
