"""Run a chapter's experiment and record it: `python -m reruns CHAPTER [--scale live|paper] [--seeds N]`, from book/.

`live` is what the page runs, and leaves no record. `paper` is recorded seed by seed in results/CHAPTER.json: a run that
was interrupted goes on where it stopped. The best recorded network goes to savedmodels/.
"""

import argparse
import dataclasses
import time
from types import ModuleType
from typing import Any

from rich.progress import track

from reruns import records
from reruns.experiments import rectifiers

# An experiment is a module with SCALES, SEEDS, run(config, seed), data(config), lines(metrics) and
# export(config, results).
CHAPTERS = {"rectifiers": rectifiers}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m reruns", description=__doc__)
    parser.add_argument("chapter", choices=CHAPTERS)
    parser.add_argument("--scale", choices=("live", "paper"), default="live")
    parser.add_argument("--seeds", type=int, help="how many seeds, from 0 on")
    arguments = parser.parse_args()
    if arguments.seeds is not None and arguments.seeds < 1:
        parser.error(f"--seeds must be at least 1. Received: {arguments.seeds}")
    experiment = CHAPTERS[arguments.chapter]
    seeds = range(arguments.seeds or experiment.SEEDS[arguments.scale])
    config = experiment.SCALES[arguments.scale]
    if arguments.scale == "paper":
        record(arguments.chapter, experiment, config, seeds)
        return
    for seed in track(seeds, "live"):
        for line in experiment.lines(experiment.run(config, seed)):
            print(f"seed {seed}  {line}")


def record(chapter: str, experiment: ModuleType, config: Any, seeds: range) -> None:
    path = records.RESULTS / f"{chapter}.json"
    done: set[str] = set()
    if path.exists():
        records.check_config(chapter, dataclasses.asdict(config))
        done = set(records.load(chapter)["runs"])
    for seed in track([seed for seed in seeds if str(seed) not in done], f"recording {chapter}"):
        start = time.monotonic()
        metrics = experiment.run(config, seed)
        elapsed = time.monotonic() - start
        records.append(chapter, dataclasses.asdict(config), experiment.data(config), seed, metrics, elapsed)
    print(f"exported {experiment.export(config, records.load(chapter))}")


if __name__ == "__main__":
    main()
