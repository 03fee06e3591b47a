"""Does the look over the built pages see what must not be there, and are the chapters free of typed results?"""

import re
from pathlib import Path

import pytest
import yaml

from extensions import built_pages as pages
from extensions import run_pages

BOOK = Path(__file__).parents[2] / "book"


WRONG = {
    '<script src="https://cdn.example.org/mathjax.js"></script>': "fetches https://cdn.example.org/mathjax.js",
    '<link rel="stylesheet" href="//fonts.example.org/a.css">': "fetches //fonts.example.org/a.css",
    '<img src="http://example.org/a.png">': "fetches http://example.org/a.png",
    f"<p>File {BOOK.parent}/x.py</p>": f"tells of this machine: {BOOK.parent}",
    "<pre>I0000 cudart_stub.cc:31] Could not find</pre>": "holds a log line of TensorFlow",
}


@pytest.mark.parametrize("html", WRONG)
def test_a_fault_is_seen(html):
    assert pages.faults(f"<html><body>{html}</body></html>") == [WRONG[html]]


def test_a_page_with_links_and_local_files_has_no_fault():
    html = '<script src="_static/mathjax/tex.js"></script><a href="https://example.org">paper</a><img src="a.svg">'
    assert pages.faults(html) == []


# A share, a count of points, an error with its size, or a number as exact as only a measurement is.
TYPED = r"\d\s?(%|points|percent)|\b(error|accuracy)( rate)? (of|is|was) (about )?\d|\b\d\d\.\d"


@pytest.mark.parametrize("result", ["93.6 %", "an error of 7", "49.9 percent", "up 0.3 points", "reported at 49.9"])
def test_a_typed_result_is_seen(result):
    assert re.search(TYPED, f"Here it is {result} now.")


@pytest.mark.parametrize("page", sorted(BOOK.glob("*.md")), ids=lambda page: page.name)
def test_no_accuracy_or_error_is_typed_into_a_sentence(page):
    prose = re.sub(r"^---.*?^---|```.*?```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    typed = [line for line in prose.splitlines() if re.search(TYPED, line)]
    # Thresholds that were fixed in advance, and the interval's level, are no results.
    assert [line for line in typed if "90 %" not in line and "40 %" not in line] == []


def test_the_pages_that_are_run_are_those_of_the_table_of_contents_with_code():
    run = {page.stem for page in run_pages.notebooks()}
    with_code = {page.stem for page in BOOK.glob("*.md") if "```{code-cell}" in page.read_text()}
    listed = set(re.findall(r"(?:root|file): (\w+)", (BOOK / "_toc.yml").read_text()))
    assert run == with_code & listed and run


def test_the_pages_of_the_book_refer_to_none_that_is_not_in_it():
    listed = re.findall(r"(?:root|file): (\w+)", (BOOK / "_toc.yml").read_text())
    cited = {name: re.findall(r"\{doc\}`(\w+)`", (BOOK / f"{name}.md").read_text()) for name in listed}
    assert {name: set(of) - set(listed) for name, of in cited.items() if set(of) - set(listed)} == {}


@pytest.mark.parametrize("page", sorted(BOOK.glob("*.md")), ids=lambda page: page.name)
def test_every_figure_has_a_name_a_caption_and_words_for_who_cannot_see_it_and_is_cited(page):
    text = page.read_text()
    headers = re.findall(r"^```\{code-cell\} ipython3\n---\n(.*?)^---$", text, re.DOTALL | re.MULTILINE)
    assert len(headers) == len(re.findall(r"^  figure:$", text, re.MULTILINE))
    for shown in (yaml.safe_load(header)["mystnb"] for header in headers):
        assert shown["figure"]["caption"] and shown["image"]["alt"]
        assert f"{{numref}}`{shown['figure']['name']}`" in text
