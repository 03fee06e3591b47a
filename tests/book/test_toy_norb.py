"""Are the toy scenes what optics says, the same every time, split and counted as NORB is, and prepared whole?"""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reruns.chapters.data import toy_picture
from reruns.data.toy_norb import bodies, clutter, scenes
from reruns.data.toy_norb import builder as toy_norb
from reruns.data.toy_norb.bodies import CATEGORIES, INSTANCES, Solid
from reruns.data.toy_norb.builder import ToyNorb, ToyNorbConfig
from reruns.data.toy_norb.clutter import Clutter, jittered
from reruns.data.toy_norb.scenes import Views, cast, joined, rays, uniform

BOOK = Path(__file__).parents[2] / "book"


FEW = Views((0, 8), (4,), (1, 3))
SOME = Clutter(train_pairs=60, test_pairs=36)
TINY = {
    "plain": ToyNorbConfig(name="plain", views=FEW),
    "cluttered": ToyNorbConfig(name="cluttered", views=FEW, clutter=SOME),
}

EDGE = 400  # of the images that closed forms are held against
POSES = [(0.6, 0.0), (1.1, 2.5)]  # elevation, azimuth


def towards(elevation: float, azimuth: float) -> np.ndarray:
    return np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])


def ball(centre: np.ndarray, radius: float) -> "Solid":
    return Solid(3, np.asarray(centre, float), radius * np.eye(3))


