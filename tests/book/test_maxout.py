"""Do the verdicts of the chapter on maxout follow from its record, and are its networks and measures what they say?"""

import dataclasses
import json

import keras
import numpy as np
import pytest

import keras_rectifiers as kr
from reruns.chapters import maxout
from reruns.chapters.maxout import measures, networks
from reruns.claims import Verdict
from reruns.page import figures
from reruns.results import Results

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
TOO_SMALL = Verdict.TOO_SMALL
# Ten runs whose mean is 0 and whose spread is small, five a draw.
NOISE = 1e-3 * np.array([-1.2, -0.4, 0.1, 0.5, 1.0, 0.6, -0.9, 0.3, 0.4, -0.4])
PUBLISHED = {
    "validation": {"maxout": 1.04, "with 0": 1.2},
    "deep": {"maxout": 1.7, "with 0": 15.3},
    "zeros": {True: 60.0, False: 5.0},
    "unused": {"maxout": 0.1, "with 0": 28.0},
    "divergence": {"maxout": 0.02, "tanh": 0.04},
    "convnet": {"maxout": 12.6, "with 0": 14.1},
}


def recorded(**others):
    """Return a record of five seeds with the paper's numbers, or others, of which layers and depths differ."""
    of = {**PUBLISHED, **others}

    def metrics(trial, noise):
        unit, dropout = trial["unit"], trial.get("dropout")
        if trial["network"] == "convnet":
            return {"validation_error": of["convnet"].get(unit, 50.0) + noise}
        if trial["network"] == "deep":
            decides = trial["depth"] == maxout.DEEP["depth"] and dropout == maxout.DEEP["dropout"]
            return {"train_error": (of["deep"][unit] if decides else 50.0) + noise}
        found = {"validation_error": of["validation"].get(unit, 2.0) + noise}
        if unit != "tanh":
            found["unused"] = [of["unused"][unit] + noise - 0.1, of["unused"][unit] + noise + 0.1]
        if unit == "with 0":
            found["zeros"] = [of["zeros"][dropout] - 4 + noise, of["zeros"][dropout] + 4 + noise]
        return {**found, "divergences": [0.5, of["divergence"].get(unit, 0.5) + noise]} if dropout else found

    shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
    return Results(
        [
            {"seed": seed, "factors": trial, "metrics": metrics(trial, noise), **shared}
            for seed in range(5)
            for trial in maxout.trials(maxout.Config())
            for noise in [NOISE[seed + 5 * trial.get("draw", 0)] * (trial["unit"] == "maxout")]
        ]
    )


def found(**others):
    return {judgement.claim.id: judgement for judgement in maxout.judge(recorded(**others))}


def words(**others):
    return {name: judgement.verdict for name, judgement in found(**others).items()}


def test_what_the_paper_says_is_confirmed():
    assert set(words().values()) == {CONFIRMED}
    assert list(words()) == [claim.id for claim in maxout.EXPERIMENT.claims[3:]]


def test_its_contrary_is_refuted():
    swapped = {name: dict(zip(values, reversed(values.values()), strict=True)) for name, values in PUBLISHED.items()}
    assert set(words(**swapped).values()) == {REFUTED}


@pytest.mark.parametrize(
    ("others", "claim", "word"),
    [
        ({"validation": {"maxout": 1.0, "with 0": 1.04}}, "MX-4", TOO_SMALL),
        ({"deep": {"maxout": 1.0, "with 0": 1.9}}, "MX-5", TOO_SMALL),
        ({"deep": {"maxout": 1.0, "with 0": 2.1}}, "MX-5", CONFIRMED),
        ({"zeros": {True: 24.9, False: 5.0}}, "MX-6", REFUTED),
        ({"unused": {"maxout": 5.1, "with 0": 28.0}}, "MX-7", REFUTED),
        ({"unused": {"maxout": 4.9, "with 0": 4.9}}, "MX-7, with 0", INCONCLUSIVE),
        ({"divergence": {"maxout": 0.02, "tanh": 0.02}}, "MX-8", INCONCLUSIVE),
        ({"convnet": {"maxout": 12.0, "with 0": 12.6}}, "MX-9", TOO_SMALL),
        ({"convnet": {"maxout": 12.0, "with 0": np.nan}}, "MX-9", INCONCLUSIVE),
    ],
)
def test_bounds_ties_and_diverged_runs(others, claim, word):
    assert words(**others)[claim] is word


