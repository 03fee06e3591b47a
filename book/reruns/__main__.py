"""Run a chapter's experiment and record it: `python -m reruns CHAPTER [--scale live|paper] [--seeds N]`, from book/.

`live` is what the page runs, and leaves no record. `paper` is recorded seed by seed in results/CHAPTER.json: a run that
was interrupted goes on where it stopped. Where a chapter exports its best network, it goes to savedmodels/.
`--download NAME ...` fetches and prepares data sets instead.
"""

import argparse
import dataclasses
import time
from types import ModuleType
from typing import Any

from rich.progress import track

from reruns import records
from reruns.chapters import data, elu, initialisation, rectifiers, serving
from reruns.data import sources

# An experiment is a module with SCALES, SEEDS, run(config, seed), data(config), lines(metrics) and, where a network
# goes to savedmodels/, export(config, results).
CHAPTERS = {"rectifiers": rectifiers, "data": data, "elu": elu, "initialisation": initialisation, "serving": serving}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m reruns", description=__doc__)
    parser.add_argument("chapter", nargs="?", choices=CHAPTERS)
    parser.add_argument("--download", nargs="+", metavar="NAME", choices=sources.SOURCES, help="data sets to fetch")
    parser.add_argument("--scale", choices=("live", "paper"), default="live")
    parser.add_argument("--seeds", type=int, help="how many seeds, from 0 on")
    arguments = parser.parse_args()
    if (arguments.chapter is None) == (arguments.download is None):
        parser.error("expected either a chapter or --download NAME")
    if arguments.download:
        for name in arguments.download:
            print(_fetched(name))
        return
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


def _fetched(name: str) -> str:
    try:
        return sources.fetch(name)
    # tensorflow-datasets asserts that there are manual downloads.
    except (OSError, ValueError, AssertionError) as error:
        raise SystemExit(str(error)) from None


def record(chapter: str, experiment: ModuleType, config: Any, seeds: range) -> None:
    done: set[str] = set()
    data_record = experiment.data(config)
    if (records.RESULTS / f"{chapter}.json").exists():
        records.check_same(chapter, dataclasses.asdict(config), data_record)
        done = set(records.load(chapter)["runs"])
    for seed in track([seed for seed in seeds if str(seed) not in done], f"recording {chapter}"):
        start = time.monotonic()
        metrics = experiment.run(config, seed)
        elapsed = time.monotonic() - start
        records.append(chapter, dataclasses.asdict(config), data_record, seed, metrics, elapsed)
    if hasattr(experiment, "export"):
        print(f"exported {experiment.export(config, records.load(chapter))}")


if __name__ == "__main__":
    main()
