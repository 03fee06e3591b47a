"""Is every trial recorded exactly once, whoever computes it, and whatever is killed meanwhile?"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reruns import __main__ as command
from reruns import chapters, exports, origin, results, spread
from reruns.experiment import Experiment, Scale, fixed, grid

BOOK = Path(__file__).parents[2] / "book"

# A chapter in a file of its own, so that other processes can import it.
CHAPTER = """
import dataclasses, os, time
import numpy as np
from reruns.experiment import Experiment, Scale, grid, levels

@dataclasses.dataclass(frozen=True)
class Config:
    units: tuple = levels("a", "b")
    width: int = 3

def data(config):
    return {"name": "data"}

def trials(config):
    return grid(unit=config.units)

def trial(config, seed, unit):
    time.sleep(float(os.environ.get("TRIAL_SECONDS", 0)))
    if os.environ.get("FAILS") == f"{unit}{seed}":
        raise RuntimeError("no such luck")
    if os.environ.get("KILLS") == f"{unit}{seed}":
        os.kill(os.getpid(), 9)
    return {"curve": (np.random.normal(size=2000) + seed).tolist(), "unit_is_a": float(unit == "a")}

EXPERIMENT = Experiment("toy", Scale(Config(), range(1)), Scale(Config(), range(4)), data, trials, trial)
"""
RUN = """
import sys, pathlib
import toy
from reruns import __main__ as command, chapters, plans, results

if __name__ == "__main__":
    results.RESULTS = pathlib.Path(sys.argv.pop(1))
    chapters.NAMES, chapters.find = ("toy",), lambda name: toy.EXPERIMENT
    plans.committed = lambda experiment: plans.digest(b"toy")
    command.main()
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    (folder / "toy.py").write_text(CHAPTER)
    (folder / "run.py").write_text(RUN)
    return folder


