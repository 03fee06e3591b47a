"""What a chapter runs, as a value: a grid of trials, each decided by a configuration, a seed and its factors.

A trial is a function of these three alone, so that any process of any machine can compute it, in any order, and gives
the same numbers at the same number of threads.
"""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reruns.claims import Claim, Judgement
from reruns.results import Results

Trial = dict[str, Any]  # the level of each factor, by name


@dataclasses.dataclass(frozen=True)
class Scale:
    """A configuration, a frozen dataclass, the seeds that it is run with, and at how many of them it may be judged.

    A chapter that allows itself looks at 5, 10 and 20 seeds runs 5, and more only where those left a claim open.
    """

    config: Any
    seeds: range
    looks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.looks:
            object.__setattr__(self, "looks", (len(self.seeds),))


def _nothing(results: Results) -> list[Judgement]:
    return []


@dataclasses.dataclass(frozen=True)
class Experiment:
    """The experiment of one chapter.

    Args:
        name: the chapter's, as the page, the record and the command have it.
        live: what the page runs while it is built, or None.
        paper: what is recorded.
        data: `data(config) -> dict`, the record of the data that a trial sees.
        trials: `trials(config) -> list`, every trial as its factors' levels.
        trial: `trial(config, seed, **factors) -> dict` of metrics: numbers, or lists of numbers for curves. The seeds
            of Keras, NumPy and TensorFlow are set before it. A trial that a process of its own computes returns that
            process's `origin` beside them.
        claims: what the chapter judges.
        judge: `judge(results) -> list` of a judgement for each claim that the recorded trials decide.
        export: `export(config, results) -> path`, where the chapter's best network goes to savedmodels/.
    """

    name: str
    live: Scale | None
    paper: Scale
    data: Callable[[Any], dict]
    trials: Callable[[Any], list[Trial]]
    trial: Callable[..., dict[str, Any]]
    claims: tuple[Claim, ...] = ()
    judge: Callable[[Results], list[Judgement]] = _nothing
    export: Callable[[Any, Results], Any] | None = None


def levels(*values: Any) -> Any:
    """Return a field of a configuration that holds the levels of a factor: spelled out, never "all".

    A row of a record names its own levels, so that another level adds trials and leaves the recorded ones valid.
    """
    return dataclasses.field(default=values, metadata={"levels": True})


def fixed(config: Any) -> dict[str, Any]:
    """Return what all trials of a configuration share, as JSON has it: every field but the factors' levels."""
    kept = {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if not field.metadata}
    return json.loads(json.dumps(kept))


def grid(**factors: Iterable[Any]) -> list[Trial]:
    """Return every combination of the factors' levels, the last factor running fastest."""
    return [dict(zip(factors, combination, strict=True)) for combination in itertools.product(*factors.values())]


def rows(factors: Sequence[str], levels: Iterable[Sequence[Any]]) -> list[Trial]:
    """Return a trial for each row of levels, in the order of the factors."""
    return [dict(zip(factors, row, strict=True)) for row in levels]
