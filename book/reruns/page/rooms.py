"""The tables of what the chapters share, read from the imports of their modules and pages."""

import ast
import functools
import re
from collections.abc import Iterable
from pathlib import Path

from IPython.display import Markdown

from reruns.page.tables import table

CODE = Path(__file__).parents[1]
BOOK = CODE.parent
# Of a page, whose cells also hold lines that are IPython's alone.
IMPORTS = re.compile(r"^from reruns\b[\w.]* import (?:\([^)]*\)|[^(\n]+)$", re.MULTILINE)


@functools.cache
def modules() -> dict[str, str]:
    """Return the source of each module behind the pages, by its name within `reruns`."""
    files = {file.relative_to(CODE).with_suffix("").parts: file for file in sorted(CODE.rglob("*.py"))}
    sources = {".".join(parts).removesuffix(".__init__"): file.read_text() for parts, file in files.items()}
    return {name: source for name, source in sources.items() if source}


def chapters() -> list[str]:
    """Return the chapters that have code: those of the book in its order, then those that are not in it yet."""
    found = {name.split(".")[1] for name in modules() if name.startswith("chapters.")}
    return [*(page for page in pages() if page in found), *sorted(found - set(pages()))]


def pages() -> list[str]:
    """Return the pages of the book, in its order."""
    return re.findall(r"\bfile: (\w+)", (BOOK / "_toc.yml").read_text())


def own(chapter: str) -> list[str]:
    """Return the names of a chapter's modules."""
    return [name for name in modules() if f"{name}.".startswith(f"chapters.{chapter}.")]


def taken(chapter: str) -> list[str]:
    """Return the names of the modules that a chapter's own and its page import, beside its own."""
    page = BOOK / f"{chapter}.md"
    sources = [modules()[name] for name in own(chapter)]
    sources += IMPORTS.findall(page.read_text()) if page.exists() else []
    return sorted(set().union(*map(imported, sources)) - set(own(chapter)))


def imported(source: str) -> set[str]:
    """Return the names of the modules behind the pages that a source imports, within functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # What is imported from a package is a module of its own, or something in it.
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modular = {name for name in inner if name.removeprefix("reruns.") in modules()}
            found |= modular | ({str(node.module)} if inner - modular else set())
    return {name.removeprefix("reruns.") for name in found if name.startswith("reruns.")}


def says(source: str) -> str:
    """Return the first line of what a module says of itself."""
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def length(source: str) -> int:
    return len(source.splitlines())


def by_chapter() -> Markdown:
    """Return a line a chapter: which shared rooms it takes something from, which other chapter, how much is its own."""
    rows = []
    for chapter in chapters():
        found = taken(chapter)
        rooms = (name.split(".")[0] for name in found if not name.startswith("chapters."))
        others = (name.split(".")[1] for name in found if name.startswith("chapters."))
        lengths = [length(modules()[name]) for name in own(chapter)]
        shown = f"[{chapter}]({chapter}.md)" if chapter in pages() else chapter
        rows.append([shown, _list(rooms), _list(others), len(lengths), sum(lengths)])
    return table(["chapter", "takes of the shared rooms", "of another chapter", "own modules", "own lines"], rows)


def of_chapters() -> Markdown:
    """Return a line a module of a chapter: its length, and what it says of itself."""
    return table(
        ["chapter", "module", "lines", "what it says of itself"],
        [
            [chapter if first else "", f"`{name.split('.')[-1]}`", length(modules()[name]), says(modules()[name])]
            for chapter in chapters()
            for name in own(chapter)
            for first in [name == f"chapters.{chapter}"]
        ],
    )


def shared() -> Markdown:
    """Return a line a shared module: how many chapters import it, the most first, and what it says of itself."""
    everyone = [taken(chapter) for chapter in chapters()]
    counts = {name: sum(name in of for of in everyone) for name in modules() if not name.startswith("chapters.")}
    return table(
        ["module", f"of {len(everyone)} chapters", "lines", "what it says of itself"],
        [
            [f"`{name}`", counts[name], length(modules()[name]), says(modules()[name])]
            for name in sorted(counts, key=lambda name: -counts[name])
        ],
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
