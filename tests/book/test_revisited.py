"""Do the verdicts on the post follow from their record, and are gradients, lengths and the nearest what they say?"""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import neighbors

from reruns.chapters import revisited
from reruns.chapters.revisited import claimed, retrieval
from reruns.claims import Verdict
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = revisited.Config()
# Ten seeds whose mean is 0.
NOISE = 0.05 * np.array([-2, -1, 0, 1, 2, 2, 1, 0, -1, -2])
ERRORS = {"none": 90.0, "lower rate": 8.0, "clipped norm": 8.0}
GAINS = {"ReLU": 3.0, "tanh": 0.2}


def record(errors=ERRORS, gains=GAINS, ratio=30.0, of_tanh=5.0, of_unit_length=82.0, of_seed=lambda seed, factors: {}):
    """Return ten seeds of made-up trials; `of_seed` overrides the metrics of a seed's trial."""

    def row(seed, factors):
        if "remedy" in factors:
            relu = factors["unit"] == "ReLU"
            first = (ratio if relu else 1.0) * (1 + (NOISE[seed] if relu else 0))
            metrics = {"test_error": errors[factors["remedy"]] if relu else of_tanh, "first_gradient": first}
        else:
            # The other inputs would change each verdict.
            pixels = factors["inputs"] == "pixels"
            more, inner = gains[factors["unit"]] if pixels else 99.0, 80.0 if pixels else of_unit_length
            metrics = {"inner product": inner - NOISE[seed], "cosine": 80.0 + more + NOISE[seed], "distance": 70.0}
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": seed, "factors": factors, "metrics": metrics | of_seed(seed, factors), **shared}

    return Results([row(seed, factors) for seed in range(10) for factors in revisited.trials(CONFIG)])


def words(results):
    return {judged.claim.id: judged.verdict for judged in claimed.judge(results)}


def test_what_the_post_says_is_confirmed_and_its_contrary_refuted():
    assert words(record()) == dict.fromkeys((claim.id for claim in claimed.CLAIMS[1:]), CONFIRMED)
    contrary = record(dict(zip(ERRORS, (8.0, 90.0, 90.0), strict=True)), {"ReLU": -1.0, "tanh": 3.0}, 5.0, 50.0, 78.0)
    assert set(words(contrary).values()) == {REFUTED}


def test_a_gain_below_a_point_is_too_small_and_half_of_the_seeds_decide_nothing():
    found = words(record(gains={"ReLU": 0.8, "tanh": 1.0}))
    assert {found[f"R3-3, {data}"] for data in claimed.SETS} == {TOO_SMALL}
    assert {found[f"R3-4, {data}"] for data in claimed.SETS} == {INCONCLUSIVE}

    def most(seed, factors):
        return {"test_error": 90.0} if seed in (1, 3, 5) and factors.get("remedy") == "lower rate" else {}

    assert words(record(of_seed=most))["R3-2, lower rate"] is INCONCLUSIVE


def test_the_nearest_are_those_of_scikit_learn(rng):
    x, q = rng.normal(size=(200, 5)) + 1, rng.normal(size=(30, 5)) + 1
    labels, wanted = rng.integers(0, 3, 200), rng.integers(0, 3, 30)
    found = retrieval.precisions((x, labels), (q, wanted), 10)
    for way, metric in (("cosine", "cosine"), ("distance", "euclidean")):
        rows = neighbors.NearestNeighbors(n_neighbors=10, metric=metric, algorithm="brute").fit(x).kneighbors(q)[1]
        assert found[way] == pytest.approx(100 * np.mean(labels[rows] == wanted[:, None]))
    rows = np.argsort(-(q @ x.T), axis=1)[:, :10]
    assert found["inner product"] == pytest.approx(100 * np.mean(labels[rows] == wanted[:, None]))
    assert len(set(found.values())) == 3


def test_inputs_of_unit_length_keep_their_direction_and_a_black_one_stays_black(rng):
    images = rng.uniform(size=(4, 3, 3, 1)).astype("float32")
    images[2] = 0
    data = tf.data.Dataset.from_tensor_slices((images, np.arange(4))).batch(4)
    ((scaled, labels),) = list(retrieval.of_unit_length(data))
    lengths = np.sqrt((images.astype("float64") ** 2).sum(axis=(1, 2, 3), keepdims=True))
    np.testing.assert_allclose(scaled, images / np.where(lengths, lengths, 1), rtol=1e-6)
    np.testing.assert_array_equal(labels, np.arange(4))


def test_weights_are_so_many_times_as_large_and_the_first_gradient_is_that_of_the_first_batch():
    drawn = np.asarray(revisited.enlarged(1.5)(3)((1000, 500)))
    assert drawn.std() == pytest.approx(1.5 * np.sqrt(2 / 1000), rel=0.01)
    x = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
    data = tf.data.Dataset.from_tensor_slices((x, np.array([0, 1]))).batch(2)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])

    class Splits:
        train = data

    # At zero weights both classes have a probability of a half: the gradient of the logits is (p - y) / n.
    of_logits = (0.5 - np.eye(2)) / 2
    expected = np.sqrt(np.sum((x.T @ of_logits) ** 2) + np.sum(of_logits.sum(axis=0) ** 2))
    assert revisited.first_gradient(model, Splits) == pytest.approx(expected, rel=1e-5)


SMALL = dataclasses.replace(
    CONFIG, depth=3, width=8, deep_train=200, deep_epochs=1, widths=(8, 6), train=200, epochs=1, queries=50
)


@pytest.mark.parametrize("number", [0, 1, 2, 6, 9])
def test_a_small_trial_trains_and_tells_all_that_is_judged(number):
    factors = revisited.trials(SMALL)[number]
    found = revisited.trial(SMALL, 0, **factors)
    if "remedy" in factors:
        assert set(found) == {"train_loss", "finite", "first_gradient", "test_error"}
    else:
        assert set(found) == {"train_loss", "test_error", *retrieval.WAYS}
        assert all(0 < found[way] < 100 for way in retrieval.WAYS)
    assert json.dumps(found)


def test_a_loss_that_is_not_finite_counts_as_guessing():
    wild = dataclasses.replace(SMALL, learning_rate=1e30)
    found = revisited.deep(wild, 0, "ReLU", "none")
    assert (found["finite"], found["test_error"]) == (0, 90)
    assert found["train_loss"] == pytest.approx([2.302585], rel=1e-6)
