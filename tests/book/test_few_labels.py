"""Do the verdicts on few labels follow from their record, and do few labels come as often as is said?"""

import dataclasses
import json

import numpy as np
import pytest

from reruns import stacks, training
from reruns.chapters import few_labels
from reruns.chapters.few_labels import claimed
from reruns.claims import Verdict
from reruns.data import pipelines
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = few_labels.Config()
# Five seeds whose mean is 0.
NOISE = 0.05 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
ERRORS = {
    **{("NORB", *of): errors[:3] + errors[4:] for of, errors in claimed.FIGURE_4.items()},
    **{
        ("MNIST", unit, pretrained): tuple(100 - accuracies[pretrained] for accuracies in claimed.MACHINE.values())
        for unit in ("rectifier", "tanh")
        for pretrained in (False, True)
    },
}


def record(errors=ERRORS, of_seed=lambda seed, factors: {}):
    """Return five seeds of made-up trials; `of_seed` overrides the metrics of a seed's trial."""

    def row(seed, factors):
        of = np.array(errors[tuple(factors[name] for name in ("data", "unit", "pretrained"))])
        noise = (1 if factors["pretrained"] else -1) * NOISE[seed] * (1 + (factors["unit"] == "tanh"))
        metrics = {"test_errors": (of + noise * np.array([1.0, 1.0, 1.0, 0.5])).tolist()}
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": seed, "factors": factors, "metrics": metrics | of_seed(seed, factors), **shared}

    return Results([row(seed, factors) for seed in range(5) for factors in few_labels.trials(CONFIG)])


def words(results):
    return {judged.claim.id: judged.verdict for judged in claimed.judge(results)}


def changed(data, unit, pretrained, *errors):
    return {**ERRORS, (data, unit, pretrained): errors}


def test_what_was_published_is_confirmed_and_its_contrary_refuted():
    assert words(record()) == dict.fromkeys((claim.id for claim in claimed.CLAIMS), CONFIRMED)
    helps_late = {
        **ERRORS,
        ("NORB", "rectifier", True): (45.0, 25.0, 18.0, 10.0),
        ("NORB", "tanh", True): (40.0, 25.0, 22.0, 22.0),
        ("MNIST", "rectifier", True): (30.0, 6.0, 3.0, 1.0),
    }
    assert set(words(record(helps_late)).values()) == {REFUTED}


@pytest.mark.parametrize(
    ("errors", "claim", "word"),
    [
        (changed("NORB", "rectifier", True, 44.3, 25.2, 20.9, 16.5), "G-9", TOO_SMALL),
        (changed("NORB", "rectifier", True, 38.1, 23.8, 20.1, 15.8), "G-9, all labels", INCONCLUSIVE),
        (changed("NORB", "tanh", True, 41.5, 24.4, 21.1, 19.0), "G-9, tanh", TOO_SMALL),
        (changed("NORB", "tanh", True, 36.05, 24.4, 21.1, 17.7), "G-9, more", INCONCLUSIVE),
        (changed("MNIST", "rectifier", True, 23.0, 6.3, 2.7, 1.3), "B-1", TOO_SMALL),
        (changed("MNIST", "tanh", True, 23.0, 6.3, 2.7, 1.3), "B-1", CONFIRMED),
    ],
)
def test_a_change_of_one_curve_changes_its_claim(errors, claim, word):
    assert words(record(errors))[claim] is word


def test_a_run_that_diverged_decides_nothing_of_its_claims():
    def lost(seed, factors):
        is_it = (seed, factors["data"], factors["unit"]) == (2, "NORB", "rectifier") and factors["pretrained"]
        return training.lost(("test_errors",), ()) if is_it else {}

    found = words(record(of_seed=lost))
    assert [found.pop(name) for name in ("G-9", "G-9, all labels", "G-9, more")] == 3 * [INCONCLUSIVE]
    assert set(found.values()) == {CONFIRMED}


def made_up(rng, classes, pixels="unit"):
    images = rng.integers(0, 255, size=(60, 6, 6, 1)).astype("uint8")
    arrays = [(images, (np.arange(60) % classes).astype("int32"))] * 3
    return pipelines._splits(arrays, 20, None, {}, pipelines.PIXELS[pixels][1](images))


SMALL = dataclasses.replace(
    CONFIG, widths=(8, 7), epochs=2, pretraining_epochs=1, least_steps=5, norb_labels=(10, 60), mnist_labels=(5, 40)
)


@pytest.mark.parametrize("number", range(8))
def test_a_small_trial_trains_at_each_number_of_labels(monkeypatch, rng, number):
    monkeypatch.setattr(few_labels.pipelines, "norb", lambda *a, pixels, **k: made_up(rng, 6, pixels))
    monkeypatch.setattr(few_labels.pipelines, "mnist", lambda *a, **k: made_up(rng, 10))
    seen = []

    def fit(network, splits, *a, **k):
        seen.append((np.array(network.get_weights()[0]), stacks.inputs_of(splits.train)))
        return made(network, splits, *a, **k)

    made = training.fit
    monkeypatch.setattr(few_labels.training, "fit", fit)
    factors = few_labels.trials(SMALL)[number]
    found = few_labels.trial(SMALL, 1, **factors)
    lengths = {name: len(found[name]) for name in few_labels.CURVES}
    assert lengths == {**dict.fromkeys(few_labels.CURVES, 2), "reconstruction_errors": 2 * factors["pretrained"]}
    assert np.shape(found["zeros"]) == (2, 2)
    (first, few), (second, many) = seen
    # Both begin with the same stack, and the few are among the many.
    np.testing.assert_array_equal(first, second)
    few, many = ({row.tobytes() for row in rows} for rows in (few, many))
    assert few < many
    assert (len(few), len(many)) == (SMALL.norb_labels if factors["data"] == "NORB" else SMALL.mnist_labels)
    drawn = stacks.untrained(stacks.KINDS[factors["unit"]], 36, SMALL.widths, 1, 0.0)[0].encoder.kernel
    assert np.array_equal(first, np.asarray(drawn)) is not factors["pretrained"]
    assert json.dumps(found)


@pytest.mark.parametrize(("number", "steps"), [(100, 500), (1000, 500), (10_000, 500), (50_000, 2500)])
def test_few_labels_are_seen_as_often_as_it_takes_and_in_another_order_each_time(number, steps):
    rows = np.arange(number, dtype="float32")[:, None]
    data = few_labels.repeated(rows, np.zeros(number), CONFIG, 0)
    assert int(data.cardinality()) == steps
    if number == 100:
        orders = np.concatenate([np.asarray(x)[:, 0] for x, _ in data]).reshape(-1, 100)
        assert len({order.tobytes() for order in orders}) == len(orders) == 100
        for order in orders:
            np.testing.assert_array_equal(np.sort(order), np.arange(100))


def test_a_pretraining_that_diverges_leaves_a_row_that_decides_nothing(monkeypatch, rng):
    monkeypatch.setattr(few_labels.pipelines, "mnist", lambda *a, **k: made_up(rng, 10))
    factors = {**few_labels.trials(SMALL)[5], "pretraining_rate": 1e30}
    found = few_labels.trial(SMALL, 0, **factors)
    assert all(np.isnan(errors).all() for errors in found.values())
    assert set(found) == set(few_labels.CURVES)
