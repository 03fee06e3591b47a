"""The limits that were fixed before the kernels were written, and what recorded benchmarks say of each."""

from collections.abc import Iterator
from typing import NamedTuple

from reruns import verdicts
from reruns.claims import Claim, Evidence, Judgement, Rule

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
    criterion = f"{limit}: of each, the whole interval of the ratio over processes"
    return Claim(f"C-{number}", says, criterion, "ours", Rule.LIMITS)


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
CLAIMS = (FLOOR, PRODUCTS, PEERS, NOISE, SIZES, MEMORY)


class Line(NamedTuple):
    """A limit: the claim it belongs to, what was measured of what, and both numbers."""

    claim: Claim
    what: str
    measure: str
    limit: float
    value: float
    peer: str = ""  # who set the limit

    @property
    def met(self) -> bool:
        return self.value <= self.limit

    def told(self) -> list[str]:
        """Return the cells of a table."""
        limit = f"{self.limit:.2f}, {self.peer}" if self.peer else f"{self.limit:.2f}"
        return [self.what, self.measure, limit, f"{self.value:.2f}", "met" if self.met else "missed"]


HEADER = ["what", "measure", "limit", "measured", "verdict"]


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
    return found


def judged(processes: list[list[Line]]) -> list[Judgement]:
    """Return a judgement of each claim from the lines of one process or more: confirmed if every limit is met.

    The ratio of a value to its limit is taken in each process, and over several by the interval of its logarithm.
    """
    found = []
    for claim in CLAIMS:
        ratios: dict[str, list[float]] = {}
        for line in [line for process in processes for line in process if line.claim == claim]:
            # A memory that is not above 0, and a unit faster than a noiseless one, are far below any limit.
            ratios.setdefault(f"{line.what}, {line.measure}", []).append(max(line.value, 1e-3) / line.limit)
        if ratios:
            of_limits: dict[str, Evidence] = {what: verdicts.times(values, 1.0) for what, values in ratios.items()}
            found.append(verdicts.together(claim, of_limits))
    return found


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
            yield Line(SIZES, what, "ms more a pass than Keras's nearest", NOISE_MILLISECONDS, more)
        else:
            yield Line(SIZES, what, "time over Keras's nearest", OVER_NEAREST, row["over_nearest"])


def _memory(backend: str, rows: list[dict]) -> Iterator[Line]:
    known = [row for row in rows if row["tensors_a_unit"] is not None]
    for row in [row for row in known if row["by"] == "ours"]:
        # XLA computes again what others keep: each is held against its like, PyTorch's eager mode against graphs.
        alike = {"graph": ("graph", "eager"), "xla": ("xla",)}[row["mode"]]
        others = [r for r in known if r["unit"] == row["unit"] and r["by"] != "ours" and r["mode"] in alike]
        limit = min([KEPT_TENSORS, *(r["tensors_a_unit"] for r in others)]) + RESOLUTION
        yield Line(MEMORY, f"{row['unit']}, {backend}, {row['mode']}", "tensors a unit", limit, row["tensors_a_unit"])
