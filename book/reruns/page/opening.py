"""How a page begins: `chapter = page.open("elu")` reads the record and offers every number of its configuration."""

import dataclasses
from typing import Any

from IPython.display import Markdown

from reruns import chapters, claims, plans, results, spread
from reruns.experiment import Experiment, Scale, Trial
from reruns.page import prose, tables, verdict_tables
from reruns.page.notes import Note
from reruns.results import Results


class Chapter:
    """A chapter's experiment, its recorded trials, and its configurations: recorded (`config`) and live."""

    def __init__(self, experiment: Experiment, recorded: Results) -> None:
        self.experiment, self.recorded = experiment, recorded
        self.config = experiment.paper.config
        self.live_config = experiment.live.config if experiment.live else None

    def run_live(self, trials: list[Trial] | None = None, **only: Any) -> Results:
        """Compute these trials in the live configuration, or its own with these levels, here and now."""
        scale = self.experiment.live
        assert scale is not None, f"{self.experiment.name} has nothing to run live"
        if trials is None:
            trials = [trial for trial in self.experiment.trials(scale.config) if only.items() <= trial.items()]
        tasks = [spread.Task(self.experiment, scale.config, seed, trial) for seed in scale.seeds for trial in trials]
        outcomes = list(spread.in_turn(tasks))
        if faults := [outcome.fault for outcome in outcomes if outcome.row is None]:
            raise RuntimeError("; ".join(faults))
        return Results([outcome.row for outcome in outcomes if outcome.row])

    def changed(self, seeds: range | None = None, **values: Any) -> "Chapter":
        """Return the chapter with another live configuration, for a reader to try.

        `chapter.changed(epochs=5, seeds=range(3)).run_live()` runs the live trials with more epochs and seeds.
        """
        scale = self.experiment.live
        assert scale is not None, f"{self.experiment.name} has nothing to run live"
        known = [field.name for field in dataclasses.fields(scale.config)]
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"Expected `seeds` or values of {', '.join(known)}. Received: {', '.join(unknown)}")
        live = Scale(dataclasses.replace(scale.config, **values), scale.seeds if seeds is None else seeds)
        return Chapter(dataclasses.replace(self.experiment, live=live), self.recorded)

    def to_change(self, live: Results | float, *changes: dict[str, Any], run: str = "run_live()") -> Note:
        """Return a note with lines that a reader may put in place of the live run's, and the time that it took.

        Each change has the arguments of `changed`, and is refused here if they are none. Of a live run that has no
        trials, its seconds are given instead of their results.
        """
        lines = []
        for change in changes:
            self.changed(**change)
            arguments = ", ".join(f"{name}={value!r}" for name, value in change.items())
            lines.append(f"live = chapter.changed({arguments}).{run}")
        seconds = sum(row["seconds"] for row in live.rows) if isinstance(live, Results) else live
        told = (
            f"In a notebook of this page, put one of these in the place of `live = chapter.{run}`. "
            f"The live run took {seconds:.0f} s for this page."
        )
        return Note("\n".join([told, "```python", *lines, "```"]), "tip", "Change it")

    def live_data(self) -> Note:
        """Return the note on the data of the live trials."""
        return tables.ran_on(self.experiment.data(self.live_config))

    def recorded_data(self) -> Note:
        """Return the note on the data of the recorded trials."""
        return tables.ran_on(self.recorded.data)

    def judged(self, *here: claims.Judgement) -> Markdown:
        """Return the table of verdicts, those that were found on this page first."""
        judgements = [*here, *plans.judged(self.experiment, self.recorded)]
        claims.refuse_incomplete(self.experiment.claims, judgements)
        return verdict_tables.judged(judgements, self.experiment.name)

    def provenance(self) -> Markdown:
        """Return what is known of the recorded trials."""
        return tables.provenance(self.recorded, plans.told(self.experiment, self.recorded))


def open(name: str) -> Chapter:
    """Return a chapter, and leave each value of its configurations for the prose, as NAME and as live_NAME."""
    experiment = chapters.find(name)
    for prefix, scale in (("", experiment.paper), ("live_", experiment.live)):
        if scale is None:
            continue
        for field in dataclasses.fields(scale.config):
            prose.tell(**{f"{prefix}{field.name}": shown(getattr(scale.config, field.name))})
        prose.tell(**{f"{prefix}seeds": str(len(scale.seeds))})
    return Chapter(experiment, results.of_chapter(name))


def statistical() -> list[claims.Judgement]:
    """Return the judgements of all chapters that rest on an interval over recorded seeds."""
    return [
        judgement
        for name in chapters.NAMES
        for judgement in plans.judged(chapters.find(name), results.of_chapter(name))
        if judgement.claim.kind is claims.Kind.STATISTICAL
    ]


def costs() -> Markdown:
    """Return a table of what each chapter's record took, so that a reader knows what a rerun costs."""
    return tables.costs({name: results.of_chapter(name) for name in chapters.NAMES})


def shown(value: Any) -> str:
    """Return a value of a configuration as prose has it."""
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else "all" if value is None else str(value)
