"""Does the chapter on leaky slopes judge by its rules, and do its networks and its measures do what it says?

The records are made up, so that the verdict is known beforehand.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_rectifiers as kr
from reruns.chapters import leaky_family
from reruns.chapters.leaky_family import networks_in_networks as nins
from reruns.chapters.leaky_family import perceptrons
from reruns.claims import Rule, Verdict
from reruns.data import sources
from reruns.results import Results

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
TOO_SMALL = Verdict.TOO_SMALL
# Five seeds whose mean is 0 and whose spread is small: the half-width of their interval is about a thousandth.
NOISE = 1e-3 * np.array([-1.2, -0.4, 0.1, 0.5, 1.0])
SMOKE = leaky_family.Config(
    images=(256, 128), batch=128, perceptron_images=256, perceptron_epochs=1, width=8, narrower=24, epochs=1, draws=2
)

LOSSES = {"tanh": (0.34, 0.32, 0.30), "ReLU": (0.25, 0.23, 0.21), "LReLU 0.01": (0.251, 0.229, 0.21)}
ACTIVITY = {"tanh": (90.0, 14.0), "ReLU": (20.0, 4.0), "LReLU 0.01": (20.0, 4.0)}
TEST = {"ReLU": 60.0, "LReLU 0.01": 60.2, "LReLU 1/5.5": 58.0, "PReLU": 59.0, "RReLU": 57.0}
TRAIN = {"ReLU": 40.0, "LReLU 0.01": 40.0, "LReLU 1/5.5": 38.0, "PReLU": 30.0, "RReLU": 45.0}
ON_FEWER = {"ReLU": 70.0, "RReLU": 63.0}


def judged(losses=LOSSES, activity=ACTIVITY, test=TEST, train=TRAIN, on_fewer=ON_FEWER, mean_slope=57.1):
    """Return the verdicts on a made-up record, by the names of the claims; a metric may be one for each seed."""
    rows = []
    shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}

    def add(seed, factors, **metrics):
        own = {name: list(value) if isinstance(value, np.ndarray) else value for name, value in metrics.items()}
        rows.append({"seed": seed, "factors": factors, "metrics": own, **shared})

    for seed, noise in enumerate(NOISE):

        def of(value, noise=noise, seed=seed, sign=1):
            value = value[seed] if isinstance(value, list) else value
            return None if value is None else value + sign * noise

        for unit, of_depths in losses.items():
            sign = 1 if unit == "ReLU" else 0
            for depth, loss in zip((2, 3, 4), of_depths, strict=True):
                last = of(loss, sign=sign)
                mean, deviation = activity[unit]
                add(
                    seed,
                    {"network": "perceptron", "depth": depth, "unit": unit},
                    # Only the last epoch of the last layers decides.
                    validation_loss=[9.0 if unit == "ReLU" else 1.0, last],
                    activation=of(mean if depth == 4 else 50.0),
                    dispersion=of(deviation if depth == 4 else 5.0, sign=sign),
                )
        for images, units in ((nins.MOST, test), (nins.FEWER, on_fewer)):
            for unit, error in units.items():
                found = {"test_error": of(error, sign=-1 if unit == "RReLU" else 1), "train_error": of(train[unit])}
                if unit == "RReLU":
                    found["test_error_mean_slope"] = of(mean_slope)
                add(seed, {"network": "NIN", "images": images, "unit": unit}, **found)
    return {judgement.claim.id: judgement for judgement in leaky_family.judge(Results(rows))}


def words(found, *ids):
    return [found[id].verdict for id in ids]


OF_DEPTHS = ("M-1, 2 layers", "M-1, 3 layers", "M-1, 4 layers")
HELPS = ("X-2, LReLU 1/5.5", "X-2, RReLU")


def test_every_claim_but_the_one_of_the_page_is_judged_once_and_what_the_papers_say_is_confirmed():
    found = judged()
    expected = [claim.id for claim in leaky_family.EXPERIMENT.claims if claim.rule is not Rule.IDENTITY]
    assert list(found) == expected
    assert {judgement.verdict for judgement in found.values()} == {CONFIRMED}


def test_the_contrary_is_refuted():
    swapped = {"ReLU": "tanh", "tanh": "ReLU", "LReLU 0.01": "LReLU 0.01"}
    losses, activity = ({swapped[unit]: value for unit, value in of.items()} for of in (LOSSES, ACTIVITY))
    test = {"ReLU": 57.0, "LReLU 0.01": 62.0, "LReLU 1/5.5": 58.0, "PReLU": 59.0, "RReLU": 60.0}
    train = {**TRAIN, "PReLU": 46.0, "RReLU": 30.0}
    found = judged(losses, activity, test, train, {"ReLU": 60.0, "RReLU": 66.0}, mean_slope=61.0)
    assert {judgement.verdict for judgement in found.values()} == {REFUTED}


def test_of_the_perceptrons_each_depth_counts_for_itself_and_by_more_than_the_margin():
    found = judged({**LOSSES, "tanh": (0.26, 0.26, 0.20)})
    assert words(found, *OF_DEPTHS) == [TOO_SMALL, CONFIRMED, REFUTED]
    assert found["M-4"].verdict is REFUTED  # four layers of tanh at 0.20 against two of ReLU at 0.25


def test_a_slope_that_matters_at_one_depth_matters():
    assert judged({**LOSSES, "LReLU 0.01": (0.25, 0.25, 0.21)})["M-2"].verdict is REFUTED
    assert judged({**LOSSES, "LReLU 0.01": (0.25, 0.23, 0.22)})["M-2"].verdict is INCONCLUSIVE
    lost = judged({**LOSSES, "LReLU 0.01": (0.25, [None, 0.23, 0.23, 0.23, 0.23], 0.21)})["M-2"]
    assert (lost.verdict, lost.found) == (INCONCLUSIVE, "in 1 of 5 pairs a run diverged")


def test_less_than_half_as_often_is_asked_and_not_less_often():
    assert judged(activity={**ACTIVITY, "ReLU": (50.0, 14.0)})["M-3, sparser"].verdict is REFUTED
    assert judged(activity={**ACTIVITY, "ReLU": (44.0, 14.0)})["M-3, sparser"].verdict is CONFIRMED
    assert judged(activity={**ACTIVITY, "ReLU": (44.0, 14.0)})["M-3, dispersed"].verdict is INCONCLUSIVE


def test_of_the_networks_in_networks_a_small_gain_is_too_small_and_a_run_that_diverged_decides_nothing():
    found = judged(test={**TEST, "LReLU 1/5.5": 59.7, "RReLU": [57.0, 57.0, None, 57.0, 57.0]})
    assert words(found, *HELPS) == [TOO_SMALL, INCONCLUSIVE]
    assert words(found, "X-5", "X-6", "X-7") == [INCONCLUSIVE] * 3
    assert found["X-4"].found == "in 1 of 5 pairs a run diverged"
    assert words(judged(test={**TEST, "LReLU 0.01": 61.0}), "X-3") == [INCONCLUSIVE]  # at the margin


def test_prelu_must_fit_best_alone_and_with_every_seed():
    assert judged(train={**TRAIN, "PReLU": 38.0})["X-4"].verdict is REFUTED  # a tie
    assert judged(train={**TRAIN, "PReLU": [30.0, 30.0, 39.0, 30.0, 30.0]})["X-4"].verdict is INCONCLUSIVE
    assert judged(train={**TRAIN, "PReLU": [30.0, 30.0, 39.0, 39.0, 39.0]})["X-4"].verdict is REFUTED


def test_overfitting_is_compared_with_prelu_and_relu_is_told_beside():
    found = judged(train={**TRAIN, "ReLU": 55.0})["X-5"]
    assert found.verdict is CONFIRMED and found.found.startswith("17 ")
    assert "than ReLU's, refuted: -7 " in found.found


def test_gains_are_relative():
    # Six points of sixty and six of seventy: as many points, but a smaller share.
    assert judged(test={**TEST, "RReLU": 54.0}, on_fewer={"ReLU": 70.0, "RReLU": 64.0})["X-7"].verdict is REFUTED


def weights(filters, inputs=3):
    """Return the weights of table 1 with these filters: kernel sizes are the paper's."""
    sizes = (5, 1, 1, 5, 1, 1, 3, 1, 1)
    total = 0
    for size, own in zip(sizes, filters, strict=True):
        total += own * (size * size * inputs + 1)
        inputs = own
    return total


