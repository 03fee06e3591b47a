"""Do the verdicts on ELU in a convnet follow from their records, and are network, medians and export what they say?"""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from reruns import exports, training
from reruns.chapters import elu_convnet
from reruns.chapters.elu_convnet import claimed, served
from reruns.chapters.elu_convnet.convnet import RECTIFIERS, Config, convnet
from reruns.chapters.elu_convnet.medians import Medians
from reruns.claims import Verdict
from reruns.data import pipelines
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = Config()
ERRORS = {"ELU": 50.0, "SReLU": 51.0, "LReLU": 52.0, "ReLU": 54.0, "ELU, BN": 50.0, "ReLU, BN": 52.0}
VARIANCES = {**dict.fromkeys(CONFIG.units, [0.1] * 10), "ReLU": [0.2] * 10}
# Five seeds whose mean is 0.
NOISE = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])


def record(errors=ERRORS, variances=VARIANCES, of_seed=lambda seed: {}):
    """Return five seeds of made-up trials; `of_seed` overrides the metrics of a unit by seed."""

    def row(seed, factors, metrics):
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": seed, "factors": factors, "metrics": metrics, **shared}

    def of_unit(seed, unit):
        sign = 1 if unit == "ReLU" else -1
        metrics = {"test_error": errors[unit] + sign * NOISE[seed], "median_variances": variances[unit]}
        return metrics | of_seed(seed).get(unit, {})

    rows = [row(s, {"part": "comparison", "unit": u}, of_unit(s, u)) for s in range(5) for u in CONFIG.units]
    accuracies = ((77.0, 79.0), (79.0, 77.0), (78.0, 80.0), (77.5, 78.0), (78.5, 78.5))
    names = ("validation_accuracy", "test_accuracy")
    rows += [row(s, {"part": "served"}, dict(zip(names, both, strict=True))) for s, both in enumerate(accuracies)]
    return Results(rows)


def words(results):
    return {judged.claim.id: judged.verdict for judged in claimed.judge(results)}


def test_what_the_paper_says_is_confirmed_and_its_contrary_refuted():
    assert list(words(record())) == [claim.id for claim in elu_convnet.EXPERIMENT.claims]
    assert set(words(record()).values()) == {CONFIRMED}
    errors = {"ELU": 54.0, "SReLU": 53.0, "LReLU": 52.0, "ReLU": 50.0, "ELU, BN": 52.0, "ReLU, BN": 51.0}
    assert set(words(record(errors, dict.fromkeys(CONFIG.units, [0.1] * 10))).values()) == {REFUTED}


def test_a_gain_below_a_point_is_too_small_and_a_tie_stays_open():
    found = words(record({**ERRORS, "ReLU": 50.9, "ReLU, BN": 49.9, "ELU, BN": 49.0}))
    assert found["E-5"] is TOO_SMALL
    assert found["E-6"] is INCONCLUSIVE


def test_one_pair_in_the_wrong_order_is_allowed_and_two_are_too_many():
    assert words(record({**ERRORS, "SReLU": 49.0}))["E-5, order"] is CONFIRMED
    assert words(record({**ERRORS, "SReLU": 53.0}))["E-5, order"] is CONFIRMED
    assert words(record({**ERRORS, "LReLU": 49.0}))["E-5, order"] is TOO_SMALL
    mixed = record({**ERRORS, "LReLU": 49.0}, of_seed=lambda seed: {"LReLU": {"test_error": 53.0}} if seed < 3 else {})
    # 1 in three seeds, 1/3 in two.
    np.testing.assert_allclose(claimed.taus([mixed.of("test_error", unit=u) for u in claimed.ORDER]).sum(), 3 + 2 / 3)
    assert words(mixed)["E-5, order"] is CONFIRMED


def test_tau_is_kendalls(rng):
    errors = rng.standard_normal((4, 30))
    expected = [stats.kendalltau(np.arange(4), of_seed).statistic for of_seed in errors.T]
    np.testing.assert_allclose(claimed.taus(list(errors)), expected, atol=1e-12)
    assert {round(tau * 3) for tau in expected} >= {-2, -1, 0, 1, 2}


@pytest.mark.parametrize(("larger", "word"), [(10, CONFIRMED), (9, CONFIRMED), (8, INCONCLUSIVE), (7, REFUTED)])
def test_medians_must_vary_more_in_most_layers(larger, word):
    of_relu = [0.2] * larger + [0.1] * (10 - larger)  # an equal one is not larger
    assert words(record(variances={**VARIANCES, "ReLU": of_relu}))["E-7"] is word


def test_a_run_that_diverged_decides_nothing_and_is_not_served():
    lost = record(of_seed=lambda seed: {"ELU": {"test_error": None}} if seed == 3 else {})
    assert {judged.found for judged in claimed.judge(lost)} == {"in 1 of 5 pairs a run diverged"}
    assert set(words(lost).values()) == {INCONCLUSIVE}
    assert served.best(record()) == 1
    rows = [dict(row) for row in record().rows]
    for row in rows:
        if row["factors"]["part"] == "served" and row["seed"] == 1:
            row["metrics"] = {"validation_accuracy": 99.0, "test_accuracy": None}
    assert served.best(Results(rows)) == 4


