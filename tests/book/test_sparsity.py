"""Do the verdicts on exact zeros follow from their record, and are lines, products and bytes what they say?"""

import dataclasses
import json

import numpy as np
import pytest

from reruns.chapters import sparsity
from reruns.chapters.sparsity import claimed, products
from reruns.claims import Verdict
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = sparsity.Config()
# Five seeds whose mean is 0 and whose spread is small.
NOISE = 1e-3 * np.array([-1.2, -0.4, 0.1, 0.5, 1.0])
# Of the wide networks, by penalty: the mean share of zeros and the error, in percent, as in figure 3.
WIDE = ((50, 1.4), (71, 1.38), (74, 1.38), (77, 1.40), (80, 1.37), (84, 1.41), (91, 1.6), (97, 2.1))
SECONDS = {1: (30.0, 10.0, 5.0), 100: (30.0, 10.0, 5.0)}  # dense, sparse, compressed, in microseconds


def record(before=(50.0, 51.0, 49.0), after=76.0, of_tanh=0.0, wide=WIDE, seconds=SECONDS, of_seed=lambda s, f: {}):
    """Return five seeds of made-up trials; `of_seed` overrides the metrics of a seed's trial."""

    def metrics(seed, factors):
        if "share" in factors:
            taken = (1e-6 * (1 + NOISE[seed]) * value for value in seconds[factors["cases"]])
            return dict(zip(("dense", "sparse", "compressed"), taken, strict=True))
        if "width" in factors:
            zeros, error = wide[[penalty for _, penalty in CONFIG.wide].index(factors["penalty"])]
            return {"zeros_after": [zeros + 2, zeros - 2], "test_error": error * (1 + NOISE[seed])}
        share = after + NOISE[seed] if factors["unit"] == "ReLU" else of_tanh
        return {"zeros_before": [share + NOISE[seed] for share in before], "zeros_after": [share]}

    shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
    return Results(
        [
            {"seed": seed, "factors": factors, "metrics": metrics(seed, factors) | of_seed(seed, factors), **shared}
            for seed in range(5)
            for factors in sparsity.trials(CONFIG)
        ]
    )


def words(results):
    return {judged.claim.id: judged.verdict for judged in claimed.judge(results)}


def test_what_is_said_is_confirmed_and_its_contrary_refuted():
    assert words(record()) == dict.fromkeys((claim.id for claim in claimed.CLAIMS[1:]), CONFIRMED)
    contrary = record(
        before=(60.0, 50.0, 40.0),
        after=50.0,
        of_tanh=0.1,
        wide=[(zeros, 3.0 - 0.02 * zeros) for zeros, _ in WIDE],
        seconds={cases: (10.0, 8.0, 4.0) for cases in SECONDS},
    )
    assert set(words(contrary).values()) == {REFUTED}


def test_a_lost_run_of_tanh_leaves_its_claim_open():
    assert words(record(of_tanh=None))["G-7, tanh"] is INCONCLUSIVE


def test_a_sparse_product_counts_with_what_it_takes_to_compress():
    assert words(record(seconds={1: (12.0, 10.0, 5.0), 100: (12.0, 10.0, 1.0)})) | {} == {
        **words(record()),
        "Z-1, one": REFUTED,
    }


def test_costs_below_a_fifth_are_too_small():
    assert words(record(wide=[*WIDE[:-1], (97, 1.5)]))["G-8, cost"] is TOO_SMALL


def test_networks_that_died_are_left_out_and_empty_bins_leave_a_claim_open():
    died = record(wide=[*WIDE[:-2], (96, 2.1), (100, 88.7)])
    assert words(died) == words(record())
    found = {judged.claim.id: judged for judged in claimed.judge(record(wide=[*WIDE[:-1], (100, 88.7)]))}
    assert found["G-8, cost"].verdict is INCONCLUSIVE
    assert found["G-8, cost"].found == "5 of 5 seeds have too few networks with so many zeros"
    two = [(50, 1.4), (72, 1.4), (76, 1.4), *((90, 1.5) for _ in range(4)), (97, 2.1)]
    found = words(record(wide=two))
    assert (found["G-8, free"], found["G-8, cost"]) == (INCONCLUSIVE, CONFIRMED)


