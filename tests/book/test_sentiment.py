"""Do the verdicts on film reviews follow from their record, and does the served network read what it was trained on?"""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from reruns import exports, training
from reruns.chapters import sentiment
from reruns.chapters.sentiment import claimed, served
from reruns.claims import Verdict
from reruns.data import pipelines, sources, toy_reviews
from reruns.results import Results

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
CONFIG = sentiment.Config()
# Five seeds whose mean is 0.
NOISE = 0.05 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
ERRORS = dict(zip(claimed.NETWORKS, (14.0, 13.0, 12.0, 12.5, 13.5), strict=True))


def record(errors=ERRORS, zeros=60.0, of_words=95.0, of_seed=lambda seed, name: {}):
    """Return five seeds of made-up trials; `of_seed` overrides the metrics of a seed's network."""

    def row(seed, factors):
        (name,) = (name for name, of in claimed.NETWORKS.items() if of.items() <= factors.items())
        # Of one sign for the deep one, of another for those that it is compared with, and for one layer of a third.
        sign = {claimed.DEEP: 1, claimed.SHALLOW: 0.3}.get(name, -1)
        metrics = {
            "test_error": errors[name] + sign * NOISE[seed],
            "validation_error": errors[name] - sign * NOISE[seed],
            "zeros": [zeros - 5, zeros, zeros + 5],
            "zeros_of_words": of_words,
        }
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": seed, "factors": factors, "metrics": metrics | of_seed(seed, name), **shared}

    return Results([row(seed, factors) for seed in range(5) for factors in sentiment.trials(CONFIG)])


def words(results):
    return {judged.claim.id: judged.verdict for judged in claimed.judge(results)}


def test_what_the_paper_says_is_confirmed_and_its_contrary_refuted():
    assert words(record()) == dict.fromkeys((claim.id for claim in claimed.CLAIMS), CONFIRMED)
    contrary = dict(zip(ERRORS, (12.0, 13.0, 14.0, 13.0, 13.0), strict=True))
    assert set(words(record(contrary, zeros=10.0)).values()) == {REFUTED}
    assert words(record(zeros=97.0))["G-11, zeros"] is REFUTED


def test_a_run_that_diverged_decides_nothing_of_its_claims():
    def lost(seed, name):
        return training.lost(sentiment.CURVES, sentiment.NUMBERS) if (seed, name) == (1, claimed.DEEP) else {}

    found = words(record(of_seed=lost))
    assert found.pop("G-11, one layer") is CONFIRMED
    assert set(found.values()) == {INCONCLUSIVE}


def test_the_network_that_validated_best_is_served_and_one_that_diverged_is_not():
    assert served.best(record()) == 4
    lost = record(of_seed=lambda seed, name: {"validation_error": None} if seed == 4 else {})
    assert served.best(lost) == 3
    assert served.rates(record()) == {"pretraining_rate": 0.01, "rate": 0.01}


SMALL = dataclasses.replace(CONFIG, terms=60, width=6, pretraining_epochs=1, epochs=3, batch=100, measured_reviews=100)


@pytest.fixture
def toy(monkeypatch):
    """Generated reviews in the place of real ones, wherever these are."""
    found = sources.find("toy_reviews")
    as_if = sources.Found(found.builder, {**found.record, "stands_in_for": "reviews"})
    monkeypatch.setattr(sources, "find", lambda name: as_if)


@pytest.mark.parametrize("number", range(5))
def test_a_small_trial_trains_and_tells_all_that_is_judged(toy, number):
    factors = sentiment.trials(SMALL)[number]
    found = sentiment.trial(SMALL, 0, **factors)
    assert set(found) == {*sentiment.CURVES, *sentiment.NUMBERS}
    assert len(found["zeros"]) == factors["layers"]
    assert np.shape(found["reconstruction_errors"])[0] == factors["layers"] * factors["pretrained"]
    assert 0 < found["zeros_of_words"] < 100
    assert found["validation_error"] == pytest.approx(min(found["validation_errors"]))
    if factors["unit"] == "tanh":
        assert found["zeros"] == [0, 0, 0]
    assert json.dumps(found)


def test_words_are_flipped_and_features_masked():
    first, second, third = sentiment.noise(CONFIG, 3, 2)
    assert (first.level, first.low, first.high, second, third) == (0.05, 0, 1, 0.25, 0.25)
    assert first.seed != sentiment.noise(CONFIG, 3, 1)[0].seed


def test_a_pretraining_that_diverges_leaves_a_row_that_decides_nothing(toy):
    factors = {**sentiment.trials(SMALL)[1], "pretraining_rate": 1e30}
    found = sentiment.trial(SMALL, 0, **factors)
    assert set(found) == {*sentiment.CURVES, *sentiment.NUMBERS}
    assert np.isnan(found["test_error"])


def test_the_served_network_reads_texts_as_those_that_it_was_trained_on(toy, monkeypatch, tmp_path):
    monkeypatch.setattr(exports, "SAVEDMODELS", tmp_path)
    network, found = sentiment.trained(SMALL, 0, **sentiment.trials(SMALL)[2])
    model = served.of_texts(SMALL, network)
    splits = pipelines.imdb(SMALL.batch, 0, SMALL.terms)
    bags, _ = next(iter(splits.test))
    texts = [bytes(example["text"].numpy()) for example in sources.find("imdb").builder.as_dataset(split="test")]
    by_texts = served.probabilities(model, texts[: len(bags)])
    by_bags = np.asarray(tf.nn.softmax(network(bags)))[:, 1]
    np.testing.assert_allclose(by_texts, by_bags, rtol=1e-5)
    path = served.export(SMALL, network, found["test_error"], 0)
    card = json.loads((path / "1" / "assets.extra" / "card.json").read_text())
    assert card["class_names"] == ["neg", "pos"]
    assert card["metric"]["value"] == pytest.approx(100 - found["test_error"])
    loaded = tf.saved_model.load(str(path / "1"))
    given = loaded.signatures["serving_default"](reviews=tf.constant(texts[:5]))
    np.testing.assert_allclose(given["probabilities"][:, 1], by_texts[:5], rtol=1e-5)
    with np.load(path / "1" / "assets.extra" / "probe.npz") as probe:
        assert [text.decode() for text in probe["serving_default:inputs:reviews"]] == list(served.PROBES)


def test_toy_reviews_praise_or_blame_and_a_not_turns_a_word_round():
    rng = np.random.default_rng(0)
    bad, good = (side.split() for side in toy_reviews.OPINIONS)
    for label in (0, 1):
        agree = []
        for _ in range(300):
            tokens = toy_reviews.review(rng, label).replace(".", "").split()
            for before, word in zip(["", *tokens], tokens, strict=False):
                if word in bad or word in good:
                    agree.append((word in (bad, good)[label]) != (before == "not"))
        # 300 reviews hold some 2,700 opinions: a standard deviation is a hundredth.
        assert np.mean(agree) == pytest.approx(toy_reviews.AGREES, abs=0.04)
