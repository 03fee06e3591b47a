"""Does a record count only as far as it is what was planned, and a plan only if it was committed before?"""

import dataclasses
import json
import subprocess
import sys

import pytest

from reruns import __main__ as command
from reruns import chapters, claims, origin, plans, verdicts
from reruns.claims import Claim, Kind, Rule, Verdict
from reruns.experiment import Experiment, Scale, grid
from reruns.results import Results


@dataclasses.dataclass(frozen=True)
class Config:
    epochs: int = 5


LOOKS = (2, 4)
FASTER = Claim("X-1", "a is above b", "L > 0", "ours", margin=0.5, level=claims.level(LOOKS))
ENCODES = Claim("X-2", "it encodes", "error < 1", "ours", Rule.IDENTITY)


def trials(config):
    return grid(unit=["a", "b"])


def trial(config, seed, unit):
    return {"speed": 1.0}


def judge(results):
    return [verdicts.decide(FASTER, results.of("speed", unit="a") - results.of("speed", unit="b"))]


def experiment(config=Config(), claims=(FASTER, ENCODES), looks=LOOKS):
    scale = Scale(config, range(2), looks)
    return Experiment(
        "chapter", scale, scale, lambda config: {"name": "MNIST", "sizes": 3}, trials, trial, claims, judge
    )


def record(speeds, epochs=5, data="MNIST", first=0):
    """Return a record of so many seeds, of which unit a has these speeds and unit b is at 0."""
    now = plans.digest(plans.path_of("chapter").read_bytes())
    return Results(
        [
            {
                "seed": seed,
                "factors": {"unit": unit},
                "metrics": {"speed": speed if unit == "a" else 0.0},
                **{"seconds": 1.0, "config": {"epochs": epochs}, "data": {"name": data}, "origin": {"plan": now}},
            }
            for seed, speed in enumerate(speeds, first)
            for unit in "ab"
        ]
    )


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "PLANS", tmp_path / "plans")
    plans.write(experiment())
    return tmp_path


def test_a_plan_holds_configuration_looks_and_how_each_claim_will_be_decided():
    plan = json.loads(plans.path_of("chapter").read_text())
    assert (plan["config"], plan["looks"], list(plan["claims"])) == ({"epochs": 5}, [2, 4], ["X-1"])
    assert (plan["data"], plan["seeds"]) == ({"name": "MNIST"}, [0, 1, 2, 3])
    assert plan["claims"]["X-1"]["rule"] == "difference"
    assert {"criterion", "margin", "level", "predicted", "unlike", "lost"} <= set(plan["claims"]["X-1"])


def test_a_record_is_judged_at_the_last_look_that_it_has_reached():
    def at(*speeds):
        (found,) = plans.judged(experiment(), record(speeds))
        return found.verdict, found.evidence.n

    # The last of three seeds would turn the verdict, and is not looked at before the fourth.
    assert at(1.0, 1.01) == at(1.0, 1.01, -50.0) == (Verdict.CONFIRMED, 2)
    assert at(1.0, 1.01, -50.0, 1.0) == (Verdict.INCONCLUSIVE, 4)
    assert at(-1.0, -1.01, -1.0, -1.02) == (Verdict.REFUTED, 4)


def test_fewer_seeds_than_planned_leave_every_claim_open():
    planned = experiment(looks=(5,), claims=(dataclasses.replace(FASTER, level=claims.level((5,))),))
    plans.write(planned)
    (two,), (one,) = (plans.judged(planned, record(speeds)) for speeds in ([1.0, 1.01], [1.0]))
    assert two.verdict is one.verdict is Verdict.INCONCLUSIVE
    assert two.found.endswith("; 2 of 5 planned seeds") and one.found == "1 of 5 planned seeds"


def test_a_seed_counts_when_all_of_its_trials_are_there():
    rows = record([1.0, 1.01]).rows
    (found,) = plans.judged(experiment(), Results(rows[:-1]))
    assert (found.verdict, found.found) == (Verdict.INCONCLUSIVE, "1 of 2 planned seeds")


