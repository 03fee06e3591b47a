"""Does the page of what the chapters share tell of all of them, and is no code in two places?"""

import ast
import collections
from pathlib import Path

from reruns import chapters
from reruns.page import rooms

CODE = Path(__file__).parents[2] / "book" / "reruns"


def rows(shown):
    """Return the lines of a table, each as its cells."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.data.splitlines()[2:]]


def test_every_module_or_package_of_a_chapter_has_its_line_and_those_of_the_book_come_first():
    on_disk = {path.stem for path in (CODE / "chapters").iterdir() if not path.name.startswith("_")}
    shown = [row[0] for row in rows(rooms.by_chapter())]
    assert sorted(name.partition("]")[0].strip("[") for name in shown) == sorted(on_disk)
    assert [name for name in rooms.chapters() if name in chapters.NAMES] == list(chapters.NAMES)
    assert [name for name in shown if name.startswith("[")] == [
        f"[{name}]({name}.md)" for name in rooms.pages() if name in on_disk
    ]
    assert [row[0] for row in rows(rooms.of_chapters()) if row[0]] == rooms.chapters()


def test_a_chapter_s_line_tells_what_it_takes_and_how_much_is_its_own():
    lines = len((CODE / "chapters" / "rectifiers.py").read_text().splitlines())
    taken = "claims, data, experiment, exports, networks, page, results, training, units, verdicts"
    assert ["[rectifiers](rectifiers.md)", taken, "", "1", str(lines)] in rows(rooms.by_chapter())
    package = CODE / "chapters" / "serving"
    total = sum(len(path.read_text().splitlines()) for path in package.glob("*.py"))
    (serving,) = (row for row in rows(rooms.by_chapter()) if row[0] == "[serving](serving.md)")
    assert serving[2:] == ["rectifiers", str(len(list(package.glob("*.py")))), str(total)]


def test_a_module_tells_its_length_and_the_first_line_of_its_docstring():
    lines = len((CODE / "chapters" / "serving" / "served_network.py").read_text().splitlines())
    says = "The network of MaxoutDense that is served, and its training."
    assert ["", "`served_network`", str(lines), says] in rows(rooms.of_chapters())
    assert all(row[-1] for row in [*rows(rooms.of_chapters()), *rows(rooms.shared())])


def test_an_import_is_seen_wherever_it_stands_and_is_of_a_module():
    source = """
import reruns.origin
import numpy as np
from keras import ops
from reruns.data import pipelines, sources as found
from reruns.claims import Claim
def later():
    from reruns import page, training
"""
    expected = {"origin", "data.pipelines", "data.sources", "claims", "page", "training"}
    assert rooms.imported(source) == expected
    cells = "%config x\nfrom reruns.page import (\n    figures,\n    tables,\n)\nfrom reruns import claims\n!ls\n"
    assert {name for line in rooms.IMPORTS.findall(cells) for name in rooms.imported(line)} == {
        *("page.figures", "page.tables", "claims")
    }


def test_a_shared_module_counts_the_chapters_that_import_it():
    importing = [path for path in CODE.glob("chapters/**/*.py") if "import exports" in path.read_text()]
    taking = {path.relative_to(CODE / "chapters").parts[0].removesuffix(".py") for path in importing}
    assert taking == {name for name in rooms.chapters() if "exports" in rooms.taken(name)}
    named = {row[0]: row[1:] for row in rows(rooms.shared())}
    says = "tf.data input pipelines, one function a data set, each with a record of what it did."
    assert named["`exports`"][0] == str(len(taking)) and named["`data.pipelines`"][2] == says
    assert not any("chapters." in name for name in named)


def test_no_chapter_takes_code_of_another_but_the_network_that_it_measures():
    others = {name: [of for of in rooms.taken(name) if of.startswith("chapters.")] for name in rooms.chapters()}
    # One times the pipeline and the network of that chapter, the other serves what it exported.
    measured = {"cost": ["chapters.rectifiers"], "serving": ["chapters.rectifiers"]}
    assert {name: found for name, found in others.items() if found} == measured


def test_no_shared_module_knows_a_chapter():
    shared = {name: source for name, source in rooms.modules().items() if not name.startswith("chapters.")}
    knowing = {name for name, source in shared.items() if any("chapters." in of for of in rooms.imported(source))}
    assert knowing == set()


def test_no_chapter_takes_code_of_the_pages():
    taking = {
        name: [of for of in rooms.imported(source) if f"{of}.".startswith("page.")]
        for name, source in rooms.modules().items()
    }
    assert {name for name, found in taking.items() if found and name.startswith("chapters")} == set()
    assert taking["page.opening"]


# As many as a call of one function with one argument takes.
SMALL = 10


def test_no_function_is_written_twice():
    written = collections.defaultdict(list)
    for name, source in rooms.modules().items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if sum(1 for line in body for _ in ast.walk(line)) > SMALL:
                    written["\n".join(map(ast.unparse, body))].append(f"{name}.{node.name}")
    assert [places for places in written.values() if len(places) > 1] == []