def seen(solids: list, elevation: float, azimuth: float, offset: float) -> np.ndarray:
    """The place (2, hits), right and down from the middle in units of the window, of the pixels that show something."""
    hits, _ = cast(solids, *rays(elevation, azimuth, offset, EDGE))
    return (np.stack([hits % EDGE, hits // EDGE]) + 0.5 - EDGE / 2) * pixel()


def pixel() -> float:
    return 2 * scenes.HALF_WINDOW / EDGE


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("radius", [0.2, 0.9])
def test_a_sphere_has_the_silhouette_of_the_cone_around_it(pose, radius):
    distance = scenes.DISTANCE
    silhouette = seen([ball(np.zeros(3), radius)], *pose, 0.0)
    outline = distance * radius / np.sqrt(distance**2 - radius**2)
    # Half a pixel along the outline.
    assert silhouette.shape[1] * pixel() ** 2 == pytest.approx(np.pi * outline**2, abs=np.pi * outline * pixel())
    assert np.hypot(*silhouette).max() == pytest.approx(outline, abs=pixel())


def test_a_box_and_a_cylinder_show_the_face_that_is_nearest():
    distance, half = scenes.DISTANCE, 0.5
    square = seen([Solid(0, np.zeros(3), half * np.eye(3))], 0.0, np.pi / 2, 0.0)
    side = 2 * half * distance / (distance - half)
    assert square.shape[1] * pixel() ** 2 == pytest.approx(side**2, rel=4 * pixel() / side)
    disc = seen([Solid(2, np.zeros(3), half * np.eye(3))], np.pi / 2, 0.0, 0.0)
    assert disc.shape[1] * pixel() ** 2 == pytest.approx(np.pi * side**2 / 4, rel=4 * pixel() / side)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("height", [-0.8, 0.0, 0.5, 0.9])
def test_what_is_nearer_is_further_right_in_the_left_image(pose, height):
    distance, baseline = scenes.DISTANCE, scenes.BASELINE
    solids = [ball(height * towards(*pose), 0.05)]
    left, right = (seen(solids, *pose, offset).mean(1) for offset in (-baseline / 2, baseline / 2))
    # Where the line from each eye through the point meets the window's plane.
    assert left[0] - right[0] == pytest.approx(baseline * height / (distance - height), abs=0.5 * pixel())
    assert left[1] == pytest.approx(right[1], abs=0.1 * pixel())


def test_right_is_right_and_up_is_up():
    elevation, azimuth = POSES[1]
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
    assert seen([ball(0.6 * right, 0.05)], elevation, azimuth, 0.0).mean(1) == pytest.approx([0.6, 0], abs=pixel())
    across, down = seen([ball(np.array([0, 0, 0.6]), 0.05)], elevation, azimuth, 0.0).mean(1)
    assert abs(across) < pixel() and down < -0.2


def test_the_nearer_of_two_solids_hides_the_other():
    near = ball(0.5 * towards(*POSES[0]), 0.3)
    far = Solid(0, np.zeros(3), np.diag([0.1, 0.1, 0.1]))
    results = [cast(solids, *rays(*POSES[0], 0.0, EDGE)) for solids in ([near], [near, far], [far, near])]
    for hits, normals in results[1:]:
        np.testing.assert_array_equal(hits, results[0][0])
        np.testing.assert_array_equal(normals, results[0][1])


@pytest.mark.parametrize("rounds", [0, 2, 3])
def test_normals_are_of_length_one_and_face_the_camera(rounds, rng):
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * [0.3, 0.5, 0.7]
    camera, directions = rays(*POSES[0], 0.0, EDGE)
    hits, normals = cast([Solid(rounds, np.zeros(3), axes)], camera, directions)
    assert len(hits) > 1000
    np.testing.assert_allclose((normals**2).sum(0), 1, rtol=1e-9)
    assert ((normals * directions[:, hits]).sum(0) < 1e-9).all()
    # A box has three faces to see; a cylinder a cap and a side; an ellipsoid no two normals alike.
    kinds = len(np.unique(normals.round(6), axis=1).T)
    assert kinds == 3 if rounds == 0 else kinds > 100


def test_a_sphere_is_lit_as_lambert_says_and_from_the_side_of_the_lamp():
    elevation, azimuth = POSES[0]
    hits, normals = cast([ball(np.zeros(3), 0.9)], *rays(elevation, azimuth, 0.0, EDGE))
    lightings = np.array(
        [(-70, 40, 0.6, 0.2), (70, 40, 0.6, 0.2), (0, np.degrees(elevation), 0.6, 0.2), (0, 0, 0, 0.2)]
    )
    images = np.zeros((4, EDGE * EDGE))
    images[:, hits] = scenes.shaded(normals, azimuth, lightings)
    left, right, frontal, sky = images.reshape(4, EDGE, EDGE)
    middle = EDGE // 2
    np.testing.assert_allclose(left, right[:, ::-1], atol=1)
    assert right[:, middle:].mean() > 1.5 * right[:, :middle].mean()
    albedo = 255 * scenes.BODY
    assert frontal[middle, middle] == pytest.approx(albedo * (0.6 + 0.1 * (1 + np.sin(elevation))), abs=2)
    assert sky[middle, middle] == pytest.approx(albedo * 0.1 * (1 + np.sin(elevation)), abs=2)


def test_every_lighting_shows_a_body_in_another_light():
    images = joined(uniform("train", 1, Views((4,), (2,))))["image"].astype(float).reshape(25, 6, -1)
    bodies = (images != images[:, :, :1]).any(1)  # a corner shows the table
    for one in range(6):
        for other in range(one):
            difference = np.abs(images[:, one] - images[:, other]).sum(1, where=bodies) / bodies.sum(1)
            assert (difference > 8).all()


@pytest.mark.parametrize("category", bodies.CATEGORIES)
def test_instances_differ_and_stay_inside_the_window(category):
    views = Views((0, 8), (0, 3, 10), (0,))
    images = np.stack([scenes.sprites(bodies.body(category, number, 2010), views) for number in range(10)])
    inside = images[..., 1:-1, 1:-1]
    assert (images > 0).sum() == (inside > 0).sum()  # `placed` repeats the outermost pixels
    silhouettes = (images[:, :, 0] > 0).reshape(10, -1)
    assert (silhouettes.mean(1) > 0.05).all()
    for one in range(10):
        for other in range(one):
            assert (silhouettes[one] != silhouettes[other]).mean() > 0.005


def test_an_unknown_category_is_refused():
    with pytest.raises(ValueError, match="category must be one of .*Received: 'boat'"):
        bodies.body("boat", 0, 0)


def test_the_split_is_norbs_and_shares_no_instance():
    assert INSTANCES == {"train": (4, 6, 7, 8, 9), "test": (0, 1, 2, 3, 5)}
    for config in TINY.values():
        found = {split: set(joined(toy_norb.blocks(split, config))["instance"]) - {-1} for split in INSTANCES}
        assert {split: tuple(sorted(numbers)) for split, numbers in found.items()} == INSTANCES


def test_every_view_is_there_once_or_as_often_as_the_clutter_says():
    plain = joined(uniform("test", 1, FEW))
    names = ("label_category", "instance", "elevation", "azimuth", "lighting")
    views = np.stack([plain[name] for name in names], 1)
    assert len(views) == len(np.unique(views, axis=0)) == 5 * 5 * 2 * 2
    assert set(plain["azimuth"]) == {4}
    assert (np.bincount(plain["label_category"]) == 20).all()
    for split, pairs in (("train", 60), ("test", 36)):
        cluttered = joined(jittered(split, 1, FEW, SOME))
        assert (np.bincount(cluttered["label_category"]) == pairs // 6).all()
        views = np.stack([cluttered[name] for name in names], 1)[cluttered["label_category"] < 5]
        assert len(np.unique(views, axis=0)) == len(views)


# What another process runs; its one line is a digest of all that the two forms hold.
PROGRAM = """
import hashlib
from reruns.data.toy_norb.clutter import Clutter, jittered
from reruns.data.toy_norb.scenes import Views, joined, uniform

def digest(seed):
    views = Views((0, 8), (4,), (1, 3))
    forms = [joined(uniform("train", seed, views)), joined(jittered("train", seed, views, Clutter(60, 36)))]
    return [hashlib.sha256(b"".join(form[name].tobytes() for name in sorted(form))).hexdigest() for form in forms]
"""


def test_the_same_seed_gives_the_same_bytes_in_another_process_and_another_seed_others():
    program = PROGRAM + "print(*digest(5))"
    result = subprocess.run([sys.executable, "-c", program], cwd=BOOK, capture_output=True, text=True, check=True)
    here: dict = {}
    exec(PROGRAM, here)
    assert here["digest"](5) == result.stdout.split()
    assert not set(here["digest"](6)) & set(result.stdout.split())


def test_a_cluttered_pair_does_not_depend_on_the_size_of_the_blocks():
    whole, parts = (joined(jittered("test", 3, FEW, SOME, rows)) for rows in (36, 7))
    for name in whole:
        np.testing.assert_array_equal(whole[name], parts[name])


def dot(row: int, column: int) -> np.ndarray:
    pairs = np.zeros((1, 2, 64, 64), np.uint8)
    pairs[:, :, row - 2 : row + 3, column - 2 : column + 3] = 200
    return pairs


@pytest.mark.parametrize(
    ("right", "down", "scale", "rotation", "place"),
    [
        (0, 0, 1, 0, (32, 48)),
        (3, -2, 1, 0, (28, 54)),
        (0, 0, 0.5, 0, (31.75, 39.75)),
        (0, 0, 1, 90, (48, 31)),  # clockwise: from the right to below
        (2, 0, 0.5, 90, (39.75, 35.25)),
    ],
)
def test_a_sprite_is_moved_scaled_and_turned_about_the_middle(right, down, scale, rotation, place):
    moved = clutter.placed(dot(32, 48), *(np.array([value], float) for value in (right, down, scale, rotation)))
    for image in moved[0]:
        assert np.argwhere(image == 200).mean(0) == pytest.approx(place, abs=0.51)


def test_the_background_lies_behind_the_body():
    slope = np.broadcast_to(np.arange(96, dtype=np.uint8), (1, 96, 96))
    left, right = clutter.cropped(slope, np.array([[3, 10]]))[0].astype(int)
    # Grey rises to the right, so the image that shows the higher grey at a place shows each point further left.
    assert (left - right == clutter.SUNKEN).all() and clutter.SUNKEN > 0


def test_without_a_body_nothing_is_in_the_middle_and_something_at_the_edge():
    blank = dataclasses.replace(SOME, texture=0.0)
    scenes = joined(jittered("train", 7, FEW, blank))
    images = np.concatenate([scenes["image"], scenes["image2"]], -1).astype(float)
    background = np.rint(127.5 + scenes["contrast"] * 0.5 + scenes["luminance_change"])
    shown = np.abs(images - background[:, None, None, None]) > 1
    in_the_middle, anywhere = shown[:, 13:19, 13:19].any((1, 2, 3)), shown.any((1, 2, 3))
    none = scenes["label_category"] == 5
    assert (in_the_middle == ~none).all() and anywhere.all()
    for name in ("instance", "elevation", "azimuth", "lighting"):
        assert ((scenes[name] == -1) == none).all()
    assert (scenes["object_scale"][none] == 1).all() and (scenes["horizontal_shift"][none] == 0).all()


@pytest.mark.parametrize("pairs", [0, 61])
def test_pairs_that_no_six_categories_can_share_are_refused(pairs):
    with pytest.raises(ValueError, match=f"multiple of 6.*Received: {pairs}"):
        Clutter(train_pairs=pairs)


@pytest.mark.parametrize("numbers", [(), (9,), (-1,)])
def test_views_that_are_not_there_are_refused(numbers):
    with pytest.raises(ValueError, match="numbered from 0 to 8"):
        Views(elevations=numbers)


@pytest.mark.parametrize("name", ["plain", "cluttered"])
def test_the_builder_prepares_what_the_renderer_gives(name, tmp_path):
    builder = ToyNorb(config=TINY[name], data_dir=tmp_path)
    builder.download_and_prepare()
    train, test = builder.as_dataset(split=["train", "test"])
    rendered = joined(toy_norb.blocks("train", TINY[name]))
    assert (len(train), len(test)) == ((100, 100) if name == "plain" else (60, 36))
    stored = list(train.as_numpy_iterator())
    assert stored[0]["image"].shape == stored[0]["image2"].shape == (32, 32, 1)
    assert stored[0]["image"].dtype == np.uint8
    assert set(stored[0]) == set(rendered)

    def bag(rows: list) -> list:
        return sorted(b"".join(np.float32(row[field]).tobytes() for field in sorted(rendered)) for row in rows)

    # tfds shuffles what it writes.
    assert bag(stored) == bag([{field: rendered[field][i] for field in rendered} for i in range(len(stored))])
    assert builder.info.features["label_category"].names == [*CATEGORIES, "none"][: 5 + (name == "cluttered")]
    values = {field: np.array([row[field] for row in stored]) for field in rendered}
    assert values["image"].min() >= 0 and np.ptp(values["image"]) > 150
    if name == "cluttered":
        for field, low, high in (("horizontal_shift", -1, 1), ("object_scale", 0.8, 1.1), ("rotation", -5, 5)):
            assert low <= values[field].min() < values[field].max() <= high


def test_the_registered_configurations_have_norbs_sizes():
    assert list(ToyNorb.builder_configs) == ["small", "jittered_cluttered"]
    assert 25 * len(ToyNorb.builder_configs["small"].views.table()) == 24_300
    clutter = ToyNorb.builder_configs["jittered_cluttered"].clutter
    assert (clutter.train_pairs, clutter.test_pairs) == (29_160, 14_580)


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    real = toy_norb.blocks

    def failing(split, config):
        yield next(iter(real(split, config)))
        raise OSError("no space left on device")

    monkeypatch.setattr(toy_norb, "blocks", failing)
    with pytest.raises(OSError, match="no space left"):
        ToyNorb(config=TINY["cluttered"], data_dir=tmp_path).download_and_prepare()
    # tfds notes the name of the default configuration before it prepares any.
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["metadata.json"]
    assert not list((tmp_path / "toy_norb" / "cluttered").glob("*"))


def test_the_picture_shows_every_category_in_every_way():
    figure = toy_picture.toy_norb()
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == 5 * (5 + 2) + 6 * 3
    assert [axis.texts[0].get_text() for axis in figure.axes if axis.texts] == [*CATEGORIES, "none"]
