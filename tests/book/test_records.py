"""Do the records of the book survive interruptions, refuse broken files, and hold what they promise?"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from reruns import __main__ as command
from reruns import records
from reruns.chapters import rectifiers, serving
from reruns.page import tables


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(records, "SAVEDMODELS", tmp_path / "savedmodels")
    return tmp_path


CONFIG = {"units": ("a", "b"), "rate": 0.1}


def test_runs_are_appended_seed_by_seed_with_their_provenance(folder):
    for seed in (0, 1):
        records.append("chapter", CONFIG, {"name": "data"}, seed, {"a": {"loss": [1 / 3]}}, 1.23)
    results = records.load("chapter")
    assert list(results["runs"]) == ["0", "1"]
    provenance = results["runs"]["1"]["provenance"]
    assert provenance["versions"]["keras"] == keras.__version__
    assert set(provenance) == {"commit", "dirty", "backend", "device", "versions"}
    assert [file.name for file in (folder / "results").iterdir()] == ["chapter.json"]


def test_runs_of_another_config_are_not_mixed_in(folder):
    records.append("chapter", CONFIG, {}, 0, {}, 1.0)
    with pytest.raises(ValueError, match=r"chapter\.json holds runs of another config"):
        records.append("chapter", {**CONFIG, "rate": 0.2}, {}, 1, {}, 1.0)
    assert list(records.load("chapter")["runs"]) == ["0"]


def test_a_changed_config_is_refused_before_anything_is_trained_or_exported(folder):
    command.record("chapter", Experiment(None), rectifiers.Config(), range(1))
    changed = Experiment(None)
    with pytest.raises(ValueError, match="holds runs of another config"):
        command.record("chapter", changed, rectifiers.Config(epochs=3), range(1))
    assert changed.ran == []


def test_runs_on_other_data_are_not_mixed_in(folder):
    records.append("chapter", CONFIG, {"name": "MNIST"}, 0, {}, 1.0)
    with pytest.raises(ValueError, match=r"chapter\.json holds runs of another data"):
        records.append("chapter", CONFIG, {"name": "digits"}, 1, {}, 1.0)
    assert list(records.load("chapter")["runs"]) == ["0"]


RUN = {"metrics": {}, "wall_seconds": 1.0, "provenance": {}}
WHOLE = {"chapter": "chapter", "config": {}, "data": {}, "runs": {}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"chapter": "cha', "is not valid JSON"),
        ('{"runs": {}}', "lacks chapter, config, data in the file"),
        ("[1]", "has no table where the file should be"),
        (json.dumps({**WHOLE, "chapter": "other"}), "holds the results of chapter 'other'"),
        (json.dumps({**WHOLE, "runs": []}), "holds another type than expected as runs in the file"),
        (json.dumps({**WHOLE, "runs": {"first": RUN}}), "has a run whose seed is no number: 'first'"),
        (json.dumps({**WHOLE, "runs": {"0": 1}}), "has no table where run 0 should be"),
        (json.dumps({**WHOLE, "runs": {"0": {"metrics": {}}}}), "lacks provenance, wall_seconds in run 0"),
        (json.dumps({**WHOLE, "runs": {"0": RUN}}), "lacks backend, commit, .* in the provenance of run 0"),
    ],
)
def test_a_broken_file_is_refused_by_its_name(folder, content, message):
    (folder / "results").mkdir()
    (folder / "results" / "chapter.json").write_text(content)
    with pytest.raises(ValueError, match=f"chapter.json {message}"):
        records.load("chapter")


def test_a_missing_file_names_the_command_that_writes_it(folder):
    with pytest.raises(FileNotFoundError, match="python -m reruns chapter --scale paper"):
        records.load("chapter")


def test_a_diverged_loss_is_null_for_json_has_no_nan(folder):
    records.write_json(folder / "value.json", {"loss": [1.0, float("nan"), float("inf")]})
    assert json.loads((folder / "value.json").read_text()) == {"loss": [1.0, None, None]}


def test_a_failed_write_leaves_the_old_file_whole(folder):
    path = folder / "value.json"
    records.write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        records.write_json(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(folder.iterdir()) == [path]


class Experiment:
    """An experiment that is interrupted during its second seed."""

    ran: list[int]

    def __init__(self, interrupted_at: int | None) -> None:
        self.ran, self.interrupted_at = [], interrupted_at

    def run(self, config, seed):
        if seed == self.interrupted_at:
            raise KeyboardInterrupt
        self.ran.append(seed)
        return {"unit": {"0.1": {"validation_accuracy": 90.0}}}

    def data(self, config):
        return {"name": "data"}

    def export(self, config, results):
        return f"{len(results['runs'])} runs"


def test_an_interrupted_recording_goes_on_where_it_stopped(folder, capsys):
    interrupted, resumed = Experiment(1), Experiment(None)
    with pytest.raises(KeyboardInterrupt):
        command.record("chapter", interrupted, rectifiers.Config(), range(3))
    assert list(records.load("chapter")["runs"]) == ["0"]
    command.record("chapter", resumed, rectifiers.Config(), range(3))
    assert (interrupted.ran, resumed.ran) == ([0], [1, 2])
    assert "exported 3 runs" in capsys.readouterr().out


# A sweep whose runs take a moment and whose record is large: most kills fall into a run or into its writing.
SWEEP = """
import pathlib, sys, time
import reruns
from reruns import __main__ as command, records
from reruns.chapters import rectifiers

