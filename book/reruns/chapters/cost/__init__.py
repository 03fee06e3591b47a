"""What a unit costs: times and memory as ratios to what the machine reaches in the same process."""

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
    found = parts.measured_apart(part, config)
    return found if isinstance(found, dict) else {"rows": found}


def metrics(results: Results, seed: int = 0) -> dict[str, Any]:
    """Return what one process found of each part, by its name."""
    found = {row["factors"]["part"]: row["metrics"] for row in results.rows if row["seed"] == seed}
    return {part: metrics["rows"] if set(metrics) == {"rows"} else metrics for part, metrics in found.items()}


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim: whether every limit that belongs to it was met."""
    return limits.judged([limits.lines(metrics(results, seed)) for seed in results.seeds])


EXPERIMENT = Experiment(
    name="cost",
    live=None,
    paper=Scale(Config(), range(1)),
    data=data,
    trials=trials,
    trial=trial,
    claims=limits.CLAIMS,
    judge=judge,
)
