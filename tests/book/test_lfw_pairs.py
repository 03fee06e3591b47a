"""Are the face pairs of View 2 read as the protocol says, cropped by a closed form, and is every bad input named?"""

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from reruns.data import lfw_pairs

tfds.disable_progress_bar()

PAIRS = """\
2\t2
Ann_Ash\t1\t2
Bo_Birk\t1\t12
Ann_Ash\t1\tBo_Birk\t1
Ann_Ash\t2\tBo_Birk\t12
Cy_Cole\t1\t2
Cy_Cole\t2\t3
Cy_Cole\t1\tDee_Dorn\t1
Cy_Cole\t3\tDee_Dorn\t1
"""

COLOURS = {
    ("Ann_Ash", 1): (20, 40, 60),
    ("Ann_Ash", 2): (200, 40, 60),
    ("Bo_Birk", 1): (20, 220, 60),
    ("Bo_Birk", 12): (20, 40, 240),
    ("Cy_Cole", 1): (120, 120, 0),
    ("Cy_Cole", 2): (0, 120, 120),
    ("Cy_Cole", 3): (120, 0, 120),
    ("Dee_Dorn", 1): (250, 250, 250),
}

FOLDS = {
    "fold_01": {
        ("Ann_Ash", 1, "Ann_Ash", 2, 1, 1),
        ("Bo_Birk", 1, "Bo_Birk", 12, 1, 1),
        ("Ann_Ash", 1, "Bo_Birk", 1, 0, 1),
        ("Ann_Ash", 2, "Bo_Birk", 12, 0, 1),
    },
    "fold_02": {
        ("Cy_Cole", 1, "Cy_Cole", 2, 1, 2),
        ("Cy_Cole", 2, "Cy_Cole", 3, 1, 2),
        ("Cy_Cole", 1, "Dee_Dorn", 1, 0, 2),
        ("Cy_Cole", 3, "Dee_Dorn", 1, 0, 2),
    },
}


def jpeg(image):
    return tf.io.encode_jpeg(np.asarray(image, "uint8"), quality=100, chroma_downsampling=False).numpy()


def portrait(colour):
    """A constant face in a surrounding of another colour, which the window must leave out."""
    image = np.full((250, 250, 3), 128)
    image[45:205, 45:205] = colour
    return jpeg(image)


def ramps():
    """Red is the row, green the column, and blue alternates row by row between 0 and 200."""
    rows, columns = np.indices((250, 250))
    return jpeg(np.stack([rows, columns, 200 * (rows % 2)], axis=-1))


def photographs():
    root = "lfw-deepfunneled"
    return {f"{root}/{name}/{name}_{number:04d}.jpg": portrait(c) for (name, number), c in COLOURS.items()}


def store(folder, files, source="lfw-deepfunneled.zip", pairs=PAIRS):
    folder.mkdir(exist_ok=True)
    (folder / "pairs.txt").write_bytes(pairs.encode())
    if source.endswith(".zip"):
        with zipfile.ZipFile(folder / source, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif source.endswith(".tgz"):
        with tarfile.open(folder / source, "w:gz") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    else:
        for name, content in files.items():
            path = folder / source / name.split("/", 1)[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def prepared(tmp_path, config=None):
    builder = lfw_pairs.LfwPairs(data_dir=tmp_path / "data", config=config)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "manual"))
    return builder


def examples(builder, split):
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


@pytest.fixture
def manual(tmp_path):
    store(tmp_path / "manual", photographs())
    return tmp_path / "manual"


