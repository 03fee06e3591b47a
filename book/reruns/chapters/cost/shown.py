"""The rows of the benchmark as the page's tables have them."""

import math


def grouped(rows: list[dict], key: str) -> dict[str, list[dict]]:
    return {name: [row for row in rows if row[key] == name] for name in dict.fromkeys(row[key] for row in rows)}


def table(rows: list[dict], value: str) -> tuple[list[str], list[list[str]]]:
    """Return a header and lines: a line a unit, and a column for each contender's modes."""
    values = {(row["unit"], row["by"], row["mode"]): row[value] for row in rows}
    contenders = list(dict.fromkeys((row["by"], row["mode"]) for row in rows))

    def cell(unit: str, contender: tuple[str, str]) -> str:
        found = values.get((unit, *contender))
        return "" if found is None else f"{found:.2f}" if found < 100 else f"{found:.0f}"

    units = dict.fromkeys(row["unit"] for row in rows)
    lines = [[unit, *(cell(unit, contender) for contender in contenders)] for unit in units]
    return ["unit", *map(", ".join, contenders)], lines


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
