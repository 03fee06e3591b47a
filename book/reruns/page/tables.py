"""The tables of the pages, in Markdown."""

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import HTML, Markdown
from myst_nb import glue

from reruns import verdicts
from reruns.claims import Claim, Judgement, Verdict
from reruns.data import pipelines
from reruns.results import Results

BOOK = Path(__file__).parents[2]


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


# A claim that did not hold stands out.
EMPHASIS = {Verdict.REFUTED: "**", Verdict.TOO_SMALL: "**", Verdict.NOT_JUDGED: "**"}


def judged(judgements: Sequence[Judgement], page: str) -> Markdown:
    """Return a page's verdicts, and leave them for the first page of the book to collect."""
    # As HTML: what is glued into another page is not parsed again there.
    heads = "".join(f"<th>{name}</th>" for name in ("claim", "source", "published", "ours", "verdict"))
    chapter = f'<tr class="chapter"><th colspan="5"><a href="{page}.html">{html.escape(_title(page))}</a></th></tr>'
    rows = "".join(_collected(judgement, page) for judgement in judgements)
    whole = f'<table class="table claims"><thead><tr>{heads}</tr></thead><tbody>{chapter}{rows}</tbody></table>'
    glue("verdict", HTML(whole), display=False)
    return table(
        ["claim", "criterion", "found", "verdict"],
        [
            [
                f"{j.claim.id}: {j.claim.says}",
                f"{j.claim.criterion}{'. Not comparable: ' if j.claim.unlike else ''}{j.claim.unlike}",
                j.found,
                f"{mark}{j.verdict.value}{mark}{_predicted(j.claim)}",
            ]
            for j in judgements
            for mark in [EMPHASIS.get(j.verdict, "")]
        ],
    )


def _collected(judgement: Judgement, page: str) -> str:
    """Return a verdict's row on the first page, which a reader can filter by verdict and by paper."""
    claim, verdict = judgement.claim, judgement.verdict.value
    paper = _paper(claim.source)
    link = f'<a href="{page}.html#verdict">{html.escape(claim.id)}</a>: {html.escape(claim.says)}'
    told = f"<strong>{verdict}</strong>" if judgement.verdict in EMPHASIS else verdict
    cells = [link, *map(html.escape, (claim.source, claim.published, judgement.found)), told]
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr data-verdict="{html.escape(verdict)}" data-paper="{html.escape(paper)}">{row}</tr>'


def _title(page: str) -> str:
    found = re.search(r"^# (.*)$", (BOOK / f"{page}.md").read_text(), re.MULTILINE)
    assert found is not None, f"{page}.md has no title"
    return found[1]


def _paper(source: str) -> str:
    """Return authors and year of a source, without its section or page; or what stands before its first comma."""
    found = re.match(r".*?\b\d{4}", source)
    return found[0] if found else source.partition(",")[0]


# The chapters' tables become one, of whose rows a reader chooses by verdict and by paper.
FILTER = """
<p>Show <select class="filter" data-by="verdict"></select> of <select class="filter" data-by="paper"></select></p>
<script>
document.addEventListener("DOMContentLoaded", () => {
  const [first, ...others] = document.querySelectorAll("table.claims");
  for (const other of others) {
    first.tBodies[0].append(...other.tBodies[0].rows);
    other.remove();
  }
  const rows = [...first.querySelectorAll("tr[data-verdict]")];
  const chapters = [...first.querySelectorAll("tr.chapter")];
  const isEmpty = chapter => {
    for (let row = chapter.nextElementSibling; row && row.dataset.verdict; row = row.nextElementSibling)
      if (!row.hidden) return false;
    return true;
  };
  const boxes = [...document.querySelectorAll("select.filter")];
  for (const box of boxes) {
    const all = box.dataset.by === "verdict" ? "all verdicts" : "all papers";
    const values = [...new Set(rows.map(row => row.dataset[box.dataset.by]))].sort();
    for (const value of [all, ...values]) box.add(new Option(value, value === all ? "" : value));
    box.addEventListener("change", () => {
      for (const row of rows)
        row.hidden = boxes.some(other => other.value && row.dataset[other.dataset.by] !== other.value);
      for (const chapter of chapters) chapter.hidden = isEmpty(chapter);
    });
  }
});
</script>
"""


def claims_filter() -> HTML:
    """Return two boxes by which a reader chooses among the verdicts that were collected."""
    return HTML(FILTER)


def _predicted(claim: Claim) -> str:
    return f" (predicted: {claim.predicted.value})" if claim.predicted else ""


def overview(judgements: Sequence[Judgement]) -> Markdown:
    """Return a table of judgements of numbers: whose claim, the effect with its interval, the power, and Holm's p."""
    # A claim of which no number is known, because a run diverged or was not as planned, is one of the family.
    adjusted = verdicts.holm([1.0 if j.evidence is None or j.evidence.p is None else j.evidence.p for j in judgements])
    return table(
        ["claim", "source", "n", "effect, interval", "rule, margin", "power", "p, Holm's", "verdict"],
        [
            [
                f"{j.claim.id}: {j.claim.says}",
                f"{j.claim.source}{'; not comparable: ' if j.claim.unlike else ''}{j.claim.unlike}",
                *_numbers(j),
                f"{p:.2g}",
                f"{mark}{j.verdict.value}{mark}{_predicted(j.claim)}",
            ]
            for j, p in zip(judgements, adjusted, strict=True)
            for mark in [EMPHASIS.get(j.verdict, "")]
        ],
    )


def _numbers(judgement: Judgement) -> list[Any]:
    """Return n, effect with interval, rule with margin, and power, or what is known instead."""
    e = judgement.evidence
    if e is None:
        return ["", judgement.found, "", ""]
    rule = f"{judgement.claim.rule.value}, {e.margin:g}"
    return [e.n, f"{e.mean:.3g} [{e.lower:.3g}, {e.upper:.3g}]", rule, e.sensitivity]


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
    """Return the mean wall time of a trial by its levels of these factors, and how many times the shortest it is."""
    taken: dict[tuple, list[float]] = {}
    for row in results.rows:
        taken.setdefault(tuple(row["factors"].get(factor, "") for factor in factors), []).append(row["seconds"])
    means = {levels: np.mean(of_trials) for levels, of_trials in taken.items()}
    least = min(means.values())
    rows = [[*levels, f"{mean:.0f}", f"{mean / least:.2f}"] for levels, mean in means.items()]
    return table([*factors, "mean wall time of a trial, s", "times the shortest"], rows)


def ran_on(record: dict) -> Markdown:
    """Return the note that says which data a page ran on."""
    kind = "warning" if record["stands_in_for"] else "note"
    return Markdown(f":::{{{kind}}}\n{pipelines.note(record)}\n:::")


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
