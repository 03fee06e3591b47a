"""Run the pages of the book, as many at a time as there are cores: `python -m extensions.run_pages`, before the build.

The build would run them one after another. What a page gives here is kept where the build looks for it; a page that
fails is run again there, and its error shown.
"""

import logging
from pathlib import Path

import yaml
from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor

BOOK = Path(__file__).parents[1]
KEPT = BOOK / "_build" / ".jupyter_cache"


def notebooks() -> list[Path]:
    """Return the pages of the table of contents that hold code to be run."""
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text())
    names = [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]
    pages = [BOOK / f"{name}.md" for name in names]
    return [page for page in pages if "\nkernelspec:" in page.read_text()]


def main() -> None:
    cache = get_cache(KEPT)
    for page in notebooks():
        cache.add_nb_to_project(str(page), read_data={"name": "myst_nb_md", "type": "plugin"})
    limit = yaml.safe_load((BOOK / "_config.yml").read_text())["execute"]["timeout"]
    logger = logging.getLogger("run_pages")
    logger.setLevel(logging.WARNING)
    ran = load_executor("local-parallel", cache, logger).run_and_cache(timeout=limit)
    print(f"{len(ran.succeeded)} pages run, {len(ran.excepted) + len(ran.errored)} failed")


if __name__ == "__main__":
    main()