@pytest.mark.parametrize("source", ["lfw-deepfunneled.zip", "lfw-deepfunneled.tgz", "lfw-deepfunneled", "lfw"])
def test_pairs_folds_and_faces_are_those_of_the_protocol(tmp_path, source):
    # Windows line ends, and files that the protocol does not name.
    others = {"lfw-deepfunneled/Eve_Elm/Eve_Elm_0001.jpg": b"no photograph", "__MACOSX/._Ann_Ash_0001.jpg": b"none"}
    store(tmp_path / "manual", photographs() | others, source, PAIRS.replace("\n", "\r\n"))
    builder = prepared(tmp_path)
    assert set(builder.info.splits) == set(FOLDS)
    for split, expected in FOLDS.items():
        found = examples(builder, split)
        assert len(found) == len(expected)
        rows = {tuple(e[key] for key in ("name1", "number1", "name2", "number2", "same", "fold")) for e in found}
        assert {(a.decode(), i, b.decode(), j, same, fold) for a, i, b, j, same, fold in rows} == expected
        for example in found:
            for which in "12":
                face = example[f"image{which}"]
                assert (face.shape, face.dtype) == ((32, 32, 3), "uint8")
                colour = COLOURS[example[f"name{which}"].decode(), example[f"number{which}"]]
                np.testing.assert_allclose(face, np.broadcast_to(colour, face.shape), atol=3)


def test_a_pixel_is_the_mean_of_its_area_of_the_central_window():
    image = lfw_pairs.centre(ramps(), 144, 32).astype(float)
    # The window begins at 53. Two pixels cover nine rows: four whole ones and half of the fifth, then the rest.
    starts = 53 + 9 * np.arange(16)
    expected = np.stack([starts + (0 + 1 + 2 + 3 + 4 / 2) / 4.5, starts + (4 / 2 + 5 + 6 + 7 + 8) / 4.5], axis=-1)
    np.testing.assert_allclose(image[..., 0].mean(axis=1), expected.ravel(), atol=0.5)
    np.testing.assert_allclose(image[..., 1].mean(axis=0), expected.ravel(), atol=0.5)
    # From an odd row on, 2.5 of 4.5 rows are bright; from an even one, 2.
    stripes = np.repeat(np.where(starts % 2, 2.5, 2.0) / 4.5 * 200, 2)
    np.testing.assert_allclose(image[..., 2].mean(axis=1), stripes, atol=1)


def test_window_and_size_are_the_configs_and_its_name(tmp_path):
    files = photographs() | {"lfw-deepfunneled/Dee_Dorn/Dee_Dorn_0001.jpg": ramps()}
    store(tmp_path / "manual", files)
    config = lfw_pairs.LfwPairsConfig(window=250, size=10)
    builder = prepared(tmp_path, config)
    assert builder.info.config_name == config.name == "250_to_10"
    assert lfw_pairs.LfwPairs(data_dir=tmp_path / "data").info.config_name == "144_to_32"
    (example,) = (e for e in examples(builder, "fold_02") if (e["number1"], e["name2"]) == (1, b"Dee_Dorn"))
    assert example["image2"].shape == (10, 10, 3)
    np.testing.assert_allclose(example["image2"][..., 1].mean(axis=0), 12 + 25 * np.arange(10), atol=0.5)
    for wrong in ({"window": 16}, {"size": 0}):
        with pytest.raises(ValueError, match=r"Expected 0 < size <= window\. Received: size="):
            lfw_pairs.LfwPairsConfig(**wrong)


def test_images_are_stored_as_png_and_the_source_is_recorded(tmp_path, manual):
    prepared(tmp_path)
    builder = tfds.builder_from_directory(tmp_path / "data" / "lfw_pairs" / "144_to_32" / "1.0.0")
    raw = {key: tfds.decode.SkipDecoding() for key in ("image1", "image2")}
    for example in builder.as_dataset(split="fold_01", decoders=raw).as_numpy_iterator():
        assert example["image1"].startswith(b"\x89PNG") and example["image2"].startswith(b"\x89PNG")
    assert builder.info.metadata == {"photographs": "lfw-deepfunneled.zip"}
    data = tfds.load("lfw_pairs", split="fold_01", data_dir=tmp_path / "data", download=False, as_supervised=True)
    (first, second), same = next(iter(data))
    assert (first.shape, second.shape, same.dtype) == ((32, 32, 3), (32, 32, 3), "int64")