def test_the_network_in_network_has_the_weights_and_the_layers_of_table_1():
    relu = leaky_family.UNITS["ReLU"]
    assert weights((192, 160, 96, 192, 192, 192, 192, 192, 10)) == 966_986
    assert nins.nin(relu, 0, (32, 32, 3)).count_params() == 966_986
    quarter = (48, 40, 24, 48, 48, 48, 48, 48, 10)
    assert nins.nin(relu, 0, (32, 32, 3), 4).count_params() == weights(quarter) == 63_770
    # PReLU has a slope a channel.
    assert nins.nin(leaky_family.UNITS["PReLU"], 0, (32, 32, 3), 4).count_params() == 63_770 + sum(quarter)
    model = nins.nin(leaky_family.UNITS["RReLU"], 0, (28, 28, 1), 24)
    kinds = [type(layer).__name__ for layer in model.layers]
    three = ["Conv2D", "RReLU"] * 3
    assert kinds == [
        *three,
        *("MaxPooling2D", "Dropout"),
        *three,
        *("AveragePooling2D", "Dropout"),
        *three,
        "GlobalAveragePooling2D",
    ]
    assert len({layer.seed for layer in model.layers if isinstance(layer, kr.RReLU | keras.layers.Dropout)}) == 11


def test_units_start_from_the_same_weights_and_seeds_from_others():
    def first(unit, seed):
        return np.asarray(nins.nin(leaky_family.UNITS[unit], seed, (8, 8, 1), 24).layers[0].kernel)

    assert np.array_equal(first("ReLU", 3), first("RReLU", 3))
    assert not np.array_equal(first("ReLU", 3), first("ReLU", 4))