def start(code, folder, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, str(code / "run.py"), str(folder), "toy", "--scale", "paper", *arguments],
        env={**os.environ, "PYTHONPATH": f"{BOOK}{os.pathsep}{code}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process):
    _, errors = process.communicate()
    return process.returncode, errors


def recorded(folder):
    lines = (folder / "toy.jsonl").read_text().splitlines()
    return sorted((r["seed"], r["factors"]["unit"], json.dumps(r["metrics"])) for r in map(json.loads, lines))


@pytest.fixture(scope="module")
def undisturbed(code, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    status, errors = finish(start(code, folder))
    assert status == 0, errors
    found = recorded(folder)
    assert [(seed, unit) for seed, unit, _ in found] == [(seed, unit) for seed in range(4) for unit in "ab"]
    return found


def test_a_recording_in_processes_that_is_killed_goes_on_where_it_stopped(code, tmp_path, undisturbed):
    path = tmp_path / "toy.jsonl"
    process = start(code, tmp_path, "--workers", "2", TRIAL_SECONDS="0.3")
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(recorded(tmp_path)) < len(undisturbed)
    status, errors = finish(start(code, tmp_path, "--workers", "2"))
    assert status == 0, errors
    assert recorded(tmp_path) == undisturbed


def test_trials_that_raise_or_kill_their_process_are_named_and_the_others_go_on(code, tmp_path, undisturbed):
    run = start(code, tmp_path, "--workers", "2", "--seed", "2", "3", FAILS="a2", KILLS="b3")
    status, errors = finish(run)
    assert status != 0
    assert re.search(r"seed 2 unit=a, on \S+: RuntimeError: no such luck", errors)
    assert re.search(r"seed 3 unit=b, on \S+: the process that computed it was killed", errors)
    assert recorded(tmp_path) == [entry for entry in undisturbed if entry[:2] in ((2, "b"), (3, "a"))]


# In this process: what is refused before anything is computed.


def data(config):
    return {"name": "data"}


def trials(config):
    return grid(unit=["a", "b"], rate=[0.1])


def experiment(trial, config=None, **others):
    import dataclasses

    made = dataclasses.make_dataclass("Config", [("epochs", int, 5)], frozen=True)()
    scale = Scale(config or made, range(2))
    return Experiment("chapter", scale, scale, data, trials, trial, **others)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(exports, "SAVEDMODELS", tmp_path / "savedmodels")
    return tmp_path


def run(chapter, only=()):
    tasks = command.asked(chapter, chapter.paper, only=only)
    return command.record(chapter, tasks, spread.in_turn)


def test_a_part_is_asked_for_by_seed_and_by_level():
    chapter = experiment(lambda config, seed, **factors: {})
    tasks = command.asked(chapter, chapter.paper, [3, 5], ["unit=b", "rate=0.1"])
    assert [str(task) for task in tasks] == ["seed 3 unit=b rate=0.1", "seed 5 unit=b rate=0.1"]


def test_only_names_the_factors_and_levels_that_there_are():
    chapter = experiment(lambda config, seed, **factors: {})
    with pytest.raises(ValueError, match="with a factor of unit, rate. Received: depth=3"):
        command.asked(chapter, chapter.paper, only=["depth=3"])
    with pytest.raises(ValueError, match="a level of unit, one of a, b. Received: unit=c"):
        command.asked(chapter, chapter.paper, only=["unit=c"])


def test_rows_of_another_configuration_or_data_are_refused_before_anything_is_computed(folder, monkeypatch):
    assert run(experiment(lambda config, seed, **factors: {"loss": 1.0})) == []

    def never(config, seed, **factors):
        raise AssertionError

    path = results.path_of("chapter")
    path.write_text(path.read_text().replace('"epochs": 5', '"epochs": 6'))
    with pytest.raises(SystemExit, match=r"chapter\.jsonl holds rows of another config: epochs 5 and 6"):
        run(experiment(never))


def test_a_row_whose_data_differ_is_refused_with_the_name_of_its_machine(folder):
    chapter = experiment(None)

    def elsewhere(tasks):
        for task in tasks:
            yield spread.Outcome(
                task,
                {
                    "seed": task.seed,
                    "factors": task.factors,
                    "metrics": {},
                    "seconds": 1.0,
                    "config": fixed(task.config),
                    "data": {"name": "other data"},
                    "origin": {},
                },
                machine="node7",
            )

    tasks = command.asked(chapter, chapter.paper, [0], ["unit=a"])
    (fault,) = command.record(chapter, tasks, elsewhere)
    assert "seed 0 unit=a rate=0.1, on node7: another data: name data and other data" in fault
    assert not results.path_of("chapter").exists()


def test_the_best_network_is_exported_when_the_record_is_complete_and_not_before(folder, capsys):
    exported = []
    chapter = experiment(
        lambda config, seed, **factors: {"loss": 1.0}, export=lambda config, found: exported.append(len(found.rows))
    )
    run(chapter, only=["unit=a"])
    assert exported == []
    run(chapter)
    assert exported == [4]


def test_a_new_record_replaces_the_old_one_when_it_is_complete(folder):
    run(experiment(lambda config, seed, **factors: {"loss": 1.0}))
    again = experiment(lambda config, seed, **factors: {"loss": 2.0})
    tasks = command.asked(again, again.paper)
    command.record(again, tasks[:3], spread.in_turn, anew=True)
    assert set(results.of_chapter("chapter").table["loss"]) == {1.0}
    command.record(again, tasks, spread.in_turn, anew=True)
    assert set(results.of_chapter("chapter").table["loss"]) == {2.0}
    assert [path.name for path in folder.iterdir()] == ["chapter.jsonl"]


def test_levels_and_configurations_keep_all_their_digits(folder):
    import dataclasses

    config = dataclasses.make_dataclass("Config", [("decay", float, 1 / 3)], frozen=True)()
    chapter = dataclasses.replace(
        experiment(lambda config, seed, **factors: {"loss": 1 / 3}, config), trials=lambda config: grid(rate=[10**-3.5])
    )
    for _ in range(2):
        assert run(chapter) == []
    recorded = results.of_chapter("chapter")
    assert len(recorded.rows) == 2 and recorded.config == {"decay": 1 / 3}
    assert recorded.whole_seeds(chapter.trials(config)) == [0, 1]
    assert recorded.of("loss").tolist() == [0.333333] * 2


def test_numpys_numbers_are_metrics_and_what_is_no_number_is_a_named_fault(folder):
    import numpy as np

    def trial(config, seed, unit, rate):
        return {"least": np.argmin([2, 1]), "curve": np.arange(3.0)} if unit == "a" else {"model": object()}

    faults = run(experiment(trial))
    assert [re.match(r"seed \d unit=b rate=0.1, on .*: TypeError", fault) is not None for fault in faults] == [True] * 2
    recorded = results.of_chapter("chapter")
    assert recorded.of("least").tolist() == [1.0, 1.0] and recorded.of("curve").tolist() == [[0.0, 1.0, 2.0]] * 2


def test_an_origin_that_a_trial_returns_is_the_rows(folder):
    run(experiment(lambda config, seed, **factors: {"loss": 1.0, "origin": {"backend": "jax"}}))
    (row, *_) = results.of_chapter("chapter").rows
    assert row["metrics"] == {"loss": 1.0} and row["origin"] == {"backend": "jax", "plan": None}


def test_only_that_selects_nothing_and_seeds_of_the_other_kind_are_refused():
    import dataclasses

    chapter = dataclasses.replace(
        experiment(None), trials=lambda config: [*grid(unit=["a"], rate=[0.1]), *grid(unit=["b"], rate=[0.2])]
    )
    with pytest.raises(ValueError, match="--only selects nothing: no trial has all of unit=a rate=0.2"):
        command.asked(chapter, chapter.paper, only=["unit=a", "rate=0.2"])
    command.refuse_seeds(chapter, "paper", [0, 1])
    command.refuse_seeds(chapter, "pilot", [100, 7000])
    command.refuse_seeds(chapter, "live", [7])
    with pytest.raises(ValueError, match="seeds of the plan, 0 to 1"):
        command.refuse_seeds(chapter, "paper", [1, 100])
    with pytest.raises(ValueError, match="from 100 on for a pilot. Received: \\[3\\]"):
        command.refuse_seeds(chapter, "pilot", [3])
    assert list(command.pilot(chapter).seeds) == [100]


def test_a_complete_record_is_not_exported_again(folder):
    exported = []
    chapter = experiment(lambda config, seed, **factors: {"loss": 1.0}, export=lambda config, found: exported.append(1))
    run(chapter)
    run(chapter)
    assert exported == [1]


def test_an_unfinished_new_record_of_another_commit_is_refused(folder):
    chapter = experiment(lambda config, seed, **factors: {"loss": 1.0})
    tasks = command.asked(chapter, chapter.paper)
    command.record(chapter, tasks[:1], spread.in_turn, anew=True)
    path = folder / "chapter.new"
    path.write_text(path.read_text().replace(origin.COMMIT, 40 * "0"))
    with pytest.raises(SystemExit, match="rows of another commit, 0000.*Remove it"):
        command.record(chapter, tasks, spread.in_turn, anew=True)


@pytest.mark.parametrize(
    ("name", "value", "told"), [("commit", 40 * "0", "another commit"), ("threads", 7, "another number")]
)
def test_a_row_of_another_commit_or_number_of_threads_is_refused_by_its_machine(folder, name, value, told):
    chapter = experiment(
        lambda config, seed, **factors: {"loss": 1.0, "origin": {"commit": origin.COMMIT, name: value}}
    )
    tasks = [task._replace(threads=2) for task in command.asked(chapter, chapter.paper, [0], ["unit=a"])]

    def computed_there(tasks):
        return [spread.computed(task._replace(threads=None))._replace(task=task, machine="node7") for task in tasks]

    (fault,) = command.record(chapter, tasks, computed_there)
    assert f"on node7: {told}" in fault
    assert not results.path_of("chapter").exists()


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit, match=r"\.\[cluster\]"):
        list(spread.on_ray([], "auto"))


@pytest.mark.parametrize("name", [*chapters.NAMES, *chapters.BEGUN])
def test_a_chapters_experiment_can_travel_and_its_trials_are_told_apart(name):
    import pickle

    chapter = chapters.find(name)
    for scale in filter(None, (chapter.live, chapter.paper)):
        assert pickle.loads(pickle.dumps(spread.Task(chapter, scale.config, 0, {}))).experiment == chapter
        keys = [results.key({"seed": 0, "factors": trial}) for trial in chapter.trials(scale.config)]
        assert len(set(keys)) == len(keys) > 0
