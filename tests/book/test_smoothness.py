"""Do the verdicts on smoothness follow from their record, and are units, ranks and trials what they say?"""

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import stats

from reruns.chapters import smoothness
from reruns.claims import Verdict
from reruns.data import pipelines
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = smoothness.Config()
# Ten seeds whose mean is 0.
NOISE = 0.02 * np.array([-2, -1, 0, 1, 2, 2, 1, 0, -1, -2])


def record(errors=smoothness.PUBLISHED, of_seed=lambda seed, name: {}):
    """Return ten seeds of made-up trials; `of_seed` overrides the metrics of a trial."""
    shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
    return Results(
        [
            {
                "seed": seed,
                "factors": factors,
                "metrics": {"test_error": errors[name] + (name == "1") * NOISE[seed], **of_seed(seed, name)},
                **shared,
            }
            for seed in range(10)
            for factors in smoothness.trials(CONFIG)
            for name in [factors["sharpness"]]
        ]
    )


def words(results):
    return {judged.claim.id: judged.verdict for judged in smoothness.judge(results)}


def test_what_the_paper_says_is_confirmed_and_its_contrary_refuted():
    assert words(record()) == {"G-5": CONFIRMED, "G-5, ends": CONFIRMED}
    reversed_ = dict(zip(smoothness.PUBLISHED, reversed(smoothness.PUBLISHED.values()), strict=True))
    assert words(record(reversed_)) == {"G-5": REFUTED, "G-5, ends": REFUTED}


def test_a_weak_order_is_too_small_and_a_tie_stays_open():
    weak = {"1": 17.4, "1.3": 16.9, "2": 17.5, "3": 17.3, "6": 17.0, "rectifier": 17.2}
    rho = stats.spearmanr(range(6), [weak[name] for name in smoothness.ORDER]).statistic
    assert -0.5 < rho < 0
    assert words(record(weak)) == {"G-5": TOO_SMALL, "G-5, ends": TOO_SMALL}
    assert words(record({**weak, "1": 17.79}))["G-5, ends"] is INCONCLUSIVE


def test_ranks_are_correlated_as_by_hand_and_a_lost_run_decides_nothing(rng):
    errors = rng.standard_normal((20, 6))
    expected = []
    for row in errors:
        d = np.arange(6) - np.argsort(np.argsort(row))
        expected.append(-(1 - 6 * np.sum(d**2) / (6 * 35)))
    np.testing.assert_allclose(smoothness.falls(errors), expected, atol=1e-12)
    assert smoothness.falls(np.ones((1, 6))) == [0]
    lost = record(of_seed=lambda seed, name: {"test_error": None} if (seed, name) == (3, "2") else {})
    assert words(lost) == {"G-5": INCONCLUSIVE, "G-5, ends": CONFIRMED}


@pytest.mark.parametrize("name", smoothness.ORDER)
def test_units_are_the_papers(name):
    (layer,) = smoothness.unit(name)(0)
    x = np.linspace(-5, 5, 101)
    s = smoothness.sharpness(name)
    expected = np.maximum(x, 0) if math.isinf(s) else np.log1p(np.exp(s * x)) / s
    np.testing.assert_allclose(np.asarray(layer(x.astype("float32"))), expected, rtol=1e-5, atol=1e-6)
    assert len(smoothness.unit(name)(1)) == 1


def test_a_small_trial_trains_and_one_seed_gives_all_the_same_start(monkeypatch, rng):
    def splits(config, seed):
        images = rng.integers(0, 255, size=(30, 32, 32, 2)).astype("uint8")
        arrays = [(images, (np.arange(30) % 6).astype("int32"))] * 3
        return pipelines._splits(arrays, config.batch, seed, {}, pipelines.PIXELS["symmetric"][1](images))

    monkeypatch.setattr(smoothness, "splits", splits)
    small = dataclasses.replace(CONFIG, widths=(8, 7), epochs=2, train=30)
    starts = []
    monkeypatch.setattr(
        smoothness.networks, "perceptron", lambda *a, made=smoothness.networks.perceptron, **k: kept(made(*a, **k))
    )

    def kept(model):
        starts.append([np.array(weight) for weight in model.get_weights()])
        return model

    found = [smoothness.trial(small, 0, **factors) for factors in smoothness.trials(small)]
    for of_trial, start in zip(found, starts, strict=True):
        assert len(of_trial["train_loss"]) == len(of_trial["validation_errors"]) == 2
        assert of_trial["validation_errors"][-1] == pytest.approx(of_trial["validation_error"])
        for weight, first in zip(start, starts[0], strict=True):
            np.testing.assert_array_equal(weight, first)
    assert len({of_trial["train_loss"][0] for of_trial in found}) == len(found)
    assert json.dumps(found)
