"""The tables of verdicts: a page's own, and those of the first page, where a reader chooses among them."""

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from IPython.display import HTML, Markdown
from myst_nb import glue

from reruns import verdicts
from reruns.claims import Claim, Judgement, Verdict
from reruns.page.tables import table

BOOK = Path(__file__).parents[2]

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
    number, notes = _unlike(judgements)
    shown = table(
        ["claim", "criterion", "found", "verdict"],
        [
            [
                f"{j.claim.id}: {j.claim.says}",
                f"{j.claim.criterion}{number[j.claim.unlike]}",
                j.found,
                f"{mark}{j.verdict.value}{mark}{_predicted(j.claim)}",
            ]
            for j in judgements
            for mark in [EMPHASIS.get(j.verdict, "")]
        ],
    )
    return Markdown(f"{shown.data}{notes}")


def _unlike(judgements: Sequence[Judgement]) -> tuple[dict[str, str], str]:
    """Return the mark of each thing that keeps claims from being comparable, and notes to stand below a table."""
    found = list(dict.fromkeys(j.claim.unlike for j in judgements if j.claim.unlike))
    number = {"": "", **{unlike: f"; note {n}" for n, unlike in enumerate(found, 1)}}
    notes = [f"*Note {n}.* Not comparable: {unlike}." for n, unlike in enumerate(found, 1)]
    return number, "".join(f"\n\n{note}" for note in notes)


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
    number, notes = _unlike(judgements)
    shown = table(
        ["claim", "source", "n", "effect, interval", "rule, margin", "power", "p, Holm's", "verdict"],
        [
            [
                f"{j.claim.id}: {j.claim.says}",
                f"{j.claim.source}{number[j.claim.unlike]}",
                *_numbers(j),
                f"{p:.2g}",
                f"{mark}{j.verdict.value}{mark}{_predicted(j.claim)}",
            ]
            for j, p in zip(judgements, adjusted, strict=True)
            for mark in [EMPHASIS.get(j.verdict, "")]
        ],
    )
    return Markdown(f"{shown.data}{notes}")


def _numbers(judgement: Judgement) -> list[Any]:
    """Return n, effect with interval, rule with margin, and power, or what is known instead."""
    e = judgement.evidence
    if e is None:
        return ["", judgement.found, "", ""]
    rule = f"{judgement.claim.rule.value}, {e.margin:g}"
    return [e.n, f"{e.mean:.3g} [{e.lower:.3g}, {e.upper:.3g}]", rule, e.sensitivity]
