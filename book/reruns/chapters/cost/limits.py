"""The limits that were fixed before the kernels were written, and what a recorded benchmark says of each."""

from typing import NamedTuple

from reruns import verdicts

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


class Line(NamedTuple):
    what: str
    limit: str
    measured: str
    verdict: str


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
            found.append(_line("MaxoutDense, xla", "over its products", row["over_products"], OVER_PRODUCTS))
    for row in metrics.get("networks", {}).get("over_relu", []):
        if (row["network"], row["mode"], row["by"]) == ("convnet", "auto", "ours") and row["unit"] in (
            "RReLU",
            "NReLU",
        ):
            found.append(_line(f"convnet with {row['unit']}", "step over ReLU's", row["over_relu"], OVER_RELU))
    return found


# How a limit begins, and the claim of the chapter that it belongs to.
CLAIMS = {
    "time over floor": "each kernel runs near its floor",
    "over its products": "a layer of MaxoutDense costs little beside its matrix products",
    "best peer": "no kernel is slower than the best of its peers",
    "step over ReLU's": "a convolutional network trains with noise about as fast as with ReLU",
    "Keras's nearest": "no unit is slower than Keras's nearest layer at any size",
    "tensors a unit": "a stack of units keeps at most one tensor a unit",
}


def judged(found: list[Line]) -> list[verdicts.Judged]:
    """Return a line for each claim: whether every limit that belongs to it was met."""
    judged = []
    if strange := {line.limit for line in found if not line.limit.startswith(tuple(CLAIMS))}:
        raise ValueError(f"Expected limits that begin with one of {', '.join(CLAIMS)}. Received: {strange}")
    for beginning, claim in CLAIMS.items():
        own = [line for line in found if line.limit.startswith(beginning)]
        met = [line for line in own if line.verdict == verdicts.exact(True)]
        if own:
            word = verdicts.exact(len(met) == len(own))
            judged.append(verdicts.Judged(claim, "every limit met", f"{len(met)} of {len(own)}", word))
    return judged


def _line(what: str, measure: str, value: float, limit: float) -> Line:
    return Line(what, f"{measure} ≤ {limit:.2f}", f"{value:.2f}", verdicts.exact(value <= limit))


def _times(backend: str, rows: list[dict]) -> list[Line]:
    values = {(r["unit"], r["by"], r["mode"]): r["over_floor"] for r in rows if r["setting"] == "forward and backward"}
    found = []
    for unit, mode in [(u, m) for m in ("graph", "xla") for u, by, own in values if (by, own) == ("ours", m)]:
        own = values[unit, "ours", mode]
        # The limits were set for TensorFlow.
        if backend == "tensorflow" and unit in OVER_FLOOR[mode]:
            found.append(_line(f"{unit}, {backend}, {mode}", "time over floor", own, OVER_FLOOR[mode][unit]))
        peers = [(value, f"{by}, {m}") for (u, by, m), value in values.items() if u == unit and by != "ours"]
        if peers:
            least, name = min(peers)
            found.append(_line(f"{unit}, {backend}, {mode}", f"best peer, {name}", own, least))
    return found


def _sizes(rows: list[dict]) -> list[Line]:
    found = []
    for row in rows:
        size = row["size"] if isinstance(row["size"], str) else "x".join(map(str, row["size"]))
        what = f"{row['unit']}, {row['setting']}, {size}"
        if row["unit"] in ("RReLU", "NReLU") and row["setting"] != "eager inference":
            more = row["more_milliseconds"] / PASSES.get(row["setting"], 2)
            found.append(_line(what, "Keras's nearest, ms more a pass", more, NOISE_MILLISECONDS))
        else:
            found.append(_line(what, "Keras's nearest, time over it", row["over_nearest"], OVER_NEAREST))
    return found


def _memory(backend: str, rows: list[dict]) -> list[Line]:
    known = [row for row in rows if row["tensors_a_unit"] is not None]
    found = []
    for row in [row for row in known if row["by"] == "ours"]:
        own = row["tensors_a_unit"]
        # XLA computes again what others keep: each is held against its like, PyTorch's eager mode against graphs.
        alike = {"graph": ("graph", "eager"), "xla": ("xla",)}[row["mode"]]
        others = [r for r in known if r["unit"] == row["unit"] and r["by"] != "ours" and r["mode"] in alike]
        peers = [r["tensors_a_unit"] for r in others]
        limit = min([KEPT_TENSORS, *peers]) + RESOLUTION
        found.append(_line(f"{row['unit']}, {backend}, {row['mode']}", "tensors a unit", own, limit))
    return found