def test_training_pairs_are_the_other_folds_and_their_faces_come_with_repetition(tmp_path, manual):
    others = "fold_01+fold_02+fold_04+fold_05+fold_06+fold_07+fold_08+fold_09+fold_10"
    assert lfw_pairs.training_split(3) == others
    for fold in (0, 11):
        with pytest.raises(ValueError, match=f"between 1 and 10. Received: {fold}"):
            lfw_pairs.training_split(fold)
    training = prepared(tmp_path).as_dataset(split=lfw_pairs.training_split(1, folds=2))
    faces = list(lfw_pairs.single_faces(training).as_numpy_iterator())
    counted = sorted((face["name"].decode(), int(face["number"])) for face in faces)
    assert counted == [("Cy_Cole", n) for n in (1, 1, 2, 2, 3, 3)] + [("Dee_Dorn", 1)] * 2
    for face in faces:
        colour = COLOURS[face["name"].decode(), face["number"]]
        np.testing.assert_allclose(face["image"].mean(axis=(0, 1)), colour, atol=2)


def refused(tmp_path, error, message):
    with pytest.raises(error, match=message) as raised:
        prepared(tmp_path)
    # TFDS notes the name of the default config before it asks for any data.
    written = sorted(path for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert [str(path.relative_to(tmp_path / "data")) for path in written] == ["lfw_pairs/.config/metadata.json"]
    assert json.loads(written[0].read_text()) == {"default_config_name": "144_to_32"}
    assert not list((tmp_path / "data").rglob("*1.0.0*"))
    return str(raised.value)


BAD_PAIRS = {
    "an empty file": (PAIRS, "", "pairs.txt, line 1: expected two positive numbers.* Received: ''"),
    "the header of View 1": ("2\t2\n", "2\n", "pairs.txt, line 1: expected two positive numbers.* Received: '2'"),
    "no fold": ("2\t2\n", "0\t2\n", r"line 1: .* Received: '0\\t2'"),
    "more folds than lines": (
        "2\t2\n",
        "3\t2\n",
        "pairs.txt: expected 3 x 2 x 2 pairs after line 1.* Received: 8 lines",
    ),
    "a line too few": ("Bo_Birk\t1\t12\n", "", "expected 2 x 2 x 2 pairs after line 1.* Received: 7 lines"),
    "a line too many": ("Bo_Birk\t1\t12\n", "Bo_Birk\t1\t12\n" * 2, "Received: 9 lines"),
    "kinds in the wrong order": (
        "Bo_Birk\t1\t12\nAnn_Ash\t1\tBo_Birk\t1\n",
        "Ann_Ash\t1\tBo_Birk\t1\nBo_Birk\t1\t12\n",
        r"line 3: expected a name and two positive numbers.* Received: 'Ann_Ash\\t1\\tBo_Birk\\t1'",
    ),
    "a field too few": ("Ann_Ash\t1\t2\n", "Ann_Ash\t1\n", r"pairs.txt, line 2: .* Received: 'Ann_Ash\\t1'"),
    "an empty line": ("Ann_Ash\t1\t2\n", "\n", "line 2: .* Received: ''"),
    "an empty name": (
        "\tDee_Dorn\t1\nC",
        "\t \t1\nC",
        r"line 8: expected two people.* Received: 'Cy_Cole\\t1\\t \\t1'",
    ),
    "number zero": ("Bo_Birk\t1\t12", "Bo_Birk\t0\t12", r"line 3: .* Received: 'Bo_Birk\\t0\\t12'"),
    "a negative number": ("Bo_Birk\t1\t12", "Bo_Birk\t1\t-12", r"line 3: .* Received: 'Bo_Birk\\t1\\t-12'"),
    "no number": ("Ash\t2\tBo", "Ash\ttwo\tBo", r"line 5: .* Received: 'Ann_Ash\\ttwo\\tBo_Birk\\t12'"),
    "one person as two": ("Ann_Ash\t1\tBo_Birk\t1", "Ann_Ash\t1\tAnn_Ash\t2", "line 4: expected two people"),
    "a person in two folds": (
        "Cy_Cole\t1\tDee_Dorn\t1",
        "Cy_Cole\t1\tAnn_Ash\t1",
        "pairs.txt: expected folds that share nobody. Received: Ann_Ash in folds 1 and 2",
    ),
}


@pytest.mark.parametrize("what", BAD_PAIRS)
def test_a_bad_protocol_is_refused_by_line(tmp_path, manual, what):
    old, new, message = BAD_PAIRS[what]
    assert PAIRS.count(old) == 1
    (manual / "pairs.txt").write_text(PAIRS.replace(old, new))
    refused(tmp_path, ValueError, message)


def test_what_is_missing_is_asked_for(tmp_path, manual):
    site = "http://vis-www.cs.umass.edu/lfw/"
    (manual / "pairs.txt").rename(tmp_path / "pairs.txt")
    assert site in refused(tmp_path, FileNotFoundError, "Received: .*manual without pairs.txt")
    (tmp_path / "pairs.txt").rename(manual / "pairs.txt")
    (manual / "lfw-deepfunneled.zip").unlink()
    message = refused(tmp_path, FileNotFoundError, "Received: .*manual without photographs")
    assert site in message and "lfw-deepfunneled.zip, lfw-deepfunneled.tgz" in message
    (manual / "pairs.txt").unlink()
    assert site in refused(tmp_path, AssertionError, "manual does not exist or is empty")


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        (1, "lfw-deepfunneled.zip lacks 1 of the 8 photographs of pairs.txt: Ann_Ash_0001.jpg$"),
        (5, "lacks 5 of the 8 .*: Ann_Ash_0001.jpg, Ann_Ash_0002.jpg, Bo_Birk_0001.jpg, ...$"),
    ],
)
def test_missing_photographs_are_counted_and_named(tmp_path, absent, message):
    store(tmp_path / "manual", dict(list(photographs().items())[absent:]))
    refused(tmp_path, ValueError, message)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda whole: b"", "Received: .*"),
        (lambda whole: whole[: len(whole) // 2], "Received: .*JPEG"),
        (lambda whole: b"<html>not found</html>", "Received: .*"),
        (lambda whole: jpeg(np.zeros((143, 250, 3))), "Received: 143x250 pixels, smaller than the window of 144x144"),
    ],
)
def test_a_broken_photograph_is_named_and_nothing_is_left(tmp_path, broken, message):
    files = photographs()
    # Of the second fold, when the first has been written.
    file = "lfw-deepfunneled/Cy_Cole/Cy_Cole_0003.jpg"
    store(tmp_path / "manual", files | {file: broken(files[file])})
    refused(tmp_path, ValueError, f"Cy_Cole_0003.jpg was expected to be a whole photograph. {message}")


@pytest.mark.parametrize("source", ["lfw-deepfunneled.zip", "lfw-deepfunneled.tgz"])
@pytest.mark.parametrize("damage", ["empty", "cut short", "a changed bit"])
def test_a_broken_archive_is_named(tmp_path, source, damage):
    store(tmp_path / "manual", photographs(), source)
    archive = tmp_path / "manual" / source
    content = bytearray(archive.read_bytes())
    if damage == "a changed bit":
        content[len(content) // 2] ^= 1
    else:
        del content[len(content) * 6 // 10 if damage == "cut short" else 0 :]
    archive.write_bytes(content)
    refused(tmp_path, ValueError, f"{source} was expected to be a whole archive. Download it again. Received: .+")


def test_a_changed_checksum_is_met_though_it_comes_after_the_last_photograph(tmp_path):
    store(tmp_path / "manual", photographs(), "lfw-deepfunneled.tgz")
    archive = tmp_path / "manual" / "lfw-deepfunneled.tgz"
    content = bytearray(archive.read_bytes())
    content[-6] ^= 1  # of the last eight bytes, four of checksum and four of length
    archive.write_bytes(content)
    refused(tmp_path, ValueError, "whole archive. Download it again. Received: CRC check failed")
