"""Times and memory of one process, as ratios to what the machine reaches in the same process.

A rectifier does almost no arithmetic, so the yardstick is a copy: `x + 1` under XLA. Its bandwidth is measured before
and after every single measurement, because it drifts.
"""

import ctypes
import dataclasses
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import track

from reruns.experiment import levels

# glibc hands large tensors back to the kernel when they are freed, and the kernel clears every page of the next one:
# that costs several times what a rectifier does. With these settings the process keeps its memory.
KEEPING = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
    "MALLOC_TOP_PAD_": str(2**28),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is measured, and how often."""

    far: tuple[int, ...] = (256, 32, 32, 64)  # far out of every cache: 16.8 million elements
    near: tuple[int, ...] = (32, 16, 16, 32)  # one MiB in float32
    dense: tuple[int, int, int, int] = (512, 1024, 512, 5)  # batch, inputs, units, pieces
    stack: tuple[int, ...] = (144, 32, 32, 64)  # above the 32 MiB that glibc may keep for itself
    depths: tuple[int, int] = (10, 20)  # of the stacks whose memory is compared
    # From a thousand elements on; the fourth is a wide batch, of a step whose batch nobody knows beforehand.
    sizes: tuple[tuple[int, ...], ...] = (
        *((8, 128), (64, 128), (64, 1024), (8192, 128)),
        *((64, 16, 16, 64), (256, 32, 32, 64)),
    )
    lengths: int = 24  # of sequences, each met once
    trials: int = 30  # a constant of its own and a cleared session each
    rounds: int = 5  # in each of the processes that are recorded
    patience: float = 0.75  # seconds, for a case that is slow
    # What is measured, each in a process of its own.
    parts: tuple[str, ...] = levels(
        *("tensorflow", "jax", "fresh", "maxout_dense", "networks", "every_size", "kept_memory", "first_steps"),
        *("memory_tensorflow", "memory_jax", "boltzmann_tensorflow", "boltzmann_jax"),
    )

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Config":
        return cls(**{name: _tuples(value) for name, value in json.loads(text).items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


class Case(NamedTuple):
    """What is timed: its run, which waits for the result, and the bytes that it must move."""

    run: Callable[[], Any]
    bytes: float
    calls: int = 1  # a run of microseconds is called several times and divided


def in_turns(cases: dict[Any, Case], copy: Case, rounds: int, patience: float, label: str) -> dict[Any, dict]:
    """Return each case's median milliseconds, and its median time over the floor.

    In every round each case has its turn between two copies; its floor is its bytes over their bandwidth. A case that
    has used up its patience, in seconds, leaves after three rounds.
    """
    for case in (copy, *cases.values()):
        seconds(case)
    own_seconds: dict[Any, list[float]] = {name: [] for name in cases}
    ratios: dict[Any, list[float]] = {name: [] for name in cases}
    for number in track(range(rounds), label):
        for name, case in cases.items():
            if number >= 3 and sum(own_seconds[name]) * case.calls > patience:
                continue
            before, own, after = seconds(copy), seconds(case), seconds(copy)
            own_seconds[name].append(own)
            ratios[name].append(own / (case.bytes * (before + after) / 2 / copy.bytes))
    return {
        name: {
            "milliseconds": 1e3 * statistics.median(own_seconds[name]),
            "over_floor": statistics.median(ratios[name]),
            "rounds": len(own_seconds[name]),
        }
        for name in cases
    }


def seconds(case: Case) -> float:
    start = time.perf_counter()
    for _ in range(case.calls):
        case.run()
    return (time.perf_counter() - start) / case.calls


def bandwidth(copy: Case, rounds: int) -> float:
    """Return the median bandwidth of the copy in bytes a second."""
    return copy.bytes / statistics.median(seconds(copy) for _ in range(rounds))


def peak_bytes(run: Callable[[], Any]) -> int | None:
    """Return how far the resident memory of this process rises during a run, or None where Linux does not tell."""
    gc.collect()
    try:
        # Memory that the process keeps although it is free would be taken before the peak rises.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
        before = _status("VmRSS")
        run()
        return _status("VmHWM") - before
    except OSError:
        return None


def resident_bytes() -> int | None:
    """Return the resident memory of this process, or None where Linux does not tell."""
    try:
        return _status("VmRSS")
    except OSError:
        return None


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {name}")
