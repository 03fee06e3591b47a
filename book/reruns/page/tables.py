"""The tables of the pages, in Markdown."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from IPython.display import HTML, Markdown
from myst_nb import glue

from reruns import verdicts
from reruns.data import pipelines


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markdown:
    lines = [header, ["---"] * len(header), *rows]
    return Markdown("\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines))


def plus_minus(values: Any, digits: int = 2, sign: str = "") -> str:
    """Return mean ± half of the 90 % interval; of a single run, its value; of one that diverged, a word."""
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        return "diverged"
    if len(values) < 2:
        return f"{values[0]:{sign}.{digits}f}"
    mean, half = verdicts.interval(values)
    return f"{mean:{sign}.{digits}f} ± {half:.{digits}f}"


def judged(lines: Sequence[verdicts.Judged]) -> Markdown:
    """Return a chapter's verdicts, and leave them for the first page of the book to collect."""
    # As HTML: what is glued into another page is not parsed again there.
    rows = "".join(
        f"<tr><td>{html.escape(line.claim)}</td><td>{html.escape(line.word.strip('*'))}</td></tr>" for line in lines
    )
    glue("verdict", HTML(f'<table class="table">{rows}</table>'), display=False)
    return table(["claim", "criterion", "found", "verdict"], lines)


def ran_on(record: dict) -> Markdown:
    """Return the note that says which data a page ran on."""
    kind = "warning" if record["stands_in_for"] else "note"
    return Markdown(f":::{{{kind}}}\n{pipelines.note(record)}\n:::")


def provenance(results: dict) -> Markdown:
    """Return what is known of a chapter's recorded runs."""
    origins = [run["provenance"] for run in results["runs"].values()]
    minutes = sum(run["wall_seconds"] for run in results["runs"].values()) / 60
    versions: dict[str, set[str]] = {}
    for origin in origins:
        for name, number in origin["versions"].items():
            versions.setdefault(name, set()).add(number)
    return table(
        ["what", "value"],
        [
            ["data", pipelines.note(results["data"])],
            ["seeds", ", ".join(results["runs"])],
            ["commit", ", ".join(sorted({origin["commit"][:12] for origin in origins}))],
            ["code changed since that commit", ", ".join(sorted({str(origin["dirty"]) for origin in origins}))],
            ["device", ", ".join(sorted({f"{o['device']}, {o['backend']}" for o in origins}))],
            ["versions", ", ".join(f"{name} {' or '.join(sorted(numbers))}" for name, numbers in versions.items())],
            ["time", f"{minutes:.0f} min"],
            ["config", ", ".join(f"{name} = {value}" for name, value in results["config"].items())],
        ],
    )
