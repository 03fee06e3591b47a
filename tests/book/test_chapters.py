"""Do all places name the same chapters, does each judge what it claims, and is its record of what it says?"""

import ast
import dataclasses
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from reruns import chapters, claims, experiment, origin, plans, results, verdicts
from reruns.chapters import rectification
from reruns.experiment import fixed
from reruns.page import forest, opening, tables, verdict_tables

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
PARTS = yaml.safe_load((BOOK / "_toc.yml").read_text())["parts"]
PAGES = [entry["file"] for part in PARTS for entry in part["chapters"]]


def test_the_contents_the_first_page_the_makefile_and_the_records_name_the_same_chapters():
    judged = [page for page in PAGES if "judged(" in (BOOK / f"{page}.md").read_text()]
    assert judged == re.findall(r"^:doc: (\w+)\.md$", (BOOK / "intro.md").read_text(), re.MULTILINE)
    assert [page for page in judged if page not in chapters.UNRECORDED] == list(chapters.NAMES)
    assert [page for page in judged if page in chapters.UNRECORDED] == list(chapters.UNRECORDED)
    recorded = re.search(r"^CHAPTERS = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    # The benchmark wants a quiet machine and has a target of its own.
    assert recorded == [name for name in chapters.NAMES if name != "cost"]
    recorded = {path.stem for path in results.RESULTS.glob("*.jsonl")}
    assert set(chapters.NAMES) <= recorded <= {*chapters.NAMES, *chapters.BEGUN}


def test_a_chapter_that_is_being_recorded_has_a_plan_and_is_not_in_the_book_yet():
    assert not set(chapters.BEGUN) & {*chapters.NAMES, *chapters.UNRECORDED, *PAGES}
    assert all(plans.path_of(name).exists() for name in chapters.BEGUN)


@pytest.mark.parametrize("name", chapters.NAMES)
def test_a_page_opens_its_own_chapter(name):
    assert f'page.open("{name}")' in (BOOK / f"{name}.md").read_text()
    assert chapters.find(name).name == name


@pytest.mark.parametrize("name", [*chapters.NAMES, *chapters.BEGUN])
def test_a_page_tells_each_value_once_and_none_under_a_name_of_its_configuration(name):
    cells = re.findall(
        r"^```\{code-cell\} ipython3\n(.*?)^```$", (BOOK / f"{name}.md").read_text(), re.DOTALL | re.MULTILINE
    )
    code = "\n".join(
        re.sub(r"\A(---\n.*?^---\n|(:.*\n)+)|^%.*$", "", cell, flags=re.DOTALL | re.MULTILINE) for cell in cells
    )
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    told = [word.arg for call in calls if ast.unparse(call.func) == "page.tell" for word in call.keywords if word.arg]
    config = [field.name for field in dataclasses.fields(chapters.find(name).paper.config)]
    told += [*config, *(f"live_{field}" for field in config), "seeds", "live_seeds"]
    assert [word for word in told if told.count(word) > 1] == []


def test_every_claim_has_a_name_of_its_own():
    ids = [claim.id for name in (*chapters.NAMES, *chapters.BEGUN) for claim in chapters.find(name).claims]
    ids += [claim.id for name in chapters.UNRECORDED for claim in unrecorded(name).CLAIMS]
    assert len(set(ids)) == len(ids)


def unrecorded(name):
    return importlib.import_module(f"reruns.chapters.{name}")


@pytest.mark.parametrize("name", chapters.UNRECORDED)
def test_a_page_without_a_record_judges_all_that_it_claims_and_leaves_nothing_to_seeds(name):
    assert all(claim.kind is claims.Kind.IDENTITY for claim in unrecorded(name).CLAIMS)
    text = (BOOK / f"{name}.md").read_text()
    assert f'verdict_tables.judged(judgements, "{name}")' in text
    assert re.search(r"claims\.refuse_incomplete\(\w+\.CLAIMS, judgements\)", text)


@pytest.mark.parametrize("name", chapters.NAMES)
def test_the_recorded_claims_are_all_judged_and_only_identities_are_left_to_the_page(name):
    chapter = chapters.find(name)
    judged = {judgement.claim for judgement in plans.judged(chapter, results.of_chapter(name))}
    assert judged == set(plans.recorded_claims(chapter))


RECORDS = sorted(path.stem for path in results.RESULTS.glob("*.jsonl"))


@pytest.mark.parametrize("name", [*chapters.NAMES, *chapters.BEGUN])
def test_a_chapter_keeps_to_its_plan(name):
    assert plans.fault(chapters.find(name)) == ""


@pytest.mark.parametrize("name", RECORDS)
def test_the_plan_stood_in_the_commit_of_every_row_that_names_it(name):
    for row in results.of_chapter(name).rows:
        if planned := row["origin"].get("plan"):
            path = plans.path_of(name).relative_to(results.ROOT)
            content = origin.git("show", f"{row['origin']['commit']}:{path}")
            if content == "unknown":
                pytest.skip("the history of the project is not here")
            assert plans.digest(f"{content}\n".encode()) == planned


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_of_the_chapters_configuration_and_of_committed_code(name):
    chapter, recorded = chapters.find(name), results.of_chapter(name)
    assert recorded.config == fixed(chapter.paper.config)
    assert not any(row["origin"]["dirty"] for row in recorded.rows)
    trials = [results.key({"seed": 0, "factors": trial}) for trial in chapter.trials(chapter.paper.config)]
    assert {results.key({"seed": 0, "factors": row["factors"]}) for row in recorded.rows} <= set(trials)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        *(
            (name, "MNIST")
            for name in ("rectifiers", "boltzmann", "elu", "initialisation", "sparsity", "maxout", "serving")
        ),
        ("six_times_faster", "CIFAR-10"),
        ("prelu", "CIFAR-10"),
        ("leaky_family", "CIFAR-10"),
        ("elu_convnet", "CIFAR-10"),
        ("crelu", "CIFAR-10"),
    ],
)
def test_a_record_is_whole_and_on_the_real_data(name, of):
    chapter, recorded = chapters.find(name), results.of_chapter(name)
    assert len(recorded.rows) == len(chapter.paper.seeds) * len(chapter.trials(chapter.paper.config))
    assert (recorded.data["name"], recorded.data["stands_in_for"]) == (of, None)


