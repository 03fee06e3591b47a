"""The limits that were fixed before the kernels were written, and what recorded benchmarks say of each."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Judgement, Rule

# Time of forward and backward over the floor, as layers in a plain graph and with everything under XLA.
OVER_FLOOR = {
    "graph": {"ELU": 1.6, "PReLU": 1.6, "CReLU": 1.6, "Maxout": 1.6, "RReLU": 1.8, "NReLU": 3.0},
    "xla": {"ELU": 1.1, "PReLU": 1.3, "CReLU": 1.1, "Maxout": 1.1, "RReLU": 1.3, "NReLU": 2.2},
}
OVER_PRODUCTS = 1.1  # a step of MaxoutDense under XLA over its three matrix products
OVER_RELU = 1.15  # a convnet's step with a unit that draws noise over the same with ReLU
KEPT_TENSORS = 1.0  # what each further unit of a stack adds to the peak of a step
# What a process does beside the stack moves its peak by less than this, in tensors a unit.
RESOLUTION = 0.1
# A unit over the nearest layer of Keras at any size; one that draws noise, in milliseconds more a unit and pass.
OVER_NEAREST = 1.1
NOISE_MILLISECONDS = 0.05
PASSES = {"eager inference": 1}  # a training step makes two
NOISY = ("RReLU", "NReLU")


def _claim(number: int, says: str, limit: str) -> Claim:
    criterion = f"{limit}: of each limit the whole interval over processes; refuted at the errors over their number"
    return Claim(f"T-{number}", says, criterion, "ours", Rule.LIMITS)


def _told(limits: dict[str, float]) -> str:
    return ", ".join(f"{unit} {limit:g}" for unit, limit in limits.items())


FLOOR = _claim(
    1,
    "each kernel runs near its floor",
    f"at most, in a graph, {_told(OVER_FLOOR['graph'])} times the floor; under XLA {_told(OVER_FLOOR['xla'])}",
)
PRODUCTS = _claim(
    2, "a layer of MaxoutDense costs little beside its matrix products", f"at most {OVER_PRODUCTS:g} times them"
)
PEERS = _claim(3, "no kernel is slower than the best of its peers", "at most as long as the best peer takes")
NOISE = _claim(
    4,
    "a convolutional network trains with noise about as fast as with ReLU",
    f"a step takes at most {OVER_RELU:g} times as long",
)
SIZES = _claim(
    5,
    "no unit is slower than Keras's nearest layer at any size",
    f"at most {OVER_NEAREST:g} times as long, and with noise {NOISE_MILLISECONDS:g} ms more a pass",
)
MEMORY = _claim(
    6,
    "a stack of units keeps at most one tensor a unit",
    f"at most {KEPT_TENSORS:g}, or what the best peer of the same mode keeps, and {RESOLUTION:g} more",
)
MACHINES = _claim(
    7,
    "an epoch of contrastive divergence takes no more than scikit-learn's or a bare step with its gradient by hand",
    "at most as many processor seconds, with Keras's default fit",
)
CLAIMS = (FLOOR, PRODUCTS, PEERS, NOISE, SIZES, MEMORY, MACHINES)


class Line(NamedTuple):
    """A limit in one process: the claim it belongs to, what was measured of what, and both numbers."""

    claim: Claim
    what: str
    measure: str
    limit: float
    value: float
    peer: str = ""  # who set the limit
    linear: bool = False  # the difference to the limit counts, not the ratio: it may be as small as one likes


def lines(metrics: dict) -> list[Line]:
    """Return a line for each limit whose part was measured."""
    found: list[Line] = []
    for backend in ("tensorflow", "jax"):
        if backend in metrics:
            found += _times(backend, metrics[backend]["rows"])
        found += _memory(backend, metrics.get(f"memory_{backend}", []))
    found += _sizes(metrics.get("every_size", []))
    for row in metrics.get("maxout_dense", []):
        if (row["by"], row["mode"]) == ("ours", "xla"):
            value = row["over_products"]
            found.append(Line(PRODUCTS, "MaxoutDense, xla", "time over its products", OVER_PRODUCTS, value))
    for row in metrics.get("networks", {}).get("over_relu", []):
        if (row["network"], row["mode"], row["by"]) == ("convnet", "auto", "ours") and row["unit"] in NOISY:
            found.append(Line(NOISE, f"convnet with {row['unit']}", "step over ReLU's", OVER_RELU, row["over_relu"]))
    for backend in ("tensorflow", "jax"):
        for row in metrics.get(f"boltzmann_{backend}", []):
            if row["by"] != "ours":
                what = f"contrastive divergence, {backend}, over {row['by']}, {row['mode']}"
                found.append(Line(MACHINES, what, "processor seconds of an epoch", 1.0, row["ours_over_it"]))
    return found


def of_processes(processes: list[list[Line]]) -> dict[Claim, dict[str, tuple[list[Line], verdicts.Limit]]]:
    """Return, by claim and by what was measured, the lines of all processes and the limit that they are judged by."""
    found: dict[Claim, dict[str, list[Line]]] = {}
    for line in itertools.chain.from_iterable(processes):
        found.setdefault(line.claim, {}).setdefault(f"{line.what}, {line.measure}", []).append(line)
    return {claim: {what: (own, _limit(own)) for what, own in of.items()} for claim, of in found.items()}


def _limit(lines: list[Line]) -> verdicts.Limit:
    values, limits = (np.array(numbers, float) for numbers in zip(*((x.value, x.limit) for x in lines), strict=True))
    return (
        verdicts.Limit(values - limits, 0.0, verdicts.at_most)
        if lines[0].linear
        else verdicts.Limit(values / limits, 1.0)
    )


def judged(processes: list[list[Line]]) -> list[Judgement]:
    """Return a judgement of each claim from the lines of several processes."""
    return [
        verdicts.together(claim, {what: limit for what, (_, limit) in found.items()})
        for claim, found in of_processes(processes).items()
    ]


HEADER = ["what", "measure", "limit", "measured", "over the limit", "verdict"]


def told(lines: list[Line], limit: verdicts.Limit) -> list[str]:
    """Return the cells of a table: medians, and the ratio or the difference to the limit with its interval."""
    first, evidence = lines[0], limit.evidence(lines[0].claim.level)
    most, value = np.median(np.array([(x.limit, x.value) for x in lines], float), axis=0)
    peers = ", ".join(dict.fromkeys(line.peer for line in lines if line.peer))
    bound = f"{most:.2f}, {peers}" if peers else f"{most:.2f}"
    interval = f"{evidence.mean:{'+' if first.linear else ''}.2f} [{evidence.lower:.2f}, {evidence.upper:.2f}]"
    return [first.what, first.measure, bound, f"{value:.2f}", interval, evidence.verdict.value]


def _times(backend: str, rows: list[dict]) -> Iterator[Line]:
    values = {(r["unit"], r["by"], r["mode"]): r["over_floor"] for r in rows if r["setting"] == "forward and backward"}
    for unit, mode in [(u, m) for m in ("graph", "xla") for u, by, own in values if (by, own) == ("ours", m)]:
        own, what = values[unit, "ours", mode], f"{unit}, {backend}, {mode}"
        # The limits were set for TensorFlow.
        if backend == "tensorflow" and unit in OVER_FLOOR[mode]:
            yield Line(FLOOR, what, "time over floor", OVER_FLOOR[mode][unit], own)
        peers = [(value, f"{by}, {m}") for (u, by, m), value in values.items() if u == unit and by != "ours"]
        if peers:
            least, name = min(peers)
            yield Line(PEERS, what, "time over floor, beside the best peer", least, own, name)


def _sizes(rows: list[dict]) -> Iterator[Line]:
    for row in rows:
        size = row["size"] if isinstance(row["size"], str) else "x".join(map(str, row["size"]))
        what = f"{row['unit']}, {row['setting']}, {size}"
        if row["unit"] in NOISY and row["setting"] != "eager inference":
            more = row["more_milliseconds"] / PASSES.get(row["setting"], 2)
            yield Line(SIZES, what, "ms more a pass than Keras's nearest", NOISE_MILLISECONDS, more, linear=True)
        else:
            yield Line(SIZES, what, "time over Keras's nearest", OVER_NEAREST, row["over_nearest"])


def with_a_peak(rows: list[dict]) -> list[dict]:
    """Return the rows of memory that tell something: a step during which nothing is held there is not.

    TensorFlow keeps for itself what it once had, so that the process need not grow.
    """
    return [row for row in rows if row["peak_tensors"] is not None and row["peak_tensors"] > 0.5]


def _memory(backend: str, rows: list[dict]) -> Iterator[Line]:
    known = with_a_peak(rows)
    for row in [row for row in known if row["by"] == "ours"]:
        # XLA computes again what others keep: each is held against its like, PyTorch's eager mode against graphs.
        alike = {"graph": ("graph", "eager"), "xla": ("xla",)}[row["mode"]]
        others = [r for r in known if r["unit"] == row["unit"] and r["by"] != "ours" and r["mode"] in alike]
        limit = min([KEPT_TENSORS, *(r["tensors_a_unit"] for r in others)]) + RESOLUTION
        what = f"{row['unit']}, {backend}, {row['mode']}"
        yield Line(MEMORY, what, "tensors a unit", limit, row["tensors_a_unit"], linear=True)
