"""Do the records of the book survive interruptions, refuse broken files, and give each page what it asks for?"""

import json
import multiprocessing

import numpy as np
import pytest

from reruns import results
from reruns.results import Results


def row(seed=0, metrics=None, config=None, data=None, **factors):
    return {
        "seed": seed,
        "factors": factors or {"unit": "ELU"},
        "metrics": {"loss": 1 / 3} if metrics is None else metrics,
        "seconds": 1.0,
        "config": config or {"epochs": 5},
        "data": data or {"name": "MNIST"},
        "origin": {"commit": "abc"},
    }


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    return results.path_of("chapter")


def test_a_row_is_appended_once_and_as_one_line(path):
    assert results.append(path, row(0)) and results.append(path, row(1))
    assert not results.append(path, row(0, {"loss": 0.333333}))
    assert path.read_text().count("\n") == 2
    rows, torn = results.rows_of(path)
    assert ([r["seed"] for r in rows], torn) == ([0, 1], b"")
    assert rows[0]["metrics"] == {"loss": 0.333333}


def test_a_number_that_is_not_finite_is_null_for_json_has_no_nan(path):
    results.append(path, row(metrics={"loss": [1.0, float("nan")], "error": float("inf")}))
    assert json.loads(path.read_text())["metrics"] == {"loss": [1.0, None], "error": None}


def append_thirty(path, first):
    for seed in range(first, first + 30):
        results.append(path, row(seed, {"curve": [0.5] * 2000}))


def test_two_processes_that_append_thirty_rows_each_leave_sixty(path):
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=append_thirty, args=(path, first)) for first in (0, 30)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert sorted(r["seed"] for r in results.rows_of(path)[0]) == list(range(60))


def test_a_torn_last_line_is_told_of_and_mended_by_the_next_row(path):
    results.append(path, row(0))
    with open(path, "a") as file:
        file.write('{"seed": 1, "fac')
    rows, torn = results.rows_of(path)
    assert (len(rows), torn) == (1, b'{"seed": 1, "fac')
    with pytest.raises(ValueError, match=r"chapter\.jsonl ends within a row.*runs that trial again"):
        results.of_chapter("chapter")
    results.append(path, row(1))
    assert results.of_chapter("chapter").seeds == [0, 1]


def test_records_of_two_machines_merge_by_concatenation(path, tmp_path):
    other = tmp_path / "other.jsonl"
    for seed in (0, 1):
        results.append(path, row(seed))
    for seed in (1, 2):
        results.append(other, row(seed))
    path.write_text(path.read_text() + other.read_text())
    assert results.of_chapter("chapter").seeds == [0, 1, 2]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"seed": 0'], "line 1 is not valid JSON"),
        (["[1]"], "line 1 expected a row of seed, factors, .*Received: list"),
        (['{"seed": 0}'], r"line 1 expected a row of seed, factors, .*Received: \['seed'\]"),
        ([json.dumps({**row(), "seed": "0"})], "line 1 holds another type than expected as seed"),
        (
            [json.dumps(row()), json.dumps(row(metrics={"loss": 2.0}))],
            "line 2 holds other metrics than an earlier line of the same trial",
        ),
        (
            [json.dumps(row()), json.dumps(row(1, config={"epochs": 6}))],
            "holds rows of another config: epochs 5 and 6",
        ),
        (
            [json.dumps(row()), json.dumps(row(1, data={"name": "digits"}))],
            "holds rows of another data: name MNIST and digits",
        ),
    ],
)
def test_a_broken_file_is_refused_by_its_name(path, lines, message):
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=rf"chapter\.jsonl,? {message}"):
        results.of_chapter("chapter")


def test_a_row_of_another_configuration_is_not_appended(path):
    results.append(path, row())
    with pytest.raises(ValueError, match=r"chapter\.jsonl holds rows of another config: rate absent and 0.2"):
        results.append(path, row(1, config={"epochs": 5, "rate": 0.2}))
    assert len(results.rows_of(path)[0]) == 1


def test_a_missing_file_names_the_command_that_writes_it(path):
    with pytest.raises(FileNotFoundError, match="python -m reruns chapter --scale paper"):
        results.of_chapter("chapter")