folder = pathlib.Path(sys.argv[1])
records.RESULTS = folder / "results"

class Experiment:
    def run(self, config, seed):
        with open(folder / "ran", "a") as log:
            log.write(f"{seed}\\n")
        return {"curve": [seed + 0.5] * 100_000}
    def data(self, config):
        return {"name": "data"}

command.record("chapter", Experiment(), rectifiers.Config(), range(int(sys.argv[2])))
"""


def test_a_killed_sweep_keeps_its_finished_seeds_and_never_a_broken_file(folder):
    command = [sys.executable, "-c", SWEEP, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "book")}
    path = folder / "results" / "chapter.json"
    for kill in range(3):
        process = subprocess.Popen([*command, "1000"], env=environment, stdout=subprocess.DEVNULL)
        before = path.stat().st_mtime_ns if path.exists() else 0
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.1 * kill)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(records.load("chapter")["runs"]) > kill
    done = len(records.load("chapter")["runs"])
    subprocess.run([*command, str(done + 1)], env=environment, stdout=subprocess.DEVNULL, check=True)
    results = records.load("chapter")
    assert list(results["runs"]) == [str(seed) for seed in range(done + 1)]
    # A seed ran twice only if a kill fell between its run and its record.
    assert len((folder / "ran").read_text().split()) <= done + 1 + 3


def test_a_failed_export_leaves_the_old_model_and_nothing_else(folder):
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1)])
    probe = {"x": np.ones((3, 2), "float32")}
    records.export(model, "model", probe, {"seed": 1})
    with pytest.raises(ValueError, match="card of what JSON can say"):
        records.export(model, "model", probe, {"seed": object()})
    assert sorted(file.name for file in (folder / "savedmodels").iterdir()) == ["model", "models.config"]
    assert card(folder / "savedmodels" / "model")["seed"] == 1
    records.export(model, "model", probe, {"seed": 2})
    assert card(folder / "savedmodels" / "model")["seed"] == 2


@pytest.mark.parametrize("before", [0, 1])
def test_a_model_that_cannot_be_put_in_its_place_leaves_what_was_there(folder, monkeypatch, before):
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1)])
    probe, rename = {"x": np.ones((3, 2), "float32")}, Path.rename
    for seed in range(before):
        records.export(model, "model", probe, {"seed": seed})

    def refuse(self, target):
        if (self.name, Path(target)) == ("model", folder / "savedmodels" / "model"):
            raise PermissionError(13, "Permission denied", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError, match="savedmodels/model"):
        records.export(model, "model", probe, {"seed": 9})
    assert [path.name for path in (folder / "savedmodels").glob("*/1")] == before * ["1"]
    assert not before or card(folder / "savedmodels" / "model")["seed"] == 0


def card(model):
    return json.loads((model / "1" / "assets.extra" / "card.json").read_text())


def test_the_recorded_results_are_complete():
    results = records.load("rectifiers")
    config = rectifiers.SCALES["paper"]
    for run in results["runs"].values():
        assert set(run["metrics"]) == set(config.units)
        for rates in run["metrics"].values():
            assert set(rates) == set(map(str, config.learning_rates))
            for metrics in rates.values():
                assert len(metrics["train_loss"]) == config.epochs
                assert 5 < metrics["test_accuracy"] <= 100  # a diverged network guesses
    for accuracies in rectifiers.chosen(results, "test_accuracy").values():
        assert accuracies.min() > 80


@pytest.mark.parametrize("chapter", sorted(p.stem for p in records.RESULTS.glob("*.json")))
def test_every_record_is_whole_and_its_provenance_can_be_shown(chapter):
    results = records.load(chapter)
    if results["data"]:
        assert results["data"]["name"] in tables.provenance(results).data


@pytest.mark.parametrize("chapter", ["rectifiers", "elu", "initialisation", "serving"])
def test_a_record_has_five_seeds_of_committed_code_on_the_real_data(chapter):
    results = records.load(chapter)
    assert len(results["runs"]) >= 5
    assert not any(run["provenance"]["dirty"] for run in results["runs"].values())
    assert (results["data"]["name"], results["data"]["stands_in_for"]) == ("MNIST", None)


SAVED = Path(__file__).parents[2] / "savedmodels"


def test_the_exported_networks_are_the_recorded_ones():
    found, results = card(SAVED / "digits"), records.load("rectifiers")
    assert (found["unit"], found["learning_rate"], found["seed"]) == rectifiers.best(results)
    recorded = results["runs"][str(found["seed"])]["metrics"][found["unit"]][str(found["learning_rate"])]
    assert found["metric"]["value"] == pytest.approx(recorded["test_accuracy"], abs=1e-4)
    found, results = card(SAVED / "maxout_dense"), records.load("serving")
    recorded = results["runs"][str(found["seed"])]["metrics"]["MaxoutDense"]
    assert found["metric"]["value"] == pytest.approx(recorded["test_accuracy"], abs=1e-4)
    assert recorded["validation_accuracy"] == serving.accuracies(results, "validation").max()
