"""What a unit costs: `make bench`, or `python -m reruns.chapters.cost` from book/.

Each part runs in a process of its own and is timed there in turns with a copy, to which every figure is a ratio. The
parts on TensorFlow are left out where it is not installed, so that the same command measures a graphics card on JAX.
"""

import argparse
import dataclasses
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reruns.chapters.cost import timing
from reruns.chapters.cost.timing import Config


def units(config: Config) -> dict:
    from reruns.chapters.cost import unit_times

    return unit_times.units(config)


def fresh(config: Config) -> dict:
    from reruns.chapters.cost import unit_times

    return unit_times.fresh(config)


def maxout_dense(config: Config) -> list[dict]:
    from reruns.chapters.cost import unit_times

    return unit_times.dense(config)


def networks(config: Config) -> dict:
    from reruns.chapters import rectifiers
    from reruns.chapters.cost import steps

    chapter = rectifiers.SCALES["paper"]
    over_relu = steps.networks_over_relu(config.rounds, config.patience)
    return {"over_relu": over_relu, "pipelines": steps.pipeline_speeds(chapter.batch, chapter.width)}


def first_steps(config: Config) -> list[dict]:
    from reruns.chapters.cost import steps

    return steps.first_steps()


def memory(config: Config) -> list[dict]:
    from reruns.chapters.cost import stacks

    return stacks.tensors_a_unit(config.depths, config.stack)


def every_size(config: Config) -> list[dict]:
    from reruns.chapters.cost import sizes

    return sizes.at_every_size(config) + sizes.with_changing_sizes(config)


def kept(config: Config) -> list[dict]:
    from reruns.chapters.cost import sizes

    return sizes.kept_memory(config)


# (name in the results, the part, its backend, whether freed memory is kept)
PARTS = [
    ("tensorflow", units, "tensorflow", True),
    ("jax", units, "jax", True),
    ("fresh", fresh, "tensorflow", False),
    ("maxout_dense", maxout_dense, "tensorflow", True),
    ("networks", networks, "tensorflow", True),
    ("every_size", every_size, "tensorflow", True),
    ("kept_memory", kept, "tensorflow", True),
    ("first_steps", first_steps, "tensorflow", True),
    ("memory_tensorflow", memory, "tensorflow", False),
    ("memory_jax", memory, "jax", False),
]


def measured_apart(part: str, backend: str, keeping: bool) -> Any:
    """Run one part in a process of its own and return what it found."""
    environment = {name: value for name, value in os.environ.items() if name not in timing.KEEPING}
    environment |= {"KERAS_BACKEND": backend} | (timing.KEEPING if keeping else {})
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, "-m", "reruns.chapters.cost", "--part", part, "--into", str(found)]
        subprocess.run(command, env=environment, check=True)
        return json.loads(found.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m reruns.chapters.cost", description=__doc__)
    parser.add_argument("--part", choices=[name for name, *_ in PARTS], help="this part only, nothing recorded")
    parser.add_argument("--into", type=Path, help="the file for the part's results")
    arguments = parser.parse_args()
    config = Config()
    if arguments.part:
        part = next(function for name, function, *_ in PARTS if name == arguments.part)
        found = part(config)
        text = json.dumps(found)
        arguments.into.write_text(text) if arguments.into else print(text)
        return
    record(config)


def record(config: Config) -> None:
    from reruns import records

    installed = {name: importlib.util.find_spec(name) is not None for name in ("tensorflow", "jax", "torch")}
    start = time.monotonic()
    metrics: dict[str, Any] = {"absent": [name for name, there in installed.items() if not there]}
    for name, _, backend, keeping in PARTS:
        if installed[backend]:
            metrics[name] = measured_apart(name, backend, keeping)
    path = records.replace("cost", dataclasses.asdict(config), metrics, time.monotonic() - start)
    for title, header, lines in tables(metrics):
        drawn = Table(*header, title=title)
        for line in lines:
            drawn.add_row(*line)
        Console().print(drawn)
    print(f"wrote {path}")


def tables(metrics: dict) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return a title, a header and lines for every table that the recorded metrics make."""
    found = []
    for backend in [name for name in ("tensorflow", "jax") if name in metrics]:
        for setting, rows in grouped(metrics[backend]["rows"], "setting").items():
            found.append((f"{backend}, {setting}: time over floor", *table(rows, "over_floor")))
    if "fresh" in metrics:
        found.append(("on fresh pages: time over floor", *table(metrics["fresh"]["rows"], "over_floor")))
    if "maxout_dense" in metrics:
        rows = [{"unit": "MaxoutDense", **row} for row in metrics["maxout_dense"]]
        found.append(("time over the three matrix products", *table(rows, "over_products")))
    for setting, rows in grouped(metrics.get("every_size", []), "setting").items():
        found.append((f"{setting}: time over the nearest layer of Keras's", *by_size(rows, "over_nearest")))
    if "kept_memory" in metrics:
        rows = metrics["kept_memory"]
        lines = [[r["unit"], r["by"], _product(r["size"]), f"{r['mib_a_trial']:.2f}"] for r in rows]
        found.append(("memory kept", ["unit", "by", "elements", "MiB a trial"], lines))
    if "networks" in metrics:
        for network, rows in grouped(metrics["networks"]["over_relu"], "network").items():
            found.append((f"{network}: step over the step with ReLU", *table(rows, "over_relu")))
    for backend in [name for name in ("tensorflow", "jax") if f"memory_{name}" in metrics]:
        found.append((f"{backend}: tensors kept a unit", *table(metrics[f"memory_{backend}"], "tensors_a_unit")))
    return found


def grouped(rows: list[dict], key: str) -> dict[str, list[dict]]:
    return {name: [row for row in rows if row[key] == name] for name in dict.fromkeys(row[key] for row in rows)}


def table(rows: list[dict], value: str) -> tuple[list[str], list[list[str]]]:
    """Return a header and lines: a column a unit, which a page is wide enough for, and a line for everybody's modes."""
    units = list(dict.fromkeys(row["unit"] for row in rows))
    values = {(row["by"], row["mode"], row["unit"]): row[value] for row in rows}
    lines = []
    for contender in dict.fromkeys((row["by"], row["mode"]) for row in rows):
        found = [values.get((*contender, unit)) for unit in units]
        lines.append(
            [", ".join(contender), *("" if v is None else f"{v:.2f}" if v < 100 else f"{v:.0f}" for v in found)]
        )
    return ["unit", *units], lines


def by_size(rows: list[dict], value: str) -> tuple[list[str], list[list[str]]]:
    """Return a header and lines: a line a unit, and a column for each number of elements."""
    sizes = list(dict.fromkeys(_product(row["size"]) for row in rows))
    values = {(row["unit"], _product(row["size"])): f"{row[value]:.2f}" for row in rows}
    units = list(dict.fromkeys(row["unit"] for row in rows))
    return ["unit", *sizes], [[unit, *(values.get((unit, size), "") for size in sizes)] for unit in units]


def _product(size: list[int] | str) -> str:
    if isinstance(size, str):
        return size
    elements = math.prod(size)
    number = f"{elements / 1e6:.1f} M" if elements >= 10**6 else f"{elements / 1e3:.0f} k"
    return f"{number}, {'x'.join(map(str, size))}"
