"""Look over the built pages: `python -m extensions.built_pages`, from book/, after the build.

A page must open without a network, and must not tell where it was built; its notebook must read without Sphinx.
"""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
HTML = ROOT / "book" / "_build" / "html"
LOG_LINES = ("cudart_stub", "absl::InitializeLog", "WARNING:tensorflow")
# What a browser fetches without being asked; links that a reader follows are no concern.
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Fetches(HTMLParser):
    """Collect the addresses of other machines that a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        address = dict(attributes).get(FETCHED.get(tag, ""), "") or ""
        if address.startswith(("http:", "https:", "//")):
            self.foreign.append(address)


def faults(html: str) -> list[str]:
    """Return what is wrong with a page, a line each."""
    parser = Fetches()
    parser.feed(html)
    found = [f"fetches {address}" for address in parser.foreign]
    found += [f"tells of this machine: {ROOT}"] * (f"{ROOT}/" in html)
    return found + ["holds a log line of TensorFlow"] * any(line in html for line in LOG_LINES)


def unresolved(notebook: str) -> list[str]:
    """Return what a notebook's text leaves as Sphinx alone would understand it, a line each."""
    cells = json.loads(notebook)["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    roles = re.findall(r"\{[a-z]+(?::[a-z]+)?\}`[^`]*`|(?:```|:::)\{.*", prose)
    return [f"holds {role} as it is written" for role in roles]


def main() -> None:
    pages = sorted(HTML.glob("*.html"))
    if not pages:
        sys.exit(f"there are no pages in {HTML}: `make book` builds them")
    wrong = [f"{page.name} {fault}" for page in pages for fault in faults(page.read_text())]
    taken = sorted((HTML / "_sources").glob("*.ipynb"))
    wrong += [f"{notebook.name} {fault}" for notebook in taken for fault in unresolved(notebook.read_text())]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
