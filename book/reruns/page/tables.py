"""The tables of the pages, in Markdown."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from IPython.display import Markdown

from reruns import verdicts
from reruns.data import pipelines
from reruns.page.notes import Note
from reruns.results import Results


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markdown:
    lines = [header, ["---"] * len(header), *rows]
    text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    # Where a cell is too narrow, a mean and its interval may part, but not the interval and its sign.
    return Markdown(text.replace("± ", "±\N{NO-BREAK SPACE}"))


def plus_minus(values: Any, digits: int = 2, sign: str = "") -> str:
    """Return mean ± half of the 90 % interval; of a single run, its value; of one that diverged, a word."""
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        return "diverged"
    if len(values) < 2:
        return f"{values[0]:{sign}z.{digits}f}"
    mean, half = verdicts.interval(values)
    return f"{mean:{sign}z.{digits}f} ± {half:.{digits}f}"


def compared(columns: Sequence[str], rows: dict[str, tuple[dict, dict]], digits: int = 2) -> Markdown:
    """Return a table of what a paper published beside ours: of each quantity a number, or one a seed, by column.

    Args:
        columns: what is compared, such as the units.
        rows: by quantity, the published values and ours. What a side lacks stays empty, or is left out if all lack it.
        digits: of ours, behind the point.
    """
    in_paper = {column for published, _ in rows.values() for column in published}
    sides = [(column, who) for column in columns for who in ("paper", "ours") if who == "ours" or column in in_paper]

    def cells(published: dict, ours: dict) -> Iterable[str]:
        numbers = [value for value in published.values() if isinstance(value, float)]
        decimals = max((len(str(number).partition(".")[2]) for number in numbers), default=0)
        for column, who in sides:
            value = (published if who == "paper" else ours).get(column, "")
            if who == "paper":
                yield f"{value:.{decimals}f}" if isinstance(value, float) else str(value)
            else:
                yield value if isinstance(value, str) else plus_minus(np.atleast_1d(value), digits)

    header = ["quantity", *(f"{column}, {who}" for column, who in sides)]
    return table(header, [[quantity, *cells(*both)] for quantity, both in rows.items()])


def costs(recorded: dict[str, Results]) -> Markdown:
    """Return how many trials of how many seeds each chapter recorded, and their wall time."""
    rows = []
    for chapter, found in recorded.items():
        seconds = found.table["seconds"].astype(float)
        threads = sorted({str(row["origin"].get("threads", "one a core")) for row in found.rows})
        times = [f"{seconds.sum() / 60:.0f}", f"{seconds.median():.0f}", f"{seconds.max():.0f}"]
        rows.append([f"[{chapter}]({chapter}.md)", len(found.rows), len(found.seeds), " or ".join(threads), *times])
    header = ["chapter", "trials", "seeds", "threads", "all trials, min", "one trial, median, s", "longest, s"]
    return table(header, rows)


def seconds(results: Results, *factors: str) -> Markdown:
    """Return the mean wall time of a trial by its levels of these factors, and how many times the shortest it is.

    Trials that diverged ended sooner, and are left out.
    """
    taken: dict[tuple, list[float]] = {}
    for row in (row for row, lost in zip(results.rows, results.table["diverged"], strict=True) if not lost):
        taken.setdefault(tuple(row["factors"].get(factor, "") for factor in factors), []).append(row["seconds"])
    means = {levels: np.mean(of_trials) for levels, of_trials in taken.items()}
    least = min(means.values())
    ranks = [_ranks(levels) for levels in zip(*means, strict=True)]
    ordered = sorted(means, key=lambda levels: [rank[level] for rank, level in zip(ranks, levels, strict=True)])
    rows = [[*levels, f"{means[levels]:.0f}", f"{means[levels] / least:.2f}"] for levels in ordered]
    return table([*factors, "mean wall time of a trial, s", "times the shortest"], rows)


def _ranks(levels: Iterable[Any]) -> dict[Any, int]:
    """Return the order of levels: numbers by size, also those that are told as text, then names as they came."""

    def size(level: Any) -> float:
        try:
            return float(level)
        except (TypeError, ValueError):
            return math.inf

    # Trials end in any order.
    return {level: rank for rank, level in enumerate(sorted(dict.fromkeys(levels), key=size))}


def ran_on(record: dict) -> Note:
    """Return the note that says which data a page ran on."""
    return Note(pipelines.note(record), "warning" if record["stands_in_for"] else "note")


def provenance(results: Results, planned: str) -> Markdown:
    """Return what is known of a chapter's recorded trials, and of the plan that they followed."""
    origins = [row["origin"] for row in results.rows]
    versions: dict[str, list[str]] = {}
    for origin in origins:
        for name, number in origin["versions"].items():
            versions.setdefault(name, []).append(number)

    def all_of(*names: str, missing: str = "") -> str:
        found = [", ".join(str(origin[name]) for name in names if name in origin) or missing for origin in origins]
        return " or ".join(sorted(set(found)))

    rows = [
        ["seeds", ", ".join(map(str, results.seeds))],
        ["trials", f"{len(results.rows)}, of which {results.table['diverged'].sum()} diverged"],
        ["plan", planned],
        ["commit", ", ".join(sorted({origin["commit"][:12] for origin in origins}))],
        ["code changed since that commit", all_of("dirty")],
        ["threads", all_of("threads", missing="one a core")],
        ["device", all_of("device", "processor", "system", "backend")],
        ["versions", ", ".join(f"{name} {' or '.join(sorted(set(found)))}" for name, found in versions.items())],
        ["time", f"{sum(results.table['seconds']) / 60:.0f} min"],
        *([name, ", ".join(map(str, results.levels(name)))] for name in results.factors),
        ["configuration", ", ".join(f"{name} = {value}" for name, value in results.config.items())],
    ]
    sets = [results.data, *(part for part in results.data.values() if isinstance(part, dict))]
    notes = [["data", pipelines.note(record)] for record in sets if "name" in record]
    return table(["what", "value"], [*notes, *rows])
