"""Does the benchmark measure what it says, are its peers the same functions, and is its record whole?"""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow_only

if keras.backend.backend() == "tensorflow":
    sys.path.insert(0, str(Path(__file__).parents[1] / "book"))
    from reruns import passes, peers, records, steps, timing
    from reruns.experiments import cost


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


def test_a_drift_of_the_machine_cancels(monkeypatch):
    clock = Clock(monkeypatch)
    pace = iter(np.repeat(np.linspace(1, 9, 8), 3))

    def slower(seconds):
        def run():
            clock.now += seconds * next(pace, 1.0)

        return run

    cases = {"one": timing.Case(slower(3.0), 100)}
    found = timing.in_turns(cases, timing.Case(slower(1.0), 100), rounds=5, patience=1e9, label="")
    assert 2.5 < found["one"]["over_floor"] < 3.5


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


@pytest.mark.parametrize("unit", ["ELU", "CReLU", "Maxout", "ScaledSoftplus"])
def test_pytorchs_functions_are_the_same(unit):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal(SHAPE, dtype="float32")
    y = peers.pytorch()[unit](torch.from_numpy(np.moveaxis(x, -1, 1).copy()), torch.tensor([0.25]))
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


def test_a_new_measurement_replaces_the_old_record(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    for value in (1, 2):
        records.replace("cost", {"rounds": 3}, {"value": value}, 1.0)
    found = records.load("cost")
    assert found["runs"]["0"]["metrics"] == {"value": 2}
    assert {"processor", "system", "device", "commit"} <= set(found["runs"]["0"]["provenance"])


def test_the_recorded_benchmark_is_whole():
    run = records.load("cost")["runs"]["0"]
    metrics = run["metrics"]
    assert run["provenance"]["dirty"] is False
    assert [name for name, *_ in cost.PARTS if name not in metrics] == []
    for backend in ("tensorflow", "jax"):
        rows = metrics[backend]["rows"]
        found = {(row["setting"], row["unit"], row["by"], row["mode"]) for row in rows}
        modes = ("eager", "graph", "xla") if backend == "tensorflow" else ("eager", "xla")
        settings = {row["setting"] for row in rows}
        assert {(s, u, "ours", m) for s in settings for u in peers.OURS for m in modes} <= found
        assert all(row["over_floor"] > 0 and row["rounds"] >= 3 for row in rows)
        assert metrics[backend]["copy_bytes_per_second"] > 1e8
    assert all(header and lines for _, header, lines in cost.tables(metrics))