def test_both_draws_of_a_seed_count_where_there_are_two():
    judged = found()
    assert {name: judged[name].evidence.n for name in ("MX-4", "MX-6", "MX-7", "MX-8")} == {
        **{"MX-4": 10, "MX-6": 5},
        **{"MX-7": 10, "MX-8": 5},
    }


def test_the_networks_have_the_weights_of_the_papers_files():
    # 784 inputs, 240 units of 5 filters twice, 10 classes, and a bias for each filter and class.
    of_table_1 = (784 + 1) * 1200 + (240 + 1) * 1200 + (240 + 1) * 10
    for unit in ("maxout", "with 0"):
        assert networks.perceptron(unit, (240, 240), 5, 0, 0.005).count_params() == of_table_1
    assert networks.perceptron("tanh", (240, 240), 5, 0, 0.005).count_params() == 785 * 240 + 241 * 240 + 2410

    def of_convnet(units, filters):
        # An eighth of 96, 192 and 192 units, and 64 hidden ones; 32 pixels become 4.
        seen = [3, *(count * units for count in (12, 24, 24))]
        made = [count * filters for count in (12, 24, 24)]
        kernels = [side * side for side in (8, 8, 5)]
        of_convolutions = sum((k * i + 1) * o for k, i, o in zip(kernels, seen, made, strict=False))
        pieces = 5 if filters == 2 else 1
        hidden = 64 * (5 if units == 2 else 1)
        return of_convolutions + (16 * seen[-1] + 1) * 64 * pieces + (hidden + 1) * 10

    expected = {"maxout": (1, 2), "with 0": (1, 2), "rectifier": (1, 1), "large rectifier": (2, 2)}
    for unit, counts in expected.items():
        network = networks.convnet(unit, (12, 24, 24), 64, 0, 0.05, (32, 32, 3))
        assert network.count_params() == of_convnet(*counts), unit


def test_a_filter_is_bounded_and_dropout_stands_before_every_layer_of_weights():
    network = networks.convnet("maxout", (2, 3, 2), 4, 0, 9.0, (28, 28, 1))
    weights = [layer for layer in network.layers if layer.weights]
    bounds = []
    for layer in weights:
        bounded = np.asarray(layer.kernel_constraint(layer.kernel))
        bounds.append(np.linalg.norm(bounded.reshape(-1, bounded.shape[-1]), axis=0))
    for norms, bound in zip(bounds, (0.9, 1.9365, 1.9365, 1.9, 1.9365), strict=True):
        np.testing.assert_allclose(norms, bound, rtol=1e-5)
    rates = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    np.testing.assert_allclose(rates, [0.2, 0.5, 0.5, 0.5, 0.5])
    without = networks.perceptron("maxout", (3,), 2, 0, 0.1, dropout=False)
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in without.layers)


def test_layer_n_of_every_unit_draws_from_seed_1000_times_the_runs_plus_n():
    for unit in ("maxout", "with 0", "rectifier"):
        kernels = networks.perceptron(unit, (3, 3), 2, 7, 0.1).get_weights()[::2]
        for number, kernel in enumerate(kernels):
            drawn = keras.initializers.RandomUniform(-0.1, 0.1, seed=7000 + number)
            np.testing.assert_array_equal(kernel, drawn(kernel.shape))


def test_momentum_rises_by_a_straight_line():
    weight, velocity, expected = keras.Variable([2.0]), 0.0, 2.0
    optimizer = networks.RisingMomentum(0.1, (0.5, 0.7), updates=4)
    for momentum in (0.5, 0.55, 0.6, 0.65, 0.7, 0.7):
        gradient = 3 * expected
        optimizer.apply([keras.ops.convert_to_tensor([gradient], "float32")], [weight])
        velocity = momentum * velocity - 0.1 * gradient
        expected += velocity
        assert float(weight.numpy()[0]) == pytest.approx(expected, abs=1e-6)


# Two units of two filters each on one input: x, -x - 1; and 1 - 2x, -3. The last is never the largest for x < 2.
FILTERS = ([[1.0, -1.0, -2.0, 0.0]], [0.0, -1.0, 1.0, -3.0])
INPUTS = np.linspace(-0.9, 1.9, 8)[:, None].astype("float32")


