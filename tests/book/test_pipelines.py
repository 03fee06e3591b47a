"""Do the pipelines give what their records say, with the same splits for every seed?"""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from reruns import results
from reruns.data import pipelines, sources


class Builder:
    """A prepared data set in memory, with the part of tensorflow-datasets' interface that the pipelines use."""

    def __init__(self, **splits):
        self.splits = splits
        self.info = SimpleNamespace(splits=splits)

    def as_dataset(self, split, batch_size=None, shuffle_files=False):
        data = tf.data.Dataset.from_tensor_slices(self.splits[split])
        return data.batch(10**6).get_single_element() if batch_size == -1 else data


@pytest.fixture
def found(monkeypatch):
    def as_if(name, builder, stands_in_for=None):
        record = {"name": name, "version": "1.0.0", "stands_in_for": stands_in_for}
        monkeypatch.setattr(sources, "find", lambda asked: sources.Found(builder, record))

    return as_if


def rows(dataset):
    return [np.concatenate(part) for part in zip(*dataset.as_numpy_iterator(), strict=True)]


def pictures(count, rng, side=28):
    return {"image": rng.integers(0, 256, (count, side, side, 1), "uint8"), "label": np.arange(count) % 10}


def test_pixels_are_divided_by_255_and_every_image_comes_once_an_epoch(found, rng):
    builder = Builder(**{split: pictures(70, rng) for split in ("train[:50000]", "train[50000:]", "test")})
    found("MNIST", builder)
    splits = pipelines.mnist(batch=32, seed=0)
    assert splits.record["sizes"] == {"train": 70, "validation": 70, "test": 70}
    for split, name in zip(splits[:3], builder.splits, strict=True):
        images, labels = rows(split)
        order = np.lexsort(images.reshape(70, -1).T)
        expected = builder.splits[name]["image"] / 255.0
        expected_order = np.lexsort(expected.reshape(70, -1).T)
        np.testing.assert_allclose(images[order], expected[expected_order], rtol=1e-6)
        np.testing.assert_array_equal(labels[order], builder.splits[name]["label"][expected_order])


