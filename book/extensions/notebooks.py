"""A Sphinx extension: each page that was run is offered as a notebook that reads as the page does.

What only Sphinx resolves is resolved in its text: numbers from the runs, citations, code from files, and references.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

BOOK = Path(__file__).parents[1]
NEEDS = """\
import importlib.util

missing = [name for name in ("keras_rectifiers", "reruns") if not importlib.util.find_spec(name)]
if missing:
    raise SystemExit(
        f"Not found: {', '.join(missing)}. Start `make lab` in a checkout of the project, and open this notebook there."
    )"""
OPTIONS = r"((?::[a-z-]+: [^\n]*\n)*)"


class Known(NamedTuple):
    """What Sphinx knows of a page: texts of its runs, authors and years, titles, and where its figures stand."""

    glued: dict[str, str]
    cited: dict[str, tuple[str, str]]
    titles: dict[str, str]
    figures: dict[str, int]


def resolved(text: str, known: Known, place: int = 0) -> str:
    """Return a cell's Markdown, of the cell at a place, with what only Sphinx knows in plain words."""

    def figure(found: re.Match) -> str:
        before = found[1] or ""
        word = "above" if known.figures.get(found[2], place) < place else "below"
        begins = not found.start() or before
        return f"{before}{'The' if begins else 'the'} figure {word}"

    text = re.sub(r"```\{literalinclude\} (\S+)\n" + OPTIONS + "```", lambda m: _code(m[1], m[2]), text)
    text = re.sub(r"\{glue:text\}`([^`]+)`", lambda m: known.glued[m[1]], text)
    text = re.sub(r"\{cite:t\}`([^`]+)`", lambda m: "{} ({})".format(*known.cited[m[1]]), text)
    text = re.sub(r"\{cite:p\}`([^`]+)`", lambda m: "({} {})".format(*known.cited[m[1]]), text)
    text = re.sub(r"\{(?:class|func)\}`~?([^`]+)`", lambda m: f"`{m[1].rpartition('.')[2]}`", text)
    text = re.sub(r"\{doc\}`([^`]+)`", lambda m: f"*{known.titles[m[1]]}*", text)
    return re.sub(r"(\n\n|\.\s)?\{numref\}`([^`]+)`", figure, text)


def _code(path: str, options: str) -> str:
    """Return what `literalinclude` shows of a file, as a block of code."""
    source = (BOOK / path).read_text()
    given = dict(re.findall(r":([a-z-]+): ([^\n]*)", options))
    if name := given.get("pyobject"):
        node = next(n for n in ast.walk(ast.parse(source)) if getattr(n, "name", None) == name)
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])  # type: ignore[attr-defined]
        source = "\n".join(source.splitlines()[first - 1 : node.end_lineno])  # type: ignore[attr-defined]
    if start := given.get("start-at"):
        source = source[source.index(start) :]
    if end := given.get("end-before"):
        source = source[: source.index(end)]
    return f"```python\n{source.rstrip()}\n```"


def citations(bibliography: str) -> dict[str, tuple[str, str]]:
    """Return the authors and the year of each entry of a bibliography."""
    found = {}
    for key, entry in re.findall(r"^@\w+\{(\S+),\n(.*?)^\}", bibliography, re.DOTALL | re.MULTILINE):
        fields = dict(re.findall(r"^  (\w+) += \{(.*)\},?$", entry, re.MULTILINE))
        names = [author.partition(",")[0].strip("{}") for author in fields["author"].split(" and ")]
        authors = f"{names[0]} and others" if len(names) > 2 else " and ".join(names)
        found[key] = (authors, fields["year"])
    return found


def values(glued: dict[str, Any]) -> dict[str, str]:
    """Return the texts among what a page kept for its prose."""
    texts = {name: kept["data"].get("text/plain", "") for name, kept in glued.items()}
    return {name: ast.literal_eval(text) for name, text in texts.items() if text.startswith(("'", '"'))}


def written(executed: Path, target: Path, cited: dict[str, tuple[str, str]], titles: dict[str, str]) -> None:
    """Write the notebook of a page as a reader takes it away."""
    notebook = nbformat.read(executed, as_version=4)
    kept = executed.with_suffix(".glue.json")
    figures = {
        cell.metadata["mystnb"]["figure"]["name"]: place
        for place, cell in enumerate(notebook.cells)
        if "figure" in cell.metadata.get("mystnb", {})
    }
    known = Known(values(json.loads(kept.read_text())) if kept.exists() else {}, cited, titles, figures)
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = resolved(cell.source, known, place)
    first = next(place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells.insert(first, nbformat.v4.new_code_cell(NEEDS))
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


def offer(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
    # The first page gathers what the others found, and has nothing to change.
    if page != app.config.root_doc and executed.exists():
        cited = citations((BOOK / "references.bib").read_text())
        titles = {name: title.astext() for name, title in app.env.titles.items()}
        written(executed, Path(app.outdir) / "_sources" / executed.name, cited, titles)
        context["ipynb_source"] = executed.name


def setup(app: Any) -> dict[str, bool]:
    # Before the theme draws its button for downloads.
    app.connect("html-page-context", offer, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