@pytest.mark.parametrize(("unit", "slope"), [("ReLU", 0.0), ("LReLU 0.01", 0.01), ("LReLU 1/5.5", 1 / 5.5)])
def test_a_unit_has_the_slope_of_its_name(unit, slope):
    (layer,) = leaky_family.UNITS[unit](0)
    np.testing.assert_allclose(layer(np.array([-2.0, 3.0], "float32")), [-2 * slope, 3], rtol=1e-6, atol=0)


def test_activity_is_the_share_above_the_bound_by_unit():
    outputs = np.random.default_rng(3).normal(size=(50, 7)).astype("float32")
    shares = [100 * sum(value > 0.3 for value in unit) / 50 for unit in outputs.T.tolist()]
    mean = sum(shares) / 7
    deviation = (sum((share - mean) ** 2 for share in shares) / 7) ** 0.5
    np.testing.assert_allclose(perceptrons.activity(outputs, 0.3), (mean, deviation), rtol=1e-6)
    assert perceptrons.activity(np.zeros((3, 2)), 0.0) == (0, 0)  # at 0 a rectifier is not active


X = np.random.default_rng(5).normal(size=(60, 4)).astype("float32")
Y = np.random.default_rng(6).integers(0, 3, 60)


def noisy():
    """Return a network of RReLU and of dropout, and its weights."""
    dense = [keras.layers.Dense(n, kernel_initializer=keras.initializers.HeNormal(seed=n)) for n in (16, 3)]
    unit, dropout = kr.RReLU(seed=4), keras.layers.Dropout(0.9, seed=1)
    model = keras.Sequential([keras.Input((4,)), dense[0], unit, dropout, dense[1]])
    return model, np.asarray(dense[0].kernel), np.asarray(dense[1].kernel)


def error_of(slopes):
    """Return the error of NumPy's copy of that network with these slopes, averaged over their first axis."""
    _, first, last = noisy()
    hidden = X @ first
    logits = np.where(hidden > 0, hidden, hidden * slopes) @ last
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return 100 * np.mean(chances.reshape(-1, 60, 3).mean(axis=0).argmax(-1) != Y)


def test_each_rule_of_inference_has_its_slope_and_no_dropout():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(25)
    model = noisy()[0]
    own = nins.error_by(lambda layer, x: layer(x, training=False), model, data)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    evaluated = 100 * (1 - model.evaluate(data, verbose=0, return_dict=True)["accuracy"])
    assert own == pytest.approx(error_of(1 / 5.5)) == pytest.approx(evaluated, abs=1e-4)
    np.testing.assert_allclose(nins.MEAN_SLOPE, 0.19617, atol=5e-6)
    assert nins.error_by(nins.mean_slope, model, data) == pytest.approx(error_of(0.19617))


