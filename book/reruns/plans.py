"""What is fixed before a chapter's counted runs, in book/plans/CHAPTER.json.

`python -m reruns CHAPTER --plan` writes there what the code says: the configuration, the looks, and how each claim will
be decided. It is committed before the runs, each row carries its digest, and where the code or the record differ from
it, no verdict is given.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from reruns import origin, results
from reruns.claims import Claim, Judgement, Kind, Rule, Verdict, level
from reruns.experiment import Experiment, fixed
from reruns.results import Results

PLANS = results.ROOT / "book" / "plans"


def path_of(chapter: str) -> Path:
    return PLANS / f"{chapter}.json"


def digest(content: bytes) -> str:
    """Return what a row carries of the plan under which it was computed."""
    return hashlib.sha256(content).hexdigest()[:16]


def recorded_claims(experiment: Experiment) -> list[Claim]:
    """Return the claims that the record decides: all but those that a page computes to rounding."""
    return [claim for claim in experiment.claims if claim.kind is not Kind.IDENTITY]


def declared(experiment: Experiment) -> dict[str, Any]:
    """Return the plan that the code of an experiment states."""
    scale, claims = experiment.paper, {}
    at_each_look = level(scale.looks)
    for claim in recorded_claims(experiment):
        if claim.rule is not Rule.NEVER and claim.level != at_each_look:
            told = f"expected the level of {len(scale.looks)} looks, {at_each_look:g}"
            raise ValueError(f"{claim.id}: {told}: {claim.level:g}")
        predicted = claim.predicted.value if claim.predicted else None
        claims[claim.id] = {
            **{
                name: getattr(claim, name)
                for name in ("says", "criterion", "source", "margin", "level", "unlike", "lost")
            },
            **{"rule": claim.rule.value, "predicted": predicted},
        }
    seeds = list(range(max(scale.looks)))
    plan = {"config": dataclasses.asdict(scale.config), "seeds": seeds, "looks": scale.looks, "claims": claims}
    return json.loads(json.dumps(plan))


def _named(data: dict) -> dict[str, Any]:
    """Return which data a record is of, and those in it, without their sizes."""
    own = {name: data[name] for name in ("name", "stands_in_for") if name in data}
    within = {name: _named(value) for name, value in data.items() if isinstance(value, dict)}
    return own | {name: named for name, named in within.items() if named}


def write(experiment: Experiment) -> Path:
    """Write the plan that the code states, for the data that are at hand."""
    path = path_of(experiment.name)
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".new")
    plan = {"data": _named(experiment.data(experiment.paper.config)), **declared(experiment)}
    unfinished.write_text(json.dumps(plan, indent=1, ensure_ascii=False) + "\n")
    os.replace(unfinished, path)
    return path


def _read(chapter: str) -> dict[str, Any]:
    return json.loads(path_of(chapter).read_text())


def fault(experiment: Experiment) -> str:
    """Return in what the code of an experiment differs from its plan, or an empty string."""
    path = path_of(experiment.name)
    if not path.exists():
        return f"{path.relative_to(PLANS.parent)} is not there"
    plan, stated = _read(experiment.name), declared(experiment)
    for part in ("looks", "seeds"):
        if plan[part] != stated[part]:
            return f"{part} {plan[part]} and {stated[part]}"
    for part in ("config", "claims"):
        if differing := results.differences(plan[part], stated[part]):
            return f"{part}: {differing}"
    return ""


def committed(experiment: Experiment) -> str:
    """Return the digest of an experiment's plan, and refuse one that the code departs from or that git has not."""
    path, write_it = path_of(experiment.name), f"`python -m reruns {experiment.name} --plan`"
    if differing := fault(experiment):
        raise SystemExit(
            f"{path}: plan and code differ: {differing}. {write_it} writes it anew; commit it before the runs."
        )
    if origin.git("status", "--porcelain", "--", str(path)):
        raise SystemExit(f"{path} is not committed: commit it before the runs that it plans.")
    return digest(path.read_bytes())


def told(experiment: Experiment, recorded: Results) -> str:
    """Return how many of the recorded trials were computed under the plan as it is, or otherwise."""
    path = path_of(experiment.name)
    now = digest(path.read_bytes()) if path.exists() else "none"
    of_rows = [row["origin"].get("plan") for row in recorded.rows]
    here, older = of_rows.count(now), of_rows.count(None)
    counts = {
        f"under plan {now}": here,
        "under an earlier version of it": len(of_rows) - here - older,
        "before plans were kept in files; the code of their commit holds claims and margins": older,
    }
    return "; ".join(f"{count} trials {how}" for how, count in counts.items() if count)


def _departure(experiment: Experiment, recorded: Results) -> str:
    """Return in what a record departs from the plan, or an empty string."""
    if differing := results.differences(fixed(experiment.paper.config), recorded.config):
        return differing
    planned, named = _read(experiment.name)["data"], _named(recorded.data)
    # The first plans named the first of several data sets alone.
    differing = results.differences(planned, {name: value for name, value in named.items() if name in planned})
    return f"data: {differing}" if differing else ""


LATER = "plan filed later"


def judged(experiment: Experiment, recorded: Results) -> list[Judgement]:
    """Judge the recorded trials at the last look that they have reached, if they are what was planned.

    A verdict whose plan was filed or changed after a trial says so.
    """
    claims = recorded_claims(experiment)
    if differing := fault(experiment) or _departure(experiment, recorded):
        return [Judgement(claim, Verdict.NOT_JUDGED, f"not as planned: {differing}") for claim in claims]
    looks = experiment.paper.looks
    whole = recorded.whole_seeds(experiment.trials(experiment.paper.config))
    seeds = [seed for seed in whole if seed < max(looks)]
    reached = [look for look in looks if look <= len(seeds)]
    if reached:
        counted = recorded.of_seeds(seeds[: reached[-1]])
        now = digest(path_of(experiment.name).read_bytes())
        later = any(row["origin"].get("plan") != now for row in counted.rows)
        found = experiment.judge(counted)
        return [j._replace(found=f"{j.found}; {LATER}") for j in found] if later else found
    told = f"{len(seeds)} of {looks[0]} planned seeds"
    if len(seeds) < 2:
        return [Judgement(claim, Verdict.INCONCLUSIVE, told) for claim in claims]
    early = experiment.judge(recorded.of_seeds(seeds))
    return [j._replace(verdict=Verdict.INCONCLUSIVE, found=f"{j.found}; {told}") for j in early]
