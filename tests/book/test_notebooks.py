"""Does the notebook of a page read as the page does, run by itself, and say what is missing?"""

import json
import subprocess
import sys

import nbformat
import pytest

from extensions import built_pages, notebooks

CITED = {"a2010": ("Nair and Hinton", "2010"), "b2011": ("Glorot and others", "2011")}
KNOWN = notebooks.Known({"error": "1.5"}, CITED, {"elu": "ELU on MNIST"}, {"fig-a": 5, "fig-b": 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It errs on {glue:text}`error` of them.", "It errs on 1.5 of them."),
        ("{cite:t}`a2010` found", "Nair and Hinton (2010) found"),
        ("rectifiers {cite:p}`b2011`.", "rectifiers (Glorot and others 2011)."),
        ("a {class}`~keras_rectifiers.PReLU` layer", "a `PReLU` layer"),
        ("see {doc}`elu`", "see *ELU on MNIST*"),
        ("{numref}`fig-a` shows it. {numref}`fig-b` too.", "The figure below shows it. The figure above too."),
        ("In {numref}`fig-a` mind\n{numref}`fig-b`", "In the figure below mind\nthe figure above"),
        ("So.\n\n{numref}`fig-a` shows it", "So.\n\nThe figure below shows it"),
        ("$f(x) = \\{x\\}$ and `{x}`", "$f(x) = \\{x\\}$ and `{x}`"),
    ],
)
def test_what_only_sphinx_knows_is_put_in_plain_words(text, expected):
    assert notebooks.resolved(text, KNOWN, place=3) == expected


@pytest.mark.parametrize("text", ["{glue:text}`other`", "{cite:t}`other`", "{doc}`other`"])
def test_a_name_that_is_not_known_is_refused(text):
    with pytest.raises(KeyError, match="other"):
        notebooks.resolved(text, KNOWN)


def test_code_from_a_file_stands_in_the_notebook():
    text = "So:\n\n```{literalinclude} reruns/chapters/initialisation.py\n:pyobject: decayed\n```\n\nand on."
    found = notebooks.resolved(text, KNOWN)
    assert found.startswith("So:\n\n```python\ndef decayed(decay: float) -> Unit:\n") and found.endswith(
        "```\n\nand on."
    )
    options = ":start-at: def small\n:end-before: class Binary\n"
    part = "```{literalinclude} reruns/chapters/boltzmann/__init__.py\n" + options + "```"
    assert notebooks.resolved(part, KNOWN).startswith("```python\ndef small(")
    assert "class Binary" not in notebooks.resolved(part, KNOWN)


def test_authors_and_years_are_read_of_the_bibliography():
    found = notebooks.citations((notebooks.BOOK / "references.bib").read_text())
    assert found["nair2010rectified"] == ("Nair and Hinton", "2010")
    assert found["glorot2011deep"] == ("Glorot and others", "2011")
    assert found["superdatascience2018relu"] == ("SuperDataScience Team", "2018")


def kept(tmp_path, prose):
    """Write what the build leaves of a page of one sentence and one cell."""
    cells = [nbformat.v4.new_markdown_cell(prose), nbformat.v4.new_code_cell("print(6 * 7)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "page.ipynb")
    glued = {"answer": {"data": {"text/plain": "'42'"}}, "verdict": {"data": {"text/html": "<table>"}}}
    (tmp_path / "page.glue.json").write_text(json.dumps(glued))
    return tmp_path / "page.ipynb"


def test_a_notebook_has_the_page_s_words_and_cells_and_says_in_one_line_what_it_lacks(tmp_path):
    target = tmp_path / "taken" / "page.ipynb"
    notebooks.written(kept(tmp_path, "It is {glue:text}`answer`."), target, {}, {})
    assert built_pages.unresolved(target.read_text()) == []
    prose, needs, code = nbformat.read(target, as_version=4).cells
    assert (prose.source, code.source) == ("It is 42.", "print(6 * 7)")
    # In an interpreter that sees neither the package nor the book.
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", needs.source], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 1
    assert (
        ran.stderr.startswith("Not found: keras_rectifiers, reruns. Start `make lab`") and ran.stderr.count("\n") == 1
    )
    exec(needs.source, {})


def test_what_stayed_as_sphinx_writes_it_is_seen(tmp_path):
    target = tmp_path / "taken.ipynb"
    notebooks.written(kept(tmp_path, "See {ref}`there` and {glue:text}`answer`."), target, {}, {})
    assert built_pages.unresolved(target.read_text()) == ["holds {ref}`there` as it is written"]