def test_rises_are_those_of_a_line_within_the_range(rng):
    zeros = np.array([[10.0, 70.0, 75.0, 80.0, 85.0, 85.1, np.nan]] * 2)
    errors = np.stack([0.01 * zeros[0] + 3, rng.uniform(1, 2, size=7)])
    errors[:, [0, 5]] = 99.0
    inside = slice(1, 5)
    x = zeros[1, inside]
    by_hand = 15 * np.sum((x - x.mean()) * errors[1, inside]) / np.sum((x - x.mean()) ** 2)
    np.testing.assert_allclose(claimed.rises(zeros, errors), [0.15, by_hand])


def test_excesses_are_those_of_means_by_bin():
    zeros = np.array([[70.0, 85.0, 90.0, 95.0, 99.0], [60.0, 90.0, 91.0, 95.0, 99.0]])
    errors = np.array([[1.0, 2.0, 50.0, 3.0, 6.0]] * 2)
    np.testing.assert_allclose(claimed.excesses(zeros, errors), [2.0, np.nan])


@pytest.mark.parametrize(("cases", "share"), [(1, 0.834), (3, 0.5), (2, 0.0)])
def test_a_share_of_each_case_is_zero_and_products_agree(cases, share, rng):
    outputs = products.of_units(rng, cases, 1000, share)
    assert outputs.dtype == "float32" and (outputs >= 0).all()
    np.testing.assert_array_equal((outputs == 0).sum(axis=1), round(1000 * share))
    found = products.measured(1, cases, 200, share)
    assert found["error"] < 1e-3
    assert all(0 < found[name] < claimed.SLOWEST for name in ("dense", "sparse", "compressed"))


def test_the_fastest_of_several_turns_is_told(monkeypatch):
    monkeypatch.setattr(products, "SECONDS", 1e-4)
    calls = {"short": 0, "long": 0}

    def call(name, work):
        calls[name] += 1
        return sum(range(work))

    found = products.fastest({"short": lambda: call("short", 10), "long": lambda: call("long", 20_000)})
    assert found["long"] > 5 * found["short"] > 0
    assert min(calls.values()) > products.ROUNDS


def test_stored_bytes_are_those_of_arrays(rng):
    outputs = products.of_units(rng, 1, 1000, 0.834)
    from scipy import sparse

    rows = sparse.csr_array(outputs)
    found = products.stored(0.834, 1000)
    assert found["dense"] == outputs.nbytes == 4000
    # The array has one place for the end beside the beginning of each row.
    assert found["compressed"] == pytest.approx(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes - 4)
    assert found["bit mask"] == pytest.approx(np.packbits(outputs != 0).nbytes + outputs[outputs != 0].nbytes)
    assert products.stored(0.0, 1000)["compressed"] > found["dense"] > products.stored(0.51, 1000)["compressed"]


SMALL = dataclasses.replace(
    CONFIG, penalties=(1e-3,), wide=((30, 1e-3),), products=((2, 50, 0.5),), width=20, train=200, epochs=1
)


def test_zeros_are_counted_on_so_many_test_images_as_is_said(monkeypatch):
    counted = []
    monkeypatch.setattr(sparsity, "zeros", lambda model, images: counted.append(len(images)))
    sparsity.trial(dataclasses.replace(SMALL, measured_images=70), 0, unit="ReLU", penalty=0.0)
    assert counted == [70, 70]


def test_each_kind_of_trial_runs_at_a_small_size():
    found = [sparsity.trial(SMALL, 0, **factors) for factors in sparsity.trials(SMALL)]
    assert [set(of_trial) for of_trial in found] == [
        *3 * [{"zeros_before", "zeros_after", "test_error"}],
        {"dense", "sparse", "compressed", "error"},
    ]
    assert json.dumps(found)
    assert found[0]["zeros_after"] != found[2]["zeros_after"]
