"""The parts of the benchmark, each for a process of its own: `python -m reruns.chapters.cost.parts NAME`, from book/.

Each is timed there in turns with a copy, to which every figure is a ratio. The parts on TensorFlow are left out where
it is not installed, so that the same code measures a graphics card on JAX.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from reruns import origin
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
    from reruns.chapters.cost import steps

    over_relu = steps.networks_over_relu(config.rounds, config.patience)
    return {"over_relu": over_relu, "pipelines": steps.pipeline_speeds()}


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


def boltzmann(config: Config) -> list[dict]:
    from reruns.chapters.cost import machines

    return machines.epochs(machines.IMAGES, config.rounds)


class Part(NamedTuple):
    """What measures, on which backend, and whether its process keeps the memory that it frees."""

    measure: Callable[[Config], Any]
    backend: str
    keeping: bool = True


PARTS = {
    "tensorflow": Part(units, "tensorflow"),
    "jax": Part(units, "jax"),
    "fresh": Part(fresh, "tensorflow", keeping=False),
    "maxout_dense": Part(maxout_dense, "tensorflow"),
    "networks": Part(networks, "tensorflow"),
    "every_size": Part(every_size, "tensorflow"),
    "kept_memory": Part(kept, "tensorflow"),
    "first_steps": Part(first_steps, "tensorflow"),
    "memory_tensorflow": Part(memory, "tensorflow", keeping=False),
    "memory_jax": Part(memory, "jax", keeping=False),
    "boltzmann_tensorflow": Part(boltzmann, "tensorflow"),
    "boltzmann_jax": Part(boltzmann, "jax"),
}


def at_hand() -> list[str]:
    """Return the parts whose backend is installed."""
    return [name for name, part in PARTS.items() if importlib.util.find_spec(part.backend)]


def measured_apart(name: str, config: Config) -> Any:
    """Run one part in a process of its own, and return what it found and its origin."""
    part = PARTS[name]
    environment = {name: value for name, value in os.environ.items() if name not in timing.KEEPING}
    environment |= {"KERAS_BACKEND": part.backend} | (timing.KEEPING if part.keeping else {})
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, "-m", "reruns.chapters.cost.parts", name, "--into", str(found)]
        if threads := origin.threads():
            command += ["--threads", str(threads)]
        subprocess.run(command, env=environment, check=True, input=config.as_json(), text=True)
        return json.loads(found.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m reruns.chapters.cost.parts", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--into", type=Path, help="the file for the part's results")
    parser.add_argument("--threads", type=int, help="threads of an operation")
    arguments = parser.parse_args()
    if arguments.threads:
        origin.pin(arguments.threads)
    config = Config() if sys.stdin.isatty() else Config.from_json(sys.stdin.read())
    found = PARTS[arguments.part].measure(config)
    text = json.dumps({"found": found, "origin": origin.here()})
    arguments.into.write_text(text) if arguments.into else print(text)


if __name__ == "__main__":
    main()