def sweep(loss, error=None):
    """Return rows of two units at two rates from two seeds, the metrics given by unit, rate and seed."""
    return Results(
        [
            row(seed, {"loss": loss(unit, rate, seed), "curve": [seed, rate]}, unit=unit, rate=rate)
            for seed in (1, 0)
            for unit in ("ELU", "ReLU")
            for rate in (0.1, 0.3)
        ]
    )


def test_a_metric_is_one_value_or_one_curve_a_seed_in_the_order_of_the_seeds():
    found = sweep(lambda unit, rate, seed: rate + seed)
    np.testing.assert_allclose(found.of("loss", unit="ELU", rate=0.3), [0.3, 1.3])
    np.testing.assert_allclose(found.of("curve", unit="ELU", rate=0.3), [[0, 0.3], [1, 0.3]])
    assert found.levels("rate", unit="ReLU") == [0.1, 0.3]
    assert set(found.where(unit="ELU").table["unit"]) == {"ELU"}


def test_a_curve_that_stopped_earlier_ends_in_nan_and_is_not_lost():
    found = Results([row(seed, {"curve": [1.0] * length}) for seed, length in enumerate((2, 3))])
    np.testing.assert_array_equal(found.of("curve"), [[1, 1, np.nan], [1, 1, 1]])
    assert not found.table["diverged"].any()


def test_an_open_factor_and_unknown_names_are_refused():
    found = sweep(lambda *_: 1.0)
    with pytest.raises(ValueError, match="one trial a seed: loss of {'unit': 'ELU'} has 4 trials of 2.*open are rate"):
        found.of("loss", unit="ELU")
    with pytest.raises(ValueError, match="Expected a factor of unit, rate. Received: depth"):
        found.of("loss", depth=3)
    with pytest.raises(ValueError, match="Expected a metric of loss, curve. Received: error"):
        found.of("error", unit="ELU", rate=0.1)
    with pytest.raises(ValueError, match="at least one row"):
        Results([])


def test_the_chosen_level_is_each_settings_best_in_the_mean_over_seeds():
    # By single seeds ELU would take 0.3, which has the largest value, and in the mean it takes 0.1.
    table = {("ELU", 0.1): (6, 6), ("ELU", 0.3): (9, 1), ("ReLU", 0.1): (1, 1), ("ReLU", 0.3): (2, 2)}
    found = sweep(lambda unit, rate, seed: table[unit, rate][seed]).chosen(over="rate", by="loss")
    assert [found.levels("rate", unit=unit) for unit in ("ELU", "ReLU")] == [[0.1], [0.3]]
    np.testing.assert_allclose(found.of("loss", unit="ReLU"), [2, 2])


def test_the_least_mean_is_chosen_where_less_is_better():
    table = {("ELU", 0.1): (3, 3), ("ELU", 0.3): (1, 9), ("ReLU", 0.1): (2, 2), ("ReLU", 0.3): (1, 1)}
    found = sweep(lambda unit, rate, seed: table[unit, rate][seed]).chosen(over="rate", by="loss", least=True)
    assert [found.levels("rate", unit=unit) for unit in ("ELU", "ReLU")] == [[0.1], [0.3]]


def test_trials_without_the_factor_are_no_choice_and_stay():
    rows = [row(seed, {"error": 1.0}, unit="a") for seed in range(2)]
    rows += [row(seed, {"error": float(rate)}, unit="b", rate=rate) for seed in range(2) for rate in (1, 2)]
    found = results.Results(rows).chosen(over="rate", by="error")
    assert len(found.rows) == 4 and found.levels("rate") == [2]


def test_of_equal_levels_the_first_is_chosen():
    found = sweep(lambda *_: 1.0).chosen(over="rate", by="loss")
    assert found.levels("rate") == [0.1]


def test_a_diverged_trial_loses_all_its_metrics_and_is_counted_and_not_chosen():
    lost = sweep(lambda unit, rate, seed: None if (unit, rate, seed) == ("ELU", 0.3, 0) else rate)
    assert lost.table["diverged"].sum() == 1
    curve = lost.of("curve", unit="ELU", rate=0.3)
    assert np.isnan(curve[0]).all() and not np.isnan(curve[1]).any()
    assert lost.chosen(over="rate", by="loss").levels("rate", unit="ELU") == [0.1]