def test_of_random_draws_the_probabilities_are_averaged_and_each_pass_draws_anew():
    data = tf.data.Dataset.from_tensors((X, Y))
    seen = []

    def told(layer, x):
        y = nins.drawn(layer, x)
        tf.py_function(lambda x, y: seen.append(np.where(x < 0, y / x, 1.0)), [x, y], [])
        return y

    found = nins.error_by(told, noisy()[0], data, 5)
    slopes = np.stack(seen)
    below = slopes[slopes != 1]
    assert slopes.shape == (5, 60, 16) and below.min() >= 1 / 8 - 1e-6 and below.max() <= 1 / 3 + 1e-6
    assert not np.array_equal(slopes[0], slopes[1])
    assert found == pytest.approx(error_of(slopes))


@pytest.fixture
def digits(monkeypatch):
    """Let the digits that are always at hand stand in for both data sets."""
    found = sources.find("digits")
    record = {**found.record, "stands_in_for": "MNIST or CIFAR-10"}
    monkeypatch.setattr(sources, "find", lambda name: found._replace(record=record))


def test_a_trial_of_each_network_gives_its_metrics(digits):
    keras.utils.set_random_seed(0)
    of_perceptron = leaky_family.trial(SMOKE, 0, "perceptron", "tanh", depth=2)
    assert set(of_perceptron) == {"train_loss", "validation_loss", "activation", "dispersion"}
    assert len(of_perceptron["validation_loss"]) == 1 and of_perceptron["activation"] > 50
    found = leaky_family.trial(SMOKE, 0, "NIN", "ReLU", images=256)
    assert set(found) == {"train_loss", "train_error", "test_error"}
    assert 0 <= found["test_error"] <= 100 and len(found["train_loss"]) == 1


@pytest.fixture
def asked(digits, monkeypatch):
    """Train nothing; give the rates of all steps and the rules of inference that trials ask for, epochs first."""
    seen = {"epochs": [], "rates": [], "rules": []}

    def fit(model, splits, optimizer, epochs, **others):
        seen["epochs"].append(epochs)
        seen["rates"] += [float(optimizer._learning_rate(step)) for step in range(epochs * len(splits.train))]
        return {"train_loss": [1.0], "train_error": 30.0, "test_error": 40.0}

    def error_by(rule, model, images, passes=1):
        seen["rules"].append((rule, passes))
        return 40.0 + passes

    monkeypatch.setattr(nins.training, "fit", fit)
    monkeypatch.setattr(nins, "error_by", error_by)
    return seen


def test_rrelu_is_tested_by_all_rules_on_the_most_images_and_others_by_their_own(asked):
    found = leaky_family.trial(SMOKE, 0, "NIN", "RReLU", images=256)
    own = {"train_loss": [1.0], "train_error": 30.0, "test_error": 40.0}
    assert found == {**own, "test_error_mean_slope": 41.0, "test_error_draws": 42.0}
    assert asked["rules"] == [(nins.mean_slope, 1), (nins.drawn, 2)]
    for unit, images in (("RReLU", 128), ("PReLU", 256)):
        assert leaky_family.trial(SMOKE, 0, "NIN", unit, images=images) == own


def test_fewer_images_make_as_many_steps_and_after_its_cut_the_rate_is_a_tenth(asked):
    config = dataclasses.replace(SMOKE, epochs=10, learning_rate=0.5, cut=0.8)
    leaky_family.trial(config, 0, "NIN", "ReLU", images=256)
    # Two batches an epoch; the boundary itself still has the first rate.
    expected = [0.5] * 17 + [0.05] * 3
    np.testing.assert_allclose(asked["rates"], expected)
    leaky_family.trial(config, 0, "NIN", "ReLU", images=128)
    assert asked["epochs"] == [10, 20]
    np.testing.assert_allclose(asked["rates"], 2 * expected)


def test_a_trial_of_each_kind_is_planned():
    planned = leaky_family.trials(leaky_family.Config())
    kinds = [(trial["network"], trial.get("images")) for trial in planned]
    assert [kinds.count(kind) for kind in (("perceptron", None), ("NIN", 5000), ("NIN", 2500))] == [9, 5, 2]
