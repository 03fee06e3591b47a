"""The rows of the benchmark as the page's tables and its figure have them."""

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def grouped(rows: list[dict], key: str) -> dict[str, list[dict]]:
    return {name: [row for row in rows if row[key] == name] for name in dict.fromkeys(row[key] for row in rows)}


def table(rows: list[dict], value: str) -> tuple[list[str], list[list[str]]]:
    """Return a header and lines: a line a unit, and a column for each contender's modes."""
    values = {(row["unit"], row["by"], row["mode"]): row[value] for row in rows}
    contenders = list(dict.fromkeys((row["by"], row["mode"]) for row in rows))

    def cell(unit: str, contender: tuple[str, str]) -> str:
        found = values.get((unit, *contender))
        return "" if found is None else f"{found:z.2f}" if found < 100 else f"{found:.0f}"

    units = dict.fromkeys(row["unit"] for row in rows)
    lines = [[unit, *(cell(unit, contender) for contender in contenders)] for unit in units]
    return ["unit", *map(", ".join, contenders)], lines


def by_size(rows: list[dict], value: str) -> tuple[list[str], list[list[str]]]:
    """Return a header and lines: a line a unit, and a column for each number of elements."""
    sizes = list(dict.fromkeys(_product(row["size"]) for row in rows))
    values = {(row["unit"], _product(row["size"])): f"{row[value]:z.2f}" for row in rows}
    units = list(dict.fromkeys(row["unit"] for row in rows))
    return ["unit", *sizes], [[unit, *(values.get((unit, size), "") for size in sizes)] for unit in units]


def _product(size: list[int] | str) -> str:
    if isinstance(size, str):
        return size
    elements = math.prod(size)
    number = f"{elements / 1e6:.1f} M" if elements >= 10**6 else f"{elements / 1e3:.0f} k"
    return f"{number}, {'x'.join(map(str, size))}"


# How each contender's figures are drawn: its name, its colour and a marker that survives grey print.
CONTENDERS = {
    ("ours", "graph"): ("ours, in a graph", "C0", "o"),
    ("ours", "xla"): ("ours, all under XLA", "C0", "D"),
    ("keras", "graph"): ("Keras, in a graph", "C1", "o"),
    ("keras", "xla"): ("Keras, all under XLA", "C1", "D"),
    ("torch", "eager"): ("PyTorch, eager", "C2", "^"),
    ("torch", "compiled"): ("PyTorch, compiled", "C2", "v"),
}


def drawn(rows: list[dict]) -> Figure:
    """Draw each unit's time over the floor, a mark for each contender, on a logarithmic axis."""
    units = list(dict.fromkeys(row["unit"] for row in rows))
    figure, axis = plt.subplots(figsize=(7.5, 0.5 * len(units) + 1.4))
    axis.axvline(1, color="#000000", linewidth=1.2)
    for number, ((by, mode), (label, colour, marker)) in enumerate(CONTENDERS.items()):
        own = [row for row in rows if (row["by"], row["mode"]) == (by, mode)]
        places = [units.index(row["unit"]) + 0.1 * (number - 2.5) for row in own]
        face = colour if by == "ours" else "none"
        times = [row["over_floor"] for row in own]
        axis.plot(times, places, marker, color=colour, markerfacecolor=face, markersize=7, label=label)
    axis.set_xscale("log")
    axis.set_yticks(range(len(units)), units)
    axis.invert_yaxis()
    axis.set_xlabel("time of forward and backward over the floor (a copy of as many bytes = 1)")
    axis.xaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure
