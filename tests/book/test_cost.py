"""Does the benchmark measure what it says, are its peers the same functions, and is its record whole?"""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reruns import results
from reruns.chapters import cost
from reruns.chapters.cost import limits, parts, passes, peers, shown, steps, timing

BOOK = Path(__file__).parents[2] / "book"


class Clock:
    """A clock that stands still but for what is run."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def case(self, seconds, moved, calls=1):
        def run():
            self.now += seconds

        return timing.Case(run, moved, calls)


def test_a_time_is_a_ratio_to_the_bytes_over_the_bandwidth_of_the_copy(monkeypatch):
    clock = Clock(monkeypatch)
    # The copy moves 100 bytes a second, so the floor of 250 bytes is 2.5 seconds.
    cases = {"once": clock.case(5.0, 250), "many calls": clock.case(10.0, 250, calls=20)}
    found = timing.in_turns(cases, clock.case(2.0, 200), rounds=4, patience=1e9, label="")
    assert {name: row["over_floor"] for name, row in found.items()} == {"once": 2.0, "many calls": 4.0}
    assert found["once"]["milliseconds"] == 5000
    assert timing.bandwidth(clock.case(2.0, 200), 3) == 100


def test_each_ratio_is_to_the_copies_of_its_own_round(monkeypatch):
    clock = Clock(monkeypatch)
    # Rounds at paces 1, 10 and 100: against all the copies together the case would come out at 1, not at 2.
    copies, own = iter([1, 1, 1, 10, 10, 100, 100]), iter([1, 3 * 1, 1 * 10, 2 * 100])

    def taking(seconds):
        def run():
            clock.now += next(seconds)

        return timing.Case(run, 100)

    found = timing.in_turns({"one": taking(own)}, taking(copies), rounds=3, patience=1e9, label="")
    assert found["one"]["over_floor"] == 2
    assert found["one"]["milliseconds"] == 10_000


def test_a_slow_case_leaves_after_three_rounds(monkeypatch):
    clock = Clock(monkeypatch)
    cases = {"slow": clock.case(100.0, 1), "fast": clock.case(0.1, 1)}
    found = timing.in_turns(cases, clock.case(1.0, 1), rounds=9, patience=3.0, label="")
    assert (found["slow"]["rounds"], found["fast"]["rounds"]) == (3, 9)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the peak of a process")
def test_the_peak_counts_what_was_held_at_once_and_freed_again():
    def run():
        for _ in range(3):
            np.ones(8_000_000).sum()  # 64 MB, freed in each turn

    assert 60e6 < timing.peak_bytes(run) < 90e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the peak of a process")
def test_the_peak_counts_what_a_process_keeps_that_was_held_before():
    """A process that keeps its free memory does not grow at the second run, and holds as much all the same."""
    code = (
        "import numpy as np; from reruns.chapters.cost import timing\n"
        "run = lambda: np.ones(8_000_000).sum()\n"
        "run(); print(timing.peak_bytes(run))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **timing.KEEPING},
        cwd=BOOK,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 60e6 < int(ran.stdout) < 90e6


SHAPE = (2, 4, 4, 6)


def of(function, arguments):
    y, gradients = function(*arguments)
    return np.asarray(y), np.asarray(gradients[0])


def others(unit):
    yield of(*passes.of_layer(peers.KERAS[unit](), SHAPE, "float32", True))
    name, native = peers.framework()
    assert name == "tf.nn"
    if unit in native:
        yield of(*passes.of_function(native[unit], SHAPE, "float32", True))


@pytest.mark.parametrize("unit", ["ELU", "CReLU", "Maxout", "ScaledSoftplus", "SignFlip"])
def test_the_peers_are_the_same_functions_with_the_same_gradients(unit):
    y, gradient = of(*passes.of_layer(peers.OURS[unit](), SHAPE, "float32", True))
    for other_y, other_gradient in others(unit):
        np.testing.assert_allclose(other_y, y, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(other_gradient, gradient, rtol=1e-5, atol=1e-6)


def test_the_peers_that_draw_noise_draw_it_alike():
    x = np.full((100, 8, 8, 8), -1.0, "float32")
    for unit, statistic in (("RReLU", lambda y: y.mean()), ("NReLU", lambda y: (y > 0).mean())):
        ours, theirs = peers.OURS[unit]()(x, training=True), peers.KERAS[unit]()(x)
        assert abs(statistic(np.asarray(ours)) - statistic(np.asarray(theirs))) < 0.01


@pytest.mark.parametrize("unit", ["ELU", "PReLU", "CReLU", "Maxout", "ScaledSoftplus"])
def test_pytorchs_functions_are_the_same(unit):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal(SHAPE, dtype="float32")
    y = peers.pytorch()[unit](torch.from_numpy(np.moveaxis(x, -1, 1).copy()), torch.full((SHAPE[-1],), 0.25))
    np.testing.assert_allclose(np.moveaxis(y.numpy(), 1, -1), peers.OURS[unit]()(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_a_timed_pass_returns_the_gradients_of_the_weights_too(mode):
    function, arguments = passes.of_layer(peers.OURS["PReLU"](), SHAPE, "float32", True)
    y, (of_x, of_slope) = passes.waited(passes.compiled(function, mode), *arguments)()
    x, g = map(np.asarray, arguments[:2])
    np.testing.assert_allclose(of_slope[0, 0], (g * np.minimum(x, 0)).sum((0, 1, 2)), rtol=1e-5, atol=1e-5)
    assert y.shape == of_x.shape == SHAPE


@pytest.mark.parametrize("mode", ["auto", "xla"])
def test_a_step_of_a_network_trains_it(mode):
    model = steps.deep(steps.ours()["NReLU"])
    before = [weight.numpy() for weight in model.trainable_variables]
    steps.step_of(model, 4, mode)()
    assert all((w.numpy() != b).any() for w, b in zip(model.trainable_variables, before, strict=True) if w.ndim == 2)


TINY = """
import dataclasses, json, sys
sys.path.insert(0, sys.argv[1])
import reruns
from reruns.chapters.cost import machines, parts, peers, shown, unit_times
from reruns.chapters.cost.timing import Config

on_jax = sys.argv[2] == "jax"
for makers in (peers.OURS, peers.KERAS):
    for unit in set(makers) - ({"PReLU"} if on_jax else {"PReLU", "NReLU"}):
        del makers[unit]
tiny = Config((4, 4, 4, 8), (2, 4, 4, 8), (8, 16, 4, 5), (2, 4, 4, 8), (1, 2), rounds=3, patience=0.1)
tiny = dataclasses.replace(tiny, sizes=((2, 4, 4, 8),), lengths=2, trials=2)
more = [parts.fresh, parts.maxout_dense, parts.every_size, parts.kept]
machines.IMAGES, machines.WIDTHS = 400, (20, 3)
if on_jax:
    for setting in ("forward", "bfloat16"):
        del unit_times.SETTINGS[setting]
else:
    from reruns.chapters.cost import sizes, stacks

    sizes.KEPT, stacks.UNITS = sizes.KEPT[:1], ("PReLU",)
measured = [parts.units, parts.memory, parts.boltzmann] + more * (not on_jax)
found = {part.__name__: part(tiny) for part in measured}
assert Config.from_json(tiny.as_json()) == tiny
json.dumps(found)
for row in found["units"]["rows"]:
    assert row["over_floor"] > 0 and row["milliseconds"] > 0, row
if "fresh" in found:
    assert {row["mode"] for row in found["fresh"]["rows"]} == {"graph"}
    assert {row["by"] for row in found["maxout_dense"]} == {"ours", "keras"}
assert shown.table(found["units"]["rows"][:1], "over_floor")[0][0] == "unit"
if "every_size" in found:
    assert {row["setting"] for row in found["every_size"]} > {"step", "step under XLA"}
    assert all(row["over_nearest"] > 0 for row in found["every_size"])
    assert {row["by"] for row in found["kept"]} == {"ours", "keras"}
by = [(row["by"], row["mode"]) for row in found["boltzmann"]]
assert by[:2] == [("ours", "fit"), ("ours", "fit, 20 steps a call")] and by[-1] == ("scikit-learn", "fit"), by
assert by[2:-1] == ([] if on_jax else [("by hand", "graph"), ("by hand", "xla")]), by
assert found["boltzmann"][0]["ours_over_it"] == 1, found["boltzmann"]
assert all(row["processor_seconds"] > 0 and row["ours_over_it"] > 0 for row in found["boltzmann"])
print(len(found), "parts")
"""


@pytest.mark.parametrize(("backend", "parts"), [("tensorflow", 7), ("jax", 3)])
def test_every_part_runs_on_small_tensors(backend, parts):
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", TINY, str(BOOK), backend]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"{parts} parts" in result.stdout


def test_a_limit_is_met_or_missed_as_it_was_measured():
    def row(unit, by, mode, value):
        return {"setting": "forward and backward", "unit": unit, "by": by, "mode": mode, "over_floor": value}

    rows = [row("ELU", "ours", "graph", 1.5), row("ELU", "ours", "xla", 1.2), row("ELU", "torch", "eager", 1.4)]
    # Of the last one the process did not grow: it tells nothing.
    kept = [
        {"unit": unit, "by": by, "mode": "graph", "tensors_a_unit": value, "peak_tensors": peak}
        for unit, by, value, peak in (("ELU", "ours", 1.05, 21), ("ELU", "keras", 0.9, 19), ("PReLU", "ours", 0.0, 0.0))
    ]
    metrics = {
        "tensorflow": {"rows": rows},
        "memory_tensorflow": kept,
        "every_size": [
            {"unit": unit, "setting": setting, "size": [8, 128], "over_nearest": ratio, "more_milliseconds": more}
            for unit, setting, ratio, more in (
                ("ELU", "step", 1.2, 9.0),
                ("RReLU", "step", 9.0, 0.09),
                ("NReLU", "eager inference", 1.05, 9.0),
            )
        ],
        "maxout_dense": [{"by": "ours", "mode": "xla", "over_products": 1.05}],
        "networks": {
            "over_relu": [{"network": "convnet", "mode": "auto", "by": "ours", "unit": "NReLU", "over_relu": 1.2}]
        },
        "boltzmann_jax": [
            {"by": by, "mode": "fit", "processor_seconds": 9.0, "ours_over_it": ratio}
            for by, ratio in (("ours", 1.0), ("scikit-learn", 0.4))
        ],
    }
    found = [(line.what, line.measure, line.limit, line.value <= line.limit) for line in limits.lines(metrics)]
    peer = "time over floor, beside the best peer"
    assert found == [
        ("ELU, tensorflow, graph", "time over floor", 1.6, True),
        ("ELU, tensorflow, graph", peer, 1.4, False),
        ("ELU, tensorflow, xla", "time over floor", 1.1, False),
        ("ELU, tensorflow, xla", peer, 1.4, True),
        ("ELU, tensorflow, graph", "tensors a unit", 1.0, False),
        ("ELU, step, 8x128", "time over Keras's nearest", 1.1, False),
        ("RReLU, step, 8x128", "ms more a pass than Keras's nearest", 0.05, True),
        ("NReLU, eager inference, 8x128", "time over Keras's nearest", 1.1, True),
        ("MaxoutDense, xla", "time over its products", 1.1, True),
        ("convnet with NReLU", "step over ReLU's", 1.15, False),
        ("contrastive divergence, jax, over scikit-learn, fit", "processor seconds of an epoch", 1.0, True),
    ]
    assert {line.measure for line in limits.lines(metrics) if line.linear} == {
        "tensors a unit",
        "ms more a pass than Keras's nearest",
    }


def test_a_part_is_measured_in_a_process_whose_origin_it_returns(monkeypatch, tmp_path):
    monkeypatch.setitem(parts.PARTS, "quick", parts.Part(lambda config: [config.rounds], "tensorflow"))
    monkeypatch.setattr("sys.argv", ["parts", "quick", "--into", str(tmp_path / "found.json")])
    monkeypatch.setattr("sys.stdin", io.StringIO(timing.Config(rounds=7).as_json()))
    parts.main()
    measured = json.loads((tmp_path / "found.json").read_text())
    assert measured["found"] == [7]
    assert {"commit", "dirty", "backend", "device", "processor", "threads"} <= set(measured["origin"])
    monkeypatch.setattr(parts, "measured_apart", lambda name, config: measured)
    assert cost.trial(timing.Config(), 0, "quick") == {"rows": [7], "origin": measured["origin"]}


def test_the_recorded_benchmark_is_whole():
    recorded = results.of_chapter("cost")
    metrics = cost.metrics(recorded)
    # Where a backend is absent, so are its parts, and the page says so.
    backends = {part.backend for name, part in parts.PARTS.items() if name in metrics}
    assert [name for name, part in parts.PARTS.items() if part.backend in backends and name not in metrics] == []
    for backend in backends:
        rows = metrics[backend]["rows"]
        found = {(row["setting"], row["unit"], row["by"], row["mode"]) for row in rows}
        modes = ("eager", "graph", "xla") if backend == "tensorflow" else ("eager", "xla")
        settings = {row["setting"] for row in rows}
        assert {(s, u, "ours", m) for s in settings for u in peers.OURS for m in modes} <= found
        assert all(row["over_floor"] > 0 and row["rounds"] >= 3 for row in rows)
        assert metrics[backend]["copy_bytes_per_second"] > 1e8
    assert {line.claim for line in limits.lines(metrics)} == set(limits.CLAIMS)


def test_a_table_of_costs_has_no_minus_before_a_zero():
    row = {"unit": "RReLU", "by": "ours", "mode": "xla", "size": (10, 100), "tensors_a_unit": -0.001}
    assert shown.table([row], "tensors_a_unit") == (["unit", "ours, xla"], [["RReLU", "0.00"]])
    assert shown.by_size([row], "tensors_a_unit")[1][0][1] == "0.00"