@pytest.mark.parametrize(
    ("code", "epochs", "told"),
    [
        (experiment(), 6, "epochs 5 and 6"),
        (experiment(Config(7)), 7, "config: epochs 5 and 7"),
        (experiment(claims=(dataclasses.replace(FASTER, margin=0.1),)), 5, "claims: X-1"),
        (experiment(claims=()), 5, "claims: X-1"),
        (experiment(looks=(2, 3)), 5, r"looks [2, 4] and [2, 3]"),
    ],
)
def test_what_is_unlike_the_plan_is_not_judged(code, epochs, told):
    found = plans.judged(code, record([1.0, 1.01], epochs))
    assert {judgement.verdict for judgement in found} <= {Verdict.NOT_JUDGED}
    assert [judgement.claim for judgement in found] == plans.recorded_claims(code)
    assert all(told in judgement.found for judgement in found)
    assert told in (plans.fault(code) or told)


def test_other_data_are_not_judged_and_other_seeds_do_not_count():
    (other,) = plans.judged(experiment(), record([1.0, 1.01], data="digits"))
    assert (other.verdict, other.found) == (Verdict.NOT_JUDGED, "not as planned: data: name MNIST and digits")
    (pilot,) = plans.judged(experiment(), record([1.0, 1.01], first=100))
    assert (pilot.verdict, pilot.found) == (Verdict.INCONCLUSIVE, "0 of 2 planned seeds")


def test_a_verdict_says_that_its_plan_came_later():
    rows = record([1.0, 1.01])
    (before,) = plans.judged(experiment(), rows)
    rows.rows[0]["origin"] = {"plan": "0123"}
    (later,) = plans.judged(experiment(), rows)
    assert later.verdict is before.verdict and later.found == f"{before.found}; {plans.LATER}"


def test_a_page_tells_how_many_trials_were_planned_before_they_ran():
    rows = record([1.0, 1.01]).rows
    now = plans.digest(plans.path_of("chapter").read_bytes())
    for row, digest in zip(rows, (now, now, "0123", None), strict=True):
        row["origin"] = {"plan": digest} if digest else {}
    told = plans.told(experiment(), Results(rows))
    assert told.startswith(f"2 trials under plan {now}; 1 trials under an earlier version of it; 1 trials before plans")


def test_looks_and_the_level_of_the_claims_must_agree():
    with pytest.raises(ValueError, match="X-1: expected the level of 1 looks, 0.9: 0.95"):
        plans.declared(experiment(looks=(5,)))
    assert ENCODES.kind is Kind.IDENTITY and "X-2" not in plans.declared(experiment())["claims"]


@pytest.fixture
def repository(folder, monkeypatch):
    monkeypatch.setattr(origin, "ROOT", folder)

    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)

    git("init")
    return git


def test_runs_begin_when_the_plan_is_committed_and_not_before(repository):
    with pytest.raises(SystemExit, match=r"chapter\.json is not committed: commit it before the runs"):
        plans.committed(experiment())
    repository("add", ".")
    repository("commit", "-m", "plan")
    assert plans.committed(experiment()) == plans.digest(plans.path_of("chapter").read_bytes())
    with pytest.raises(SystemExit, match="plan and code differ: config: epochs 5 and 6.*commit it before the runs"):
        plans.committed(experiment(Config(6)))
    plans.path_of("chapter").unlink()
    with pytest.raises(SystemExit, match=r"plans/chapter\.json is not there"):
        plans.committed(experiment())


def test_the_command_writes_the_plan_and_refuses_to_record_without_one(repository, monkeypatch, capsys):
    monkeypatch.setattr(chapters, "find", lambda name: experiment())
    monkeypatch.setattr(origin, "pin", lambda threads: None)
    plans.path_of("chapter").unlink()

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["reruns", "elu", *arguments])
        command.main()

    with pytest.raises(SystemExit, match="is not there"):
        run("--scale", "paper")
    run("--plan")
    assert "commit it before the runs" in capsys.readouterr().out and plans.path_of("chapter").exists()