# By the paper's stacks, layers x units x field: [1x192x5], [1x192x1, 1x240x3], [1x240x1, 1x260x2], [1x260x1, 1x280x2],
# [1x280x1, 1x300x2], [1x300x1], [1x100x1], with a quarter of the units and ten classes. Fields, inputs and outputs:
LAYERS = (
    *((25, 3, 192 // 4), (1, 48, 192 // 4), (9, 48, 240 // 4), (1, 60, 240 // 4), (4, 60, 260 // 4)),
    *((1, 65, 260 // 4), (4, 65, 280 // 4), (1, 70, 280 // 4), (4, 70, 300 // 4), (1, 75, 300 // 4), (1, 75, 10)),
)
WEIGHTS = sum((field * inputs + 1) * outputs for field, inputs, outputs in LAYERS)
CHANNELS = 48 + 48 + 60 + 60 + 65 + 65 + 70 + 70 + 75 + 75
# Half of the units from the third stack on.
WIDER = (
    *((25, 3, 48), (1, 48, 48), (9, 48, 60), (1, 60, 120), (4, 120, 130), (1, 130, 130), (4, 130, 140)),
    *((1, 140, 140), (4, 140, 150), (1, 150, 150), (1, 150, 10)),
)


@pytest.mark.parametrize("unit", ["ELU", "ELU, BN", "ReLU, BN"])
def test_the_networks_have_the_weights_and_the_penalties_of_the_papers_stacks(unit):
    model = convnet(CONFIG, unit, 0, (32, 32, 3))
    # Of each channel batch normalization learns two numbers and counts two.
    assert model.count_params() == WEIGHTS + 4 * CHANNELS * ("BN" in unit)
    kernels = [np.asarray(w.value, "float64") for w in model.trainable_variables if w.name == "kernel"]
    assert [(int(np.prod(k.shape[:-2])), *k.shape[-2:]) for k in kernels] == list(LAYERS)
    numbered = [place for place, layer in enumerate(model.layers) if layer.name.startswith("unit")]
    before = {type(model.layers[place - 1]).__name__ for place in numbered}
    assert len(numbered) == 10 and before == {"BatchNormalization" if "BN" in unit else "Conv2D"}
    # Its derivative is the rate times the weight.
    penalty = float(sum(model.losses))
    assert penalty == pytest.approx(5e-4 / 2 * sum(np.square(k).sum() for k in kernels), rel=1e-5)


def test_the_served_network_has_more_units_where_they_cost_little_and_gives_probabilities(rng):
    model = convnet(CONFIG, "ELU", 0, (32, 32, 3), served=True)
    assert model.count_params() == sum((field * inputs + 1) * outputs for field, inputs, outputs in WIDER)
    images = rng.uniform(size=(3, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(model(images)).sum(axis=1), 1, rtol=1e-5)
    rescaled = keras.Model(model.inputs[0], model.layers[0].output)(images)
    np.testing.assert_allclose(rescaled, 4 * images - 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("side", "channels", "third"), [(32, 3, 8), (28, 1, 7)])
def test_each_stack_but_the_last_is_pooled_and_ends_with_its_dropout(side, channels, third):
    model = convnet(CONFIG, "SReLU", 1, (side, side, channels))
    assert model.output_shape == (None, 10)
    found = [layer.output.shape[1] for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert found == [side, *2 * [side // 2], *2 * [third], 4, 4, 2, 2, 1]
    kinds = [type(layer).__name__ for layer in model.layers]
    pools = [place for place, kind in enumerate(kinds) if kind == "MaxPooling2D"]
    assert len(pools) == 5 and kinds[pools[0] - 1] == "Activation"
    before = [model.layers[place - 1] for place in pools[1:]]
    dropped = [*before, model.layers[kinds.index("Flatten") - 1]]
    assert [layer.rate for layer in dropped] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert len({layer.seed for layer in dropped}) == 5


def test_weights_are_hes_and_paired_between_units():
    kernels = {
        unit: [w.numpy() for w in convnet(CONFIG, unit, 3, (32, 32, 3)).weights if w.name == "kernel"]
        for unit in ("ELU", "SReLU", "ReLU, BN")
    }
    for of_layer in zip(*kernels.values(), strict=True):
        first, *others = of_layer
        fan_in, error = np.prod(first.shape[:-1]), 4 / np.sqrt(2 * first.size)
        assert first.std() == pytest.approx(np.sqrt(2 / fan_in), rel=error)
        for other in others:
            np.testing.assert_array_equal(first, other)
    first, second = (k.ravel()[:10] / k.std() for k in kernels["ELU"][3:7:3])
    assert not np.allclose(first, second, rtol=0.1)


FORMULAS = {
    "ELU": lambda x: np.where(x > 0, x, np.expm1(x)),
    "SReLU": lambda x: np.maximum(x, -1),
    "LReLU": lambda x: np.where(x > 0, x, 0.1 * x),
    "ReLU": lambda x: np.maximum(x, 0),
}


@pytest.mark.parametrize("unit", RECTIFIERS)
def test_each_unit_is_that_of_its_name(unit, rng):
    x = rng.standard_normal((8, 3)).astype("float32") * 2
    np.testing.assert_allclose(RECTIFIERS[unit]("unit1")(x), FORMULAS[unit](x), rtol=1e-5, atol=1e-6)


def test_the_medians_variances_are_those_of_numpy(rng):
    model = convnet(CONFIG, "ELU", 0, (28, 28, 1))
    images = rng.standard_normal((7, 28, 28, 1)).astype("float32")
    medians, by_epoch = Medians(model, images, batch=3), []
    for epoch in range(3):
        kernel = model.layers[0].kernel
        kernel.assign(kernel * 1.5)
        medians.on_epoch_end(epoch)
        y, of_layers = images, []
        for layer in model.layers[:-2]:
            y = np.asarray(layer(y, training=False))
            if layer.name.startswith("unit"):
                of_layers.append(np.median(y.astype("float64").mean(axis=(1, 2)), axis=0))
        by_epoch.append(of_layers)
    expected = [np.var(np.stack(of_layer), axis=0).mean() for of_layer in zip(*by_epoch, strict=True)]
    assert len(expected) == 10
    np.testing.assert_allclose(medians.variances(), expected, rtol=1e-3)


def test_the_last_fifth_of_the_epochs_runs_at_the_smaller_rate():
    assert CONFIG.epochs_at_full_rate == 0.8 * CONFIG.epochs


SMALL = dataclasses.replace(
    CONFIG, epochs=2, epochs_at_full_rate=1, train=128, measured_images=64, served_epochs=1, served_train=128
)


def _dozens(x, y):
    return x[:48], y[:48]


@pytest.fixture
def few(monkeypatch):
    """Validation and test images by the dozen."""
    whole = pipelines.cifar10

    def cifar10(*args, **kwargs):
        splits = whole(*args, **kwargs)
        unseen = {name: getattr(splits, name).take(1).map(_dozens) for name in ("validation", "test")}
        return splits._replace(**unseen)

    monkeypatch.setattr(pipelines, "cifar10", cifar10)


def test_a_small_trial_returns_what_the_record_holds(few):
    found = elu_convnet.trial(SMALL, seed=0, part="comparison", unit="ReLU, BN")
    assert {name: np.shape(value) for name, value in found.items()} == {
        "train_cross_entropy": (2,),
        "train_error": (),
        "test_error": (),
        "median_variances": (10,),
    }
    assert 0 <= found["test_error"] <= 100 and min(found["median_variances"]) > 0


def test_the_record_of_the_data_tells_of_both_parts():
    found = elu_convnet.data(dataclasses.replace(SMALL, served_train=256))
    assert found["sizes"]["train"] == 128
    standardized, unit = (pipelines.PIXELS[name][0] for name in ("standardized", "unit"))
    assert found["preprocessing"] == f"{standardized}; for the served network 256 images to train, {unit}"


def test_the_served_network_is_exported_without_what_mirrors_its_training_images(few, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "SAVEDMODELS", tmp_path / "savedmodels")
    fitted, fit = [], training.fit
    monkeypatch.setattr(training, "fit", lambda model, *args, **kw: (fitted.append(model), fit(model, *args, **kw))[1])
    path = elu_convnet.EXPERIMENT.export(SMALL, record())
    assert path == tmp_path / "savedmodels" / "cifar10"
    mirror, network = fitted[0].layers
    assert isinstance(mirror, keras.layers.RandomFlip) and mirror.mode == "horizontal"
    card = json.loads((path / "1" / "assets.extra" / "card.json").read_text())
    splits = pipelines.cifar10(1, 0, 1)
    assert (card["seed"], card["unit"], card["data"].get("caveat")) == (1, "ELU", splits.record.get("caveat"))
    assert len(card["class_names"]) == 10 and card["metric"]["cases"] == splits.record["sizes"]["test"]
    if splits.record["stands_in_for"] is None:
        assert (card["class_names"][0], card["class_names"][9]) == ("airplane", "truck")
        assert "JPEG" in card["data"]["caveat"]
    shape = list(splits.train.element_spec[0].shape[1:])
    assert card["signatures"]["preprocess"]["inputs"]["images"] == {"dtype": "uint8", "shape": [None, *shape]}
    loaded = tf.saved_model.load(path / "1")
    pixels = np.random.default_rng(0).integers(0, 256, (4, *shape)).astype("uint8")
    outputs = loaded.signatures["preprocess"](images=tf.constant(pixels))["probabilities"]
    np.testing.assert_allclose(outputs, network(pixels / np.float32(255)), atol=1e-5)
    # Both of the graph itself and of the functions that it calls.
    graphs = [signature.graph.as_graph_def() for signature in loaded.signatures.values()]
    nodes = [node for graph in graphs for part in (graph, *graph.library.function) for node in nodes_of(part)]
    assert nodes and not [node.op for node in nodes if "Random" in node.op]


def nodes_of(part):
    return part.node if hasattr(part, "node") else part.node_def