def test_a_seed_orders_the_training_batches_and_nothing_else(found, rng):
    found("MNIST", Builder(**{s: pictures(70, rng) for s in ("train[:50000]", "train[50000:]", "test")}))
    first, again, other = (pipelines.mnist(32, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(rows(first.train)[1], rows(again.train)[1])
    assert (rows(first.train)[1] != rows(other.train)[1]).any()
    np.testing.assert_array_equal(rows(first.test)[1], rows(other.test)[1])
    # The second pass over one pipeline has another order than the first.
    passes = [rows(first.train)[1] for _ in range(2)]
    assert (passes[0] != passes[1]).any()


def test_fewer_training_images_are_the_first_ones(found, rng):
    builder = Builder(**{s: pictures(70, rng) for s in ("train[:50000]", "train[50000:]", "test")})
    found("MNIST", builder)
    splits = pipelines.mnist(32, 0, train=10)
    assert splits.record["sizes"]["train"] == 10
    assert sorted(rows(splits.train)[1]) == sorted(builder.splits["train[:50000]"]["label"][:10])


@pytest.mark.parametrize("pixels", pipelines.PIXELS)
def test_pixels_are_prepared_by_the_training_images_alone(found, rng, pixels):
    splits = {"train[:45000]": 60, "train[45000:]": 20, "test": 20}
    builder = Builder(**{split: pictures(count, rng, side=4) for split, count in splits.items()})
    found("CIFAR-10", builder)
    found_splits = pipelines.cifar10(batch=16, seed=None, train=50, pixels=pixels)
    seen = builder.splits["train[:45000]"]["image"][:50].astype(float)
    mean, deviation = seen.mean(axis=0), seen.std(axis=0).mean()
    expected = {
        "unit": lambda x: x / 255,
        "centred": lambda x: x - mean,
        "standardized": lambda x: (x - mean) / deviation,
        "symmetric": lambda x: 2 * x / 255 - 1,
    }[pixels]
    for split, name, count in zip(found_splits[:3], splits, (50, 20, 20), strict=True):
        images = builder.splits[name]["image"][:count].astype(float)
        np.testing.assert_allclose(rows(split)[0], expected(images), rtol=1e-5, atol=1e-4)
    assert found_splits.record["preprocessing"] == pipelines.PIXELS[pixels][0]


def test_bags_of_words_know_the_training_texts_alone(found):
    texts = {
        "train[:-2500]": ["good good film", "Good, bad film!", "film of films' film"],
        "train[-2500:]": ["good unseen"],
        "test": ["bad bad unheard film"],
    }
    found("reviews", Builder(**{s: {"text": t, "label": [0] * len(t)} for s, t in texts.items()}))
    splits = pipelines.imdb(batch=3, seed=0, terms=2)
    # Of the training texts film is the commonest word and good the next; bad, the commonest of the test texts, is rare.
    train = rows(splits.train)[0]
    assert sorted(map(tuple, train)) == [(1, 0), (1, 1), (1, 1)]
    np.testing.assert_array_equal(rows(splits.validation)[0], [[0, 1]])
    np.testing.assert_array_equal(rows(splits.test)[0], [[1, 0]])
    assert splits.record["preprocessing"] == "presence of the 2 commonest terms of the training texts"


def stereo(rng, count=40, side=64):
    return {
        "image": rng.integers(0, 256, (count, side, side, 1), "uint8"),
        "image2": rng.integers(0, 256, (count, side, side, 1), "uint8"),
        "label_category": np.arange(count) % 6,
        "instance": np.array([4, 6, 7, 8, 9])[np.arange(count) % 5],
    }


def test_norb_is_standardized_by_its_training_images_and_validates_on_one_instance(found, rng):
    train, test = stereo(rng), stereo(rng)
    found("NORB", Builder(train=train, test=test))
    splits = pipelines.norb(batch=16, seed=0)
    # Rows that tell of other preparations do not join a record.
    assert splits.record["preprocessing"] == results.of_chapter("data").data["preprocessing"]
    seen, labels = rows(splits.train)
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(axis=0).mean(), 1, rtol=1e-5)
    validating = (train["instance"] == 9) & (train["label_category"] < 5)
    assert np.bincount(rows(splits.validation)[1], minlength=6)[:5].sum() == validating.sum()
    assert len(labels) + len(rows(splits.validation)[1]) == 40
    # Halves of 64 pixels are means of four.
    pair = np.concatenate([test["image"], test["image2"]], -1).astype(float)
    small = np.round(pair.reshape(40, 32, 2, 32, 2, 2).mean(axis=(2, 4)))
    unseen = rows(splits.test)[0].astype(float)
    slope, offset = np.polyfit(small[:, 3, 4, 1], unseen[:, 3, 4, 1], 1)
    np.testing.assert_allclose(unseen[:, 3, 4, 1], slope * small[:, 3, 4, 1] + offset, atol=0.02)


def test_norb_is_standardized_by_the_pairs_that_are_trained_on(found, rng):
    train, test = stereo(rng), stereo(rng)
    found("NORB", Builder(train=train, test=test))
    every, few = (rows(pipelines.norb(batch=16, seed=0, train=count).train)[0] for count in (None, 12))
    assert len(few) == 12 < len(every)
    np.testing.assert_allclose(few.mean(axis=0), 0, atol=1e-5)
    for seen, count in ((every, None), (few, 12)):
        mean, deviation = pipelines.norb_pixels(train=count)
        grey = seen * deviation + mean
        np.testing.assert_allclose(grey, grey.round(), atol=1e-3)


@pytest.mark.parametrize(("fold", "validating"), [(1, 2), (3, 1)])
def test_faces_are_tested_on_a_fold_and_validated_on_the_next(found, rng, fold, validating):
    def pairs(number):
        images = {f"image{which}": rng.integers(0, 256, (20, 4, 4, 3), "uint8") for which in "12"}
        return {**images, "same": np.full(20, number)}

    folds = {f"fold_{number:02d}": pairs(number) for number in (1, 2, 3)}
    found("LFW", Builder(**folds))
    splits = pipelines.lfw(batch=8, seed=0, fold=fold)
    (training,) = {1, 2, 3} - {fold, validating}
    for split, number in zip(splits[:3], (training, validating, fold), strict=True):
        assert set(rows(split)[1]) == {number}
    seen = rows(splits.train)[0]
    assert seen.shape == (20, 2, 4, 4, 3)
    np.testing.assert_allclose(seen.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(seen.reshape(40, -1).std(axis=0).mean(), 1, rtol=1e-5)
    # Both faces of a pair, in their order: one map for all of them.
    stored, unseen = folds[f"fold_{fold:02d}"], rows(splits.test)[0]
    slope, offset = np.polyfit(stored["image1"][:, 1, 2, 0].astype(float), unseen[:, 0, 1, 2, 0], 1)
    np.testing.assert_allclose(unseen[:, 1, 1, 2, 0], slope * stored["image2"][:, 1, 2, 0] + offset, atol=1e-3)


@pytest.mark.parametrize(("fold", "testing", "validating"), [(1, {1, 2}, 3), (2, {3, 4}, 5), (3, {5, 6}, 1)])
def test_neighbouring_folds_of_faces_are_merged_and_the_next_single_one_validates(found, fold, testing, validating):
    def pairs(number):
        images = {f"image{which}": np.full((4, 2, 2, 3), 10 * number, "uint8") for which in "12"}
        return {**images, "same": np.full(4, number)}

    found("LFW", Builder(**{f"fold_{number:02d}": pairs(number) for number in range(1, 7)}))
    (train, validation, test), record = pipelines.lfw_arrays(fold, folds=3)
    for (x, y), numbers in (
        (train, set(range(1, 7)) - testing - {validating}),
        (validation, {validating}),
        (test, testing),
    ):
        assert set(y) == numbers and len(y) == len(x) == 4 * len(numbers)
        np.testing.assert_array_equal(x[:, 0, 0, 0, 0], 10 * y)
    assert f"fold {fold} of 3 to test" in record["preprocessing"]
    with pytest.raises(ValueError, match="that the 6 official ones can be merged into. Received: 4"):
        pipelines.lfw_arrays(1, folds=4)


def test_pairs_of_digits_are_of_one_label_every_second_time_and_never_one_image_twice(rng):
    images, labels = np.arange(60)[:, None], rng.integers(0, 5, 60)
    pairs, same = pipelines.digit_pairs(images, labels)
    first, second = pairs[..., 0].T
    np.testing.assert_array_equal(labels[first] == labels[second], same == 1)
    assert same.sum() == 30 and (first != second).all()
    assert set(first) == set(range(60)) and len(set(second)) > 20


def test_a_fold_that_is_not_there_is_refused(found):
    found("LFW", Builder(fold_01={}, fold_02={}, fold_03={}))
    with pytest.raises(ValueError, match="fold between 1 and 3. Received: 4"):
        pipelines.lfw(8, 0, fold=4)


@pytest.mark.parametrize("stands_in_for", [None, "MNIST"])
def test_the_note_says_what_stood_in(stands_in_for):
    sizes = {"train": 3000, "validation": 1000, "test": 1000}
    record = {"name": "digits", "version": "1", "stands_in_for": stands_in_for, "sizes": sizes, "preprocessing": "none"}
    note = pipelines.note(record)
    assert "3,000 to train, 1,000 to validate, 1,000 to test" in note
    assert ("Stand-in" in note) == (stands_in_for is not None)