@pytest.mark.parametrize(("rectified", "unused"), [(False, 25.0), (True, 50.0)])
def test_a_filter_is_unused_if_it_or_zero_is_never_the_largest(rectified, unused):
    layers = [keras.Input((1,)), keras.layers.Dense(4), kr.Maxout(2), *[keras.layers.ReLU()] * rectified]
    model = keras.Sequential([*layers, keras.layers.Dense(2)])
    model.layers[0].set_weights([np.array(part) for part in FILTERS])
    batches = [(INPUTS[:3], None), (INPUTS[3:], None)]
    assert measures.unused(model, batches) == [unused]
    if rectified:
        units = np.maximum(np.hstack([np.maximum(INPUTS, -INPUTS - 1), np.maximum(1 - 2 * INPUTS, -3)]), 0)
        assert measures.zeros(model, [(INPUTS[:4], None), (INPUTS[4:], None)]) == [100 * np.mean(units == 0)]


def test_an_average_is_the_geometric_mean_of_probabilities():
    def network():
        return networks.perceptron("maxout", (6, 5), 2, 3, 0.4)

    images = np.random.default_rng(0).random((20, 28, 28, 1)).astype("float32")
    labels = np.arange(20) % 10
    measured = measures.averages(network(), (images, labels), (1, 3))

    def probabilities(model, training):
        return np.asarray(keras.ops.softmax(model(images, training=training)), "float64")

    again = network()
    halved, drawn = probabilities(again, False), [probabilities(again, True) for _ in range(3)]
    for place, count in enumerate((1, 3)):
        mean = np.prod(drawn[:count], axis=0) ** (1 / count)
        mean /= mean.sum(axis=1, keepdims=True)
        divergence = np.mean(np.sum(halved * np.log(halved / mean), axis=1))
        assert measured["divergences"][place] == pytest.approx(divergence, rel=1e-4)
        assert measured["average_errors"][place] == pytest.approx(100 * np.mean(mean.argmax(1) != labels))
    assert measured["halved_error"] == pytest.approx(100 * np.mean(halved.argmax(1) != labels))
    assert measured["divergences"][0] > measured["divergences"][1] > 0


SMOKE = dataclasses.replace(
    maxout.Config(),
    **{"widths": (4, 3), "pieces": 2, "epochs": 1, "batch": 50, "train": 100, "masks": (1, 2), "measured_images": 50},
    **{"deep_width": 3, "deep_epochs": 1, "convolutions": (1, 1, 1), "hidden": 2, "convnet_epochs": 1},
    **{"convnet_train": 40, "convnet_batch": 20},
)
KEPT = {"train_loss", "train_error", "validation_error", "test_error"}
AVERAGES = {"divergences", "average_errors", "halved_error"}


@pytest.mark.parametrize(
    ("factors", "metrics"),
    [
        ({"network": "perceptron", "unit": "with 0", "dropout": True, "draw": 1}, {"unused", "zeros", *AVERAGES}),
        ({"network": "deep", "unit": "maxout", "dropout": False, "depth": 2}, set()),
        ({"network": "convnet", "unit": "large rectifier"}, {"weights"}),
    ],
)
def test_a_trial_returns_its_metrics(factors, metrics):
    assert factors in maxout.trials(SMOKE)
    result = maxout.trial(SMOKE, 0, **factors)
    assert set(result) == KEPT | metrics and len(result["train_loss"]) == 1
    assert all(np.isfinite(value).all() for value in result.values()) and json.dumps(result)


def test_a_prediction_is_held_against_averages_on_as_many_images_as_is_said(monkeypatch):
    seen = []
    monkeypatch.setattr(maxout.measures, "averages", lambda model, batch, masks: seen.append(len(batch[0])) or {})
    maxout.trial(SMOKE, 0, network="perceptron", unit="tanh", dropout=True, draw=1)
    assert seen == [50]


def test_curves_stand_at_the_places_that_they_are_given():
    axis = figures.seed_curves({"error": {"maxout": np.array([[3.0, 2.0], [5.0, 4.0]])}}, at=(4, 16)).axes[0]
    assert [list(line.get_xdata()) for line in axis.lines] == [[4, 16]] * 3
    assert list(axis.get_xticks()) == [4, 16] and list(axis.lines[-1].get_ydata()) == [4.0, 3.0]
