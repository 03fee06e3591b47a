"""What the trials gave: one row a trial, in book/results/CHAPTER.jsonl, and one reader for every page.

A row holds seed, factors, metrics and seconds, and whatever decided them: configuration, data and origin. Rows are
only ever appended, each in one write under a lock of the file, so that a killed run loses no more than the trials that
were running, and the files of two machines are merged by concatenation.
"""

import contextlib
import fcntl
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "book" / "results"

Row = dict[str, Any]

# What a row holds, and of what type.
SCHEMA = {
    "seed": int,
    "factors": dict,
    "metrics": dict,
    "seconds": int | float,
    "config": dict,
    "data": dict,
    "origin": dict,
}
# What all rows of a record share.
SHARED = ("config", "data")


def path_of(chapter: str) -> Path:
    return RESULTS / f"{chapter}.jsonl"


def key(row: Row) -> str:
    """Return what tells a trial from the others of its record: its seed and its factors."""
    return json.dumps([row["seed"], row["factors"]], sort_keys=True)


def append(path: Path, row: Row) -> bool:
    """Add a row to a record, unless the trial is there already, and return whether it was added."""
    line = json.dumps({**row, "metrics": rounded(row["metrics"])}, allow_nan=False).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as file:
        rows, whole = _parsed(path, file.read())
        refuse_others(path, [*rows, json.loads(line)])
        if key(row) in map(key, rows):
            return False
        # What a killed process left of a line is no row.
        file.truncate(whole)
        file.seek(whole)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    with open(path, "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def rows_of(path: Path) -> tuple[list[Row], bytes]:
    """Return the rows of a record, each trial once, and what stands after its last whole line; none if it is absent."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], b""
    rows, whole = _parsed(path, content)
    refuse_others(path, rows)
    return rows, content[whole:]


def _parsed(path: Path, content: bytes) -> tuple[list[Row], int]:
    """Return the rows, each trial once, and the length of the whole lines."""
    whole = content.rfind(b"\n") + 1
    rows: dict[str, Row] = {}
    for number, line in enumerate(content[:whole].splitlines(), 1):
        row = _row(f"{path}, line {number}", line)
        first = rows.setdefault(key(row), row)
        if first["metrics"] != row["metrics"]:
            raise ValueError(
                f"{path}, line {number} holds other metrics than an earlier line of the same trial: {key(row)}"
            )
    return list(rows.values()), whole


def _row(where: str, line: bytes) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where} is not valid JSON ({error}). Restore it from git, or remove the line.") from None
    if not isinstance(row, dict) or set(row) != set(SCHEMA):
        found = sorted(row) if isinstance(row, dict) else type(row).__name__
        raise ValueError(f"{where} expected a row of {', '.join(SCHEMA)}. Received: {found}")
    if wrong := [name for name, kind in SCHEMA.items() if not isinstance(row[name], kind)]:
        raise ValueError(f"{where} holds another type than expected as {', '.join(wrong)}")
    return row


def refuse_others(path: Path, rows: list[Row]) -> None:
    """Refuse rows of more than one configuration or data set, by the name of the file and what differs."""
    for row in rows[1:]:
        for name in SHARED:
            if differing := differences(rows[0][name], row[name]):
                raise ValueError(
                    f"{path} holds rows of another {name}: {differing}. Remove the file to record this one, or give "
                    "the other one a file of its own."
                )


def differences(one: dict, other: dict) -> str:
    """Return the entries in which two dictionaries differ, as a message names them, or an empty string."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return "; ".join(f"{name} {one.get(name, 'absent')} and {other.get(name, 'absent')}" for name in names)


def rounded(value: Any) -> Any:
    """Return a metric as a record keeps it: floats of six digits, and null for what JSON has no number for."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    return [rounded(entry) for entry in value] if isinstance(value, list | tuple) else value


class Results:
    """Rows of one configuration on one data set, as a table.

    `table` is a pandas data frame of a row a trial: `seed`, a column a factor, a column a metric, `seconds` and
    `diverged`. A trial of which any number is not finite diverged, and all its metrics are None there.
    """

    def __init__(self, rows: list[Row]) -> None:
        if not rows:
            raise ValueError("Expected at least one row. Received: none")
        self.rows = sorted(rows, key=lambda row: row["seed"])
        self.config, self.data = rows[0]["config"], rows[0]["data"]
        self.factors = list(dict.fromkeys(name for row in rows for name in row["factors"]))
        self.metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
        self.table = pd.DataFrame([_flat(row) for row in self.rows], dtype=object)

    @property
    def seeds(self) -> list[int]:
        return sorted(set(self.table["seed"]))

    def levels(self, factor: str, **factors: Any) -> list[Any]:
        """Return the levels of a factor among the trials with these other levels, in the order of the record."""
        return list(dict.fromkeys(self._where(factors)[factor].dropna()))

    def where(self, **factors: Any) -> "Results":
        """Return the trials with these levels."""
        chosen = self._where(factors).index
        return Results([self.rows[place] for place in chosen])

    def of_seeds(self, seeds: list[int]) -> "Results":
        """Return the trials of these seeds."""
        return Results([row for row in self.rows if row["seed"] in seeds])

    def whole_seeds(self, trials: list[dict[str, Any]]) -> list[int]:
        """Return the seeds of which every one of these trials is there."""
        done = set(map(key, self.rows))
        return [seed for seed in self.seeds if {key({"seed": seed, "factors": trial}) for trial in trials} <= done]

    def of(self, metric: str, **factors: Any) -> np.ndarray:
        """Return a metric of the trials with these levels, one value, or one curve, a seed; NaN where one diverged.

        A curve that is shorter than others, because its training stopped earlier, ends in NaN.
        """
        self._known("metric", [metric], self.metrics)
        found = self._where(factors)
        found = found[[metric in self.rows[place]["metrics"] for place in found.index]]
        if found.empty or found["seed"].duplicated().any():
            free = [name for name in self.factors if found[name].nunique() > 1]
            raise ValueError(
                f"Expected one trial a seed: {metric} of {factors} has {len(found)} trials of "
                f"{found['seed'].nunique()} seeds; the factors left open are {', '.join(free) or 'none'}"
            )
        # A curve that is lost is as long as it was recorded.
        curves = [value for place in found.index if isinstance(value := self.rows[place]["metrics"][metric], list)]
        return _numbers(list(found[metric]), max(map(len, curves), default=None))

    def chosen(self, over: str, by: str, least: bool = False) -> "Results":
        """Return, for each setting of the other factors, the trials at the level of `over` that is best by a metric.

        Best is the largest mean over the seeds, or the least; of equal ones the first. A level at which a seed diverged
        is no choice. Trials without that factor stay as they are.
        """
        self._known("factor", [over], self.factors)
        self._known("metric", [by], self.metrics)
        others = [name for name in self.factors if name != over]
        kept: list[Row] = []
        for _, group in self.table.groupby(others, sort=False, dropna=False) if others else [((), self.table)]:
            if group[over].isna().all():
                kept += [self.rows[place] for place in group.index]
                continue
            means = group.groupby(over, sort=False)[by].apply(lambda values: _numbers(list(values)).mean())
            best = (means.astype(float) * (-1 if least else 1)).fillna(-np.inf).idxmax()
            kept += [self.rows[place] for place in group.index[group[over] == best]]
        return Results(kept)

    def _where(self, factors: dict[str, Any]) -> pd.DataFrame:
        self._known("factor", list(factors), self.factors)
        found = self.table
        for name, level in factors.items():
            found = found[found[name] == level]
        return found

    @staticmethod
    def _known(what: str, names: list[str], known: list[str]) -> None:
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"Expected a {what} of {', '.join(known)}. Received: {', '.join(unknown)}")


def _flat(row: Row) -> dict[str, Any]:
    diverged = any(_is_lost(value) for value in row["metrics"].values())
    metrics = {name: None if diverged else value for name, value in row["metrics"].items()}
    return {"seed": row["seed"], **row["factors"], **metrics, "seconds": row["seconds"], "diverged": diverged}


def _is_lost(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_lost, value))
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _numbers(values: list[Any], length: int | None = None) -> np.ndarray:
    if length is None:
        return np.array(values, float)
    curves = [[] if value is None else value for value in values]
    return np.array([[*curve, *[np.nan] * (length - len(curve))] for curve in curves], float)


def of_chapter(chapter: str) -> Results:
    """Return what was recorded of a chapter; a file that is none, or that ends within a row, is refused by name."""
    path = path_of(chapter)
    rows, torn = rows_of(path)
    again = f"`python -m reruns {chapter} --scale paper`, in book/,"
    if torn:
        raise ValueError(f"{path} ends within a row, {torn[:40]!r}...: {again} runs that trial again.")
    if not rows:
        raise FileNotFoundError(f"{path} is not there. {again} writes it.")
    return Results(rows)
