"""Do the measures of the page on light measure what it says, and does it know which detectors see the spot?"""

import keras
import numpy as np
import pytest
from scipy import special

from reruns.chapters import equivariance as light
from reruns.data import pipelines, sources
from reruns.units import UNITS

SHAPE = (20, 20, 1)


@pytest.fixture(scope="module")
def pairs():
    return np.random.default_rng(0).random((12, 2, *SHAPE), "float32")


def test_angles_far_below_what_a_cosine_resolves_are_measured():
    one = np.array([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0], [1.0, 0.0]])
    other = np.array([[0.0, 2.0], [1.0, 1.0], [5.0, 5e-9], [-1.0, 0.0]])
    np.testing.assert_allclose(light.degrees(one, other), [90, 45, np.rad2deg(1e-9), 180], rtol=1e-6)
    np.testing.assert_allclose(light.cosines(one, other), [0, np.sqrt(0.5), 1, -1], atol=1e-12)


def test_a_change_is_relative_to_the_length_that_was_expected():
    np.testing.assert_allclose(light.change([[3.0, 4.0], [0.0, 2.0]], [[0.0, 4.0], [0.0, 2.0]]), [0.75, 0])


def test_what_light_does_follows_from_the_formula(pairs):
    def shifted(x):
        return x.reshape(len(x), -1) + 1.0

    gaps, moved = light.by_light(shifted, pairs, (0.5, 3.0))
    one, other = (shifted(pairs[:, side].astype("float64")) for side in (0, 1))

    def cosine(a, b):
        return np.array([u @ v / np.sqrt(u @ u * (v @ v)) for u, v in zip(a, b, strict=True)])

    unlit = cosine(one, other)
    logits = 2 * (unlit - unlit.mean()) / unlit.std()
    for row, c in enumerate((0.5, 3.0)):
        lit = c * (one - 1) + 1
        # f(c x) - c f(x) is 1 - c everywhere.
        expected = np.sqrt(one.shape[1]) * abs(1 - c) / np.sqrt(((c * one) ** 2).sum(axis=1))
        np.testing.assert_allclose(gaps[row], expected, rtol=1e-5)
        new = 2 * (cosine(lit, other) - unlit.mean()) / unlit.std()
        np.testing.assert_allclose(moved[row], np.abs(special.expit(new) - special.expit(logits)), atol=1e-4)


def test_features_that_scale_are_found_to_scale(pairs):
    gaps, moved = light.by_light(lambda x: 7.0 * x.reshape(len(x), -1), pairs)
    assert gaps.shape == moved.shape == (len(light.FACTORS), len(pairs))
    assert gaps.max() < 1e-6 and moved.max() < 1e-5


def test_the_spot_is_seen_by_the_detectors_that_are_said_to_see_it_and_by_no_others(pairs):
    # Without the unit, so that no window is dark.
    model = light.detectors(lambda seed: [], SHAPE)
    before, after = (model(images).numpy() for images in (pairs[:, 0], light.spotted(pairs[:, 0])))
    differs = (before != after).any(axis=(0, 3))
    np.testing.assert_array_equal(~differs, light.unseen(before))


def test_a_spot_is_brighter_than_white_and_leaves_the_rest(pairs):
    images = pairs[:, 0]
    found = light.spotted(images)
    assert (found[:, : light.SPOT, : light.SPOT] > 1).all()
    np.testing.assert_array_equal(found[:, light.SPOT :], images[:, light.SPOT :])
    np.testing.assert_array_equal(found[:, :, light.SPOT :], images[:, :, light.SPOT :])
    assert (images < 1).all()


def test_divided_pictures_have_one_sum_in_any_light(pairs):
    images = pairs[:, 0]
    sums = light.divided(images).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(sums, sums[0], rtol=1e-5)
    np.testing.assert_allclose(light.divided(images / 4), light.divided(images), rtol=1e-6)
    np.testing.assert_allclose(images * sums[0] / images.sum(axis=(1, 2, 3), keepdims=True), light.divided(images))


def test_networks_differ_in_their_biases_alone():
    free, biased = (light.network(UNITS["ReLU"], SHAPE, biases=biases, depth=2) for biases in (0.0, 0.1))
    kernels = [w for w in biased.get_weights() if w.ndim == 2]
    for ours, theirs in zip(free.get_weights(), kernels, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    drawn = np.concatenate([w for w in biased.get_weights() if w.ndim == 1])
    np.testing.assert_allclose(drawn.std(), 0.1, rtol=0.1)
    assert not any(layer.use_bias for layer in light.detectors(UNITS["ReLU"], SHAPE).layers[::2])


def test_binary_units_get_larger_weights():
    deviations = {unit: light.network(unit, SHAPE, depth=1).get_weights()[0].std() for unit in kinds()}
    he, glorot = np.sqrt(2 / 400), np.sqrt(2 / (400 + light.WIDTH))
    np.testing.assert_allclose(list(deviations.values()), [he, 4 * glorot], rtol=0.02)


def kinds():
    return UNITS["ReLU"], light.SIGMOID


def test_of_each_unit_is_said_whether_it_scales():
    assert light.SCALES.keys() == UNITS.keys()


def test_digits_stand_in_for_faces_and_the_page_says_so():
    if sources.is_prepared("lfw"):
        pytest.skip("the faces are here")
    pairs, record = light.pictures()
    assert pairs.shape == (light.PAIRS, 2, 28, 28, 1)
    assert 0 == pairs.min() < pairs.max() <= 1
    assert pipelines.note(record).startswith("**Stand-in.** In place of Labeled Faces in the Wild")
    assert "400 to test" in pipelines.note(record)


def test_faces_are_taken_where_they_are_prepared(monkeypatch):
    faces = np.random.default_rng(0).integers(0, 256, (600, 2, 32, 32, 3), "uint8")
    record = {"name": "LFW", "version": "1", "stands_in_for": None}
    monkeypatch.setattr(sources, "is_prepared", lambda name: name == "lfw")
    monkeypatch.setattr(sources, "find", lambda name: sources.Found(name, record))
    monkeypatch.setattr(pipelines, "face_pairs", lambda builder, split: (faces, np.ones(600)))
    pairs, found = light.pictures()
    np.testing.assert_allclose(pairs, faces[: light.PAIRS] / 255, rtol=1e-6)
    assert (found["stands_in_for"], pairs.dtype) == (None, np.float32)
    for model in (light.network(UNITS["ReLU"], (32, 32, 3)), light.pooled((32, 32, 3))):
        assert np.isfinite(keras.ops.convert_to_numpy(model(pairs[:2, 0]))).all()
