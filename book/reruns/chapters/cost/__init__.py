"""What a unit costs: times and memory as ratios to what the machine reaches in the same process."""

import statistics
from typing import Any

from reruns.chapters.cost import limits, parts
from reruns.chapters.cost.timing import Config
from reruns.claims import Judgement
from reruns.experiment import Experiment, Scale, Trial, grid
from reruns.results import Results


def data(config: Config) -> dict:
    """Return that there are no data: what is measured are tensors of noise."""
    return {}


def trials(config: Config) -> list[Trial]:
    """Return the parts of the benchmark whose backend is installed."""
    at_hand = parts.at_hand()
    return grid(part=[name for name in config.parts if name in at_hand])


def trial(config: Config, seed: int, part: str) -> dict[str, Any]:
    """Measure one part in a process of its own. The seed only counts the processes."""
    measured = parts.measured_apart(part, config)
    found = measured["found"]
    return {**(found if isinstance(found, dict) else {"rows": found}), "origin": measured["origin"]}


def metrics(results: Results) -> dict[str, Any]:
    """Return the median over the processes of what was found of each part, by its name."""
    return _median([_of_process(results, seed) for seed in results.seeds])


def _median(several: list[Any]) -> Any:
    """Return the median of numbers, and of rows and tables entry by entry."""
    one = several[0]
    if isinstance(one, dict):
        return {name: _median([other[name] for other in several]) for name in one}
    if isinstance(one, list):
        return [_median(list(entries)) for entries in zip(*several, strict=True)]
    numbers = [value for value in several if isinstance(value, int | float)]
    return statistics.median(numbers) if numbers else one


def _of_process(results: Results, seed: int) -> dict[str, Any]:
    found = {row["factors"]["part"]: row["metrics"] for row in results.rows if row["seed"] == seed}
    return {part: metrics["rows"] if set(metrics) == {"rows"} else metrics for part, metrics in found.items()}


def lines(results: Results) -> list[list[limits.Line]]:
    """Return every limit with what each process measured."""
    return [limits.lines(_of_process(results, seed)) for seed in results.seeds]


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim: whether every limit that belongs to it was kept."""
    return limits.judged(lines(results))


EXPERIMENT = Experiment(
    name="cost",
    live=None,
    paper=Scale(Config(), range(5)),
    data=data,
    trials=trials,
    trial=trial,
    claims=limits.CLAIMS,
    judge=judge,
)