def test_a_judgement_too_many_or_too_few_is_refused():
    one, other = rectification.UNTOUCHED, rectification.LOST
    claims.refuse_incomplete((one, other), [claims.holds(other, True, ""), claims.holds(one, True, "")])
    for judged in ([one], [one, one, other], [one, rectification.MADE]):
        with pytest.raises(ValueError, match="Expected one judgement on each of P-1, P-4. Received: P-1"):
            claims.refuse_incomplete((one, other), [claims.holds(claim, True, "") for claim in judged])


@dataclasses.dataclass(frozen=True)
class Doubling:
    factors: tuple[int, ...] = experiment.levels(1, 2)
    number: int = 3


def test_a_reader_changes_values_seeds_and_levels_of_the_live_run():
    doubling = experiment.Experiment(
        name="doubling",
        live=experiment.Scale(Doubling(), range(1)),
        paper=experiment.Scale(Doubling(), range(5)),
        data=lambda config: {},
        trials=lambda config: experiment.grid(factor=config.factors),
        trial=lambda config, seed, factor: {"product": factor * config.number + seed},
    )
    chapter = opening.Chapter(doubling, recorded=None)
    changed = chapter.changed(number=5, factors=(4,), seeds=range(2, 4)).run_live()
    np.testing.assert_array_equal(changed.of("product", factor=4), [22, 23])
    # The chapter itself stays as it was.
    np.testing.assert_array_equal(chapter.run_live(factor=2).of("product"), [6])
    with pytest.raises(ValueError, match="Expected `seeds` or values of factors, number. Received: numbr"):
        chapter.changed(numbr=5)
    live = chapter.run_live()
    told = chapter.to_change(live, {"number": 5}, {"factors": (4,), "seeds": range(2, 4)}).text
    for line in re.findall(r"^live = (.*)$", told, re.MULTILINE):
        assert eval(line, {"chapter": chapter}).rows != live.rows
    assert len(re.findall("^live = ", told, re.MULTILINE)) == 2
    with pytest.raises(ValueError, match="Received: numbr"):
        chapter.to_change(live, {"numbr": 5})
    assert "live run took 7 s" in chapter.to_change(7.1, {"number": 5}, run="live_config").text


def test_a_configuration_s_values_are_told_as_prose_has_them():
    values = (5000, 0.0005, (500, 30), None, "He", ("a", "b"))
    assert [opening.shown(value) for value in values] == ["5,000", "0.0005", "500, 30", "all", "He", "a, b"]


def test_a_table_shows_mean_and_half_an_interval_or_says_that_a_run_diverged():
    # Student's t at 95 % with one degree of freedom is 6.314; the standard error of 1 and 3 is 1.
    assert tables.plus_minus([1.0, 3.0]) == "2.00 ± 6.31"
    assert tables.plus_minus([1.5], digits=1, sign="+") == "+1.5"
    assert [tables.plus_minus(values) for values in ([-0.001], [-0.001, 0.0005])] == ["0.00", "0.00 ± 0.00"]
    assert tables.plus_minus([1.0, np.nan]) == tables.plus_minus([1.0, None]) == "diverged"
    assert tables.table(["a", "b"], [[1, "x"]]).data == "| a | b |\n| --- | --- |\n| 1 | x |"


def test_the_first_page_keeps_claims_of_which_no_number_is_known_and_counts_them():
    known, lost = (claims.Claim(name, "it is so", "L > 0", "Somebody 2001, page 3") for name in ("X-1", "X-2"))
    judgements = [
        claims.by_evidence(known, verdicts.paired([1.0, 2.0, 3.0])),
        claims.Judgement(lost, claims.Verdict.INCONCLUSIVE, "in 1 of 3 pairs a run diverged"),
    ]
    first, second = verdict_tables.overview(judgements).data.splitlines()[2:]
    # t = 2 / (1 / sqrt(3)) with two degrees, one-sided, twice for two claims.
    assert f"| {2 * stats.t.sf(2 * 3**0.5, 2):.2g} | confirmed |" in first
    assert "in 1 of 3 pairs a run diverged |  |  | 1 | inconclusive |" in second


def test_what_keeps_claims_from_being_comparable_is_told_once_below_their_table(monkeypatch):
    monkeypatch.setattr(verdict_tables, "glue", lambda *arguments, **options: None)
    unlike = {"X-1": "fewer units", "X-2": "", "X-3": "other data", "X-4": "fewer units"}
    judgements = [
        claims.holds(claims.Claim(name, "it is so", "by sight", "Somebody 2001", unlike=of), True, "seen")
        for name, of in unlike.items()
    ]
    for shown in (verdict_tables.judged(judgements, "rectification"), verdict_tables.overview(judgements)):
        rows, *notes = shown.data.split("\n\n")
        marks = [re.findall(r"; note (\d)", row) for row in rows.splitlines()[2:]]
        assert marks == [["1"], [], ["2"], ["1"]]
        assert notes == ["*Note 1.* Not comparable: fewer units.", "*Note 2.* Not comparable: other data."]


def test_a_ratio_below_one_is_drawn_on_the_left_of_no_effect():
    claim = claims.Claim("K-1", "it is faster", "L > 2", "Somebody 2001", claims.Rule.RATIO, margin=2.0)
    drawn = []
    for slower in ([5.0, 5.0, 5.1], [20.0, 20.0, 20.1]):
        evidence = verdicts.ratio(slower, [10.0] * 3, cap=100, least=2.0, refuted_below=1.5)
        line = forest.drawn([claims.by_evidence(claim, evidence)]).axes[0].lines[2]
        drawn.append(line.get_xdata()[0])
    # Over the margin's logarithm, the largest number of the first row.
    np.testing.assert_allclose(drawn, [-1.0, 1.0], atol=0.05)


def test_published_and_ours_stand_side_by_side():
    published, ours = {"ELU": 33.82, "PReLU": 33.8}, {"ELU": [1.0, 3.0], "ReLU": "none", "PReLU": [1.5]}
    shown = tables.compared(["ELU", "PReLU", "ReLU"], {"error": (published, ours), "loss": ({"ELU": 7}, {})}).data
    # A paper's column without a number is left out, and its last zeros are not.
    assert shown.splitlines()[0] == "| quantity | ELU, paper | ELU, ours | PReLU, paper | PReLU, ours | ReLU, ours |"
    assert shown.splitlines()[2] == "| error | 33.82 | 2.00 ±\N{NO-BREAK SPACE}6.31 | 33.80 | 1.50 | none |"
    assert shown.splitlines()[3] == "| loss | 7 |  |  |  |  |"
    # Words of a paper's say nothing of decimals, nor do its numbers of ours.
    words = tables.compared(["a", "b"], {"share": ({"a": "0.5 to 0.75", "b": 33.8}, {"a": 0.4})}).data
    assert words.splitlines()[2] == "| share | 0.5 to 0.75 | 0.40 | 33.8 |  |"


def test_what_a_rerun_costs_is_told_in_minutes_and_by_trial():
    shared = {"factors": {}, "metrics": {}, "config": {}, "data": {}}
    rows = [
        {"seed": seed, "seconds": seconds, "origin": {"threads": 2} if seed else {}, **shared}
        for seed, seconds in enumerate((30.0, 60.0, 210.0))
    ]
    shown = tables.costs({"elu": results.Results(rows)}).data.splitlines()[2]
    assert shown == "| [elu](elu.md) | 3 | 3 | 2 or one a core | 5 | 60 | 210 |"


def test_the_time_of_a_trial_is_a_mean_by_the_factors_that_are_asked_and_in_times_of_the_shortest():
    shared = {"metrics": {"error": 1.0}, "config": {}, "data": {}, "origin": {}}
    factors = {
        "a": {"part": "one", "unit": "ELU"},
        "b": {"part": "one", "unit": "ReLU"},
        "c": {"part": "other", "images": 5000},
    }
    taken = {"a": (30.0, 50.0), "b": (20.0, 20.0), "c": (100.0, 200.0)}
    rows = [
        {"seed": seed, "factors": factors[name], "seconds": seconds, **shared}
        for name, of_seeds in taken.items()
        for seed, seconds in enumerate(of_seeds)
    ]
    recorded = results.Results(rows)
    assert tables.seconds(recorded, "unit", "images").data.splitlines()[2:] == [
        *("| ELU |  | 40 | 2.00 |", "| ReLU |  | 20 | 1.00 |", "|  | 5000 | 150 | 7.50 |")
    ]
    assert tables.seconds(recorded, "part").data.splitlines()[2:] == ["| one | 30 | 1.00 |", "| other | 150 | 5.00 |"]


def test_times_stand_by_their_levels_whichever_trials_ended_first():
    shared = {"seed": 0, "seconds": 10.0, "metrics": {"error": 1.0}, "config": {}, "data": {}, "origin": {}}
    ended = [("ELU", "2"), ("ELU", "many"), ("ELU", "1"), ("ReLU", "2"), ("ReLU", "1"), ("ReLU", None)]
    rows = [{"factors": {"unit": unit, "layers": layers}, **shared} for unit, layers in ended]
    lost = {**rows[0], "seed": 1, "seconds": 1.0, "metrics": {"error": None}}
    recorded = results.Results([*rows, lost])
    shown = [row.split(" | ")[:2] for row in tables.seconds(recorded, "unit", "layers").data.splitlines()[2:]]
    assert shown == [
        ["| ELU", "1"],
        ["| ELU", "2"],
        ["| ELU", "many"],
        ["| ReLU", "1"],
        ["| ReLU", "2"],
        ["| ReLU", "None"],
    ]
    # Diverged, and so ended sooner.
    assert {row.split(" | ")[2] for row in tables.seconds(recorded, "unit", "layers").data.splitlines()[2:]} == {"10"}


@pytest.mark.parametrize(("stands_in_for", "kind"), [(None, "note"), ("MNIST", "warning")])
def test_a_page_warns_of_a_stand_in(stands_in_for, kind):
    sizes = {"train": 3, "validation": 1, "test": 1}
    record = {"name": "d", "version": "1", "stands_in_for": stands_in_for, "sizes": sizes, "preprocessing": "none"}
    note = tables.ran_on(record)
    assert note._repr_markdown_().startswith(f":::{{{kind}}}\n")
    assert note._repr_html_().startswith(f"<blockquote><p><strong>{kind.capitalize()}</strong></p>")
    assert ("<strong>Stand-in.</strong>" in note._repr_html_()) == (kind == "warning")


def test_provenance_tells_every_version_of_a_chapter_that_was_recorded_in_two_sittings():
    sizes = {"train": 3, "validation": 1, "test": 1}
    record = {"name": "MNIST", "version": "1", "stands_in_for": None, "sizes": sizes, "preprocessing": "none"}
    origin = {"commit": 40 * "a", "dirty": False, "backend": "tensorflow", "device": "CPU"}
    rows = [
        {
            "seed": seed,
            "factors": {"unit": unit},
            "metrics": {"loss": None if unit == "ELU" else 1.0},
            "seconds": 30.0,
            "config": {"epochs": 5},
            "data": record,
            "origin": {**origin, "versions": {"keras": version}},
        }
        for seed, version in enumerate(("3.15.0", "3.15.1"))
        for unit in ("ELU", "ReLU")
    ]
    shown = tables.provenance(results.Results(rows), "under its plan").data
    for part in (
        *("keras 3.15.0 or 3.15.1", "MNIST", "| 2 min |", "| 0, 1 |", "aaaaaaaaaaaa |", "epochs = 5"),
        *("| plan | under its plan |", "| unit | ELU, ReLU |", "| 4, of which 2 diverged |"),
    ):
        assert part in shown


# How prose tells a verdict, and what it then has to be.
TOLD = {
    r"refutes ([A-Z]+-\d\w*)": "refuted",
    r"confirms ([A-Z]+-\d\w*)": "confirmed",
    r"leaves ([A-Z]+-\d\w*) open": "inconclusive",
    r"([A-Z]+-\d\w*)\)? (?:is|stays) (?:\w+ )?open": "inconclusive",
    r"([A-Z]+-\d\w*)\)? is refuted": "refuted",
    r"([A-Z]+-\d\w*)\)? is confirmed": "confirmed",
}


def told_verdicts(text):
    return [(name, verdict) for words, verdict in TOLD.items() for name in re.findall(words, " ".join(text.split()))]


def test_a_verdict_in_prose_is_seen():
    text = "That refutes M-4 and leaves X-5 open. X-3 is still\nopen; that the first is largest (H-6) is refuted."
    assert sorted(told_verdicts(text)) == [
        ("H-6", "refuted"),
        ("M-4", "refuted"),
        ("X-3", "inconclusive"),
        ("X-5", "inconclusive"),
    ]


@pytest.mark.parametrize("name", chapters.NAMES)
def test_prose_tells_of_a_claim_what_the_record_says(name):
    chapter = chapters.find(name)
    found = {j.claim.id: j.verdict.value for j in plans.judged(chapter, results.of_chapter(name))}
    told = told_verdicts((BOOK / f"{name}.md").read_text())
    assert [(claim, verdict) for claim, verdict in told if found.get(claim, verdict) != verdict] == []
