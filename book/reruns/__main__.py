"""Run a chapter's experiment and record it: `python -m reruns CHAPTER [--scale SCALE] [--seed N] [--only ...]`.

From book/. The scale `live` is what the page runs, and leaves no record; nor does `pilot`, the configuration of the
recorded runs with seeds from 100 on. `paper` is recorded trial by trial in results/CHAPTER.jsonl: a run that was
interrupted goes on where it stopped. Where a chapter exports its best network, it goes to savedmodels/ when the record
is complete. `--plan` writes what is fixed before these runs, and it must be
committed before them. `--download NAME ...` fetches and prepares data sets instead.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from reruns import chapters, origin, plans, results, spread
from reruns.experiment import Experiment, Scale, Trial, fixed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m reruns", description=__doc__)
    parser.add_argument("chapter", nargs="?", choices=(*chapters.NAMES, *chapters.BEGUN))
    parser.add_argument("--download", nargs="+", metavar="NAME", help="data sets to fetch")
    parser.add_argument("--scale", choices=("live", "pilot", "paper"), default="live")
    parser.add_argument("--seed", type=int, nargs="+", metavar="N", help="these seeds only")
    parser.add_argument(
        "--only", nargs="+", metavar="FACTOR=LEVEL", default=[], help="the trials with these levels only"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="compute in N processes of this machine")
    where.add_argument("--ray", metavar="ADDRESS", help="compute as tasks of a Ray cluster")
    parser.add_argument(
        "--gpus", type=float, default=0, help="GPUs that a trial takes of the cluster, or a part of one"
    )
    parser.add_argument("--plan", action="store_true", help="write the plan of the recorded runs and run nothing")
    parser.add_argument("--anew", action="store_true", help="write a new record; it replaces the old one when complete")
    parser.add_argument("--threads", type=int, default=origin.THREADS, help="threads of an operation")
    arguments = parser.parse_args()
    if (arguments.chapter is None) == (arguments.download is None):
        parser.error("expected either a chapter or --download NAME")
    if arguments.download:
        download(arguments.download)
        return
    for name in ("workers", "threads"):
        if (number := getattr(arguments, name)) is not None and number < 1:
            parser.error(f"--{name} must be at least 1. Received: {number}")
    # Before the data are looked at, by which TensorFlow begins.
    origin.pin(arguments.threads)
    experiment = chapters.find(arguments.chapter)
    if arguments.plan:
        print(f"wrote {plans.write(experiment)}; commit it before the runs")
        return
    scale = pilot(experiment) if arguments.scale == "pilot" else getattr(experiment, arguments.scale)
    if scale is None:
        parser.error(f"{arguments.chapter} has nothing to run live; record it with --scale paper")
    plan = plans.committed(experiment) if arguments.scale == "paper" else None
    try:
        refuse_seeds(experiment, arguments.scale, arguments.seed)
        tasks = asked(experiment, scale, arguments.seed, arguments.only, arguments.threads, plan)
    except ValueError as error:
        parser.error(str(error))
    compute = computing(arguments.workers, arguments.ray, arguments.gpus)
    counted = arguments.scale == "paper"
    faults = record(experiment, tasks, compute, arguments.anew) if counted else show(tasks, compute)
    if faults:
        sys.exit("\n".join(faults))


def download(names: list[str]) -> None:
    from reruns.data import sources

    for name in names:
        try:
            print(sources.fetch(name))
        # tensorflow-datasets asserts that there are manual downloads.
        except (OSError, ValueError, AssertionError) as error:
            raise SystemExit(str(error)) from None


PILOT_SEEDS = 100  # from here on, so that no pilot sees what is counted


def pilot(experiment: Experiment) -> Scale:
    """Return the configuration of the recorded runs, with a seed that is none of theirs."""
    return Scale(experiment.paper.config, range(PILOT_SEEDS, PILOT_SEEDS + 1))


def refuse_seeds(experiment: Experiment, scale: str, seeds: list[int] | None) -> None:
    """Refuse seeds that a scale has not: those of the plan are counted, and those from 100 on are pilots."""
    most = max(experiment.paper.looks)
    if scale == "paper" and seeds and not all(0 <= seed < most for seed in seeds):
        raise ValueError(f"--seed expected seeds of the plan, 0 to {most - 1}; --scale pilot takes others: {seeds}")
    if scale == "pilot" and seeds and min(seeds) < PILOT_SEEDS:
        raise ValueError(f"--seed expected seeds from {PILOT_SEEDS} on for a pilot. Received: {seeds}")


def asked(
    experiment: Experiment,
    scale: Scale,
    seeds: list[int] | None = None,
    only: Sequence[str] = (),
    threads: int | None = None,
    plan: str | None = None,
) -> list[spread.Task]:
    """Return the trials of a scale, seed by seed: all, or those of these seeds and with these levels."""
    trials = experiment.trials(scale.config)
    if only:
        trials = [trial for trial in trials if _matches(trial, _wanted(only, trials))]
        if not trials:
            raise ValueError(f"--only selects nothing: no trial has all of {' '.join(only)}")
    return [
        spread.Task(experiment, scale.config, seed, trial, threads, plan)
        for seed in (scale.seeds if seeds is None else seeds)
        for trial in trials
    ]


def _wanted(only: Sequence[str], trials: list[Trial]) -> dict[str, set[str]]:
    """Return the wanted levels of each factor that `--only` names, as they are typed."""
    known: dict[str, dict[str, None]] = {}
    for trial in trials:
        for factor, level in trial.items():
            known.setdefault(factor, {})[str(level)] = None
    wanted: dict[str, set[str]] = {}
    for text in only:
        factor, equals, level = text.partition("=")
        if not equals or factor not in known:
            raise ValueError(f"--only expected FACTOR=LEVEL, with a factor of {', '.join(known)}. Received: {text}")
        if level not in known[factor]:
            raise ValueError(
                f"--only expected a level of {factor}, one of {', '.join(known[factor])}. Received: {text}"
            )
        wanted.setdefault(factor, set()).add(level)
    return wanted


def _matches(trial: Trial, wanted: dict[str, set[str]]) -> bool:
    return all(factor in trial and str(trial[factor]) in levels for factor, levels in wanted.items())


def computing(workers: int | None, address: str | None, gpus: float) -> spread.Spread:
    if address is not None:
        return lambda tasks: spread.on_ray(tasks, address, gpus)
    return spread.in_turn if workers is None else lambda tasks: spread.in_processes(tasks, workers)


def show(tasks: list[spread.Task], compute: spread.Spread) -> list[str]:
    """Compute trials and print what they gave."""
    faults = []
    for outcome in track(compute(tasks), "live", total=len(tasks)):
        print(_told(outcome))
        faults += [] if outcome.row else [_told(outcome)]
    return faults


def record(experiment: Experiment, tasks: list[spread.Task], compute: spread.Spread, anew: bool = False) -> list[str]:
    """Compute the trials that the record lacks, append each as it comes, and return the faults of those that failed."""
    final = results.path_of(experiment.name)
    path = final.with_suffix(".new") if anew else final
    rows, torn = results.rows_of(path)
    if anew and (others := {row["origin"].get("commit") for row in rows} - {origin.COMMIT}):
        raise SystemExit(
            f"{path} holds rows of another commit, {', '.join(map(str, others))}. Remove it to begin anew."
        )
    if torn:
        print(f"{path} ended within a row, {torn[:40]!r}...: its trial runs again")
    shared = expected(experiment, tasks)
    refuse_unlike(path, rows, shared)
    done = set(map(results.key, rows))
    missing = [task for task in tasks if results.key({"seed": task.seed, "factors": task.factors}) not in done]
    faults, added = [], False
    if missing:
        for outcome in track(compute(missing), f"recording {experiment.name}", total=len(missing)):
            fault = outcome.fault
            if outcome.row and not (fault := unlike(outcome.row, shared) or elsewhere(outcome)):
                added |= results.append(path, outcome.row)
            if fault:
                faults.append(f"{outcome.task}, on {outcome.machine}: {fault}")
            print(_told(outcome))
    complete = not faults and is_complete(experiment, path)
    if anew and complete:
        os.replace(path, final)
    if experiment.export and complete and added:
        print(f"exported {experiment.export(experiment.paper.config, results.of_chapter(experiment.name))}")
    return faults


def expected(experiment: Experiment, tasks: list[spread.Task]) -> dict[str, dict]:
    """Return what every row of these trials must share, as this machine has it."""
    config = tasks[0].config if tasks else experiment.paper.config
    return {"config": fixed(config), "data": json.loads(json.dumps(experiment.data(config)))}


def unlike(row: results.Row, shared: dict[str, dict]) -> str:
    """Return in what a row differs from what all rows must share, or an empty string."""
    found = ((name, results.differences(shared[name], row[name])) for name in results.SHARED)
    return "; ".join(f"another {name}: {differing}" for name, differing in found if differing)


def elsewhere(outcome: spread.Outcome) -> str:
    """Return by what a machine differs whose rows would not be this one's to the bit, or an empty string."""
    found = outcome.row["origin"] if outcome.row else {}
    wanted = {"commit": origin.COMMIT, "threads": outcome.task.threads}
    return "; ".join(
        f"another number of threads: {found[name]} and {value}"
        if name == "threads"
        else f"another {name}: {found[name]}"
        for name, value in wanted.items()
        if None not in (value, found.get(name)) and found[name] != value
    )


def refuse_unlike(path: Path, rows: list[results.Row], shared: dict[str, dict]) -> None:
    if rows and (differing := unlike(rows[0], shared)):
        raise SystemExit(f"{path} holds rows of {differing}. Remove the file to record this.")


def is_complete(experiment: Experiment, path: Path) -> bool:
    done = {results.key(row) for row in results.rows_of(path)[0]}
    tasks = asked(experiment, experiment.paper)
    return all(results.key({"seed": task.seed, "factors": task.factors}) in done for task in tasks)


def _told(outcome: spread.Outcome) -> str:
    """Return a line for a trial: of a curve its last value."""
    if outcome.row is None:
        return f"{outcome.task}  failed: {outcome.fault}"
    last: dict[str, Any] = {
        name: v[-1] if isinstance(v, list) and v else v for name, v in outcome.row["metrics"].items()
    }
    shown = [f"{name} {value:.4g}" for name, value in last.items() if isinstance(value, int | float)]
    return "  ".join([f"{outcome.task}", *shown, f"{outcome.row['seconds']:.0f} s"])


if __name__ == "__main__":
    main()
