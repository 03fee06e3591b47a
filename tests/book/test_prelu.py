"""Do the verdicts on learned slopes follow from their records, and are network, slopes and responses what they say?"""

import dataclasses

import keras
import numpy as np
import pytest

from reruns.chapters import prelu
from reruns.claims import Verdict
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = prelu.Config()
SEEDS = range(10)
# Ten seeds whose mean is 0 and whose spread is small: the half-width of their interval is about a thousandth.
NOISE = 1e-3 * np.array([-2.0, -1.5, -1.0, -0.5, -0.2, 0.2, 0.5, 1.0, 1.5, 2.0])

FALLING = (0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.2, 0.1)
ERRORS = {"ReLU": 40.0, "LReLU": 40.0, "PReLU shared": 38.0, "PReLU": 38.0, "PReLU decayed": 38.0}
LOSSES = {**dict.fromkeys(CONFIG.units, 0.4), "PReLU": 0.3}
RESPONSES = {**dict.fromkeys(CONFIG.units, [0.3] * 8), "ReLU": [0.4] * 8}


def record(errors=ERRORS, losses=LOSSES, slopes=FALLING, kept=0.5, responses=RESPONSES, of_seed=lambda seed: {}):
    """Return ten seeds of made-up trials; weight decay leaves so much of each slope. `of_seed` overrides it by seed."""

    def row(seed, unit):
        noise = NOISE[seed]
        layers = np.array(of_seed(seed).get("slopes", slopes)) * (kept if unit == "PReLU decayed" else 1.0)
        metrics = {
            "test_error": errors[unit] + noise * (1 if unit == "PReLU" else -1),
            "train_cross_entropy": [2.0, losses[unit] + noise * (1 if unit == "PReLU" else -1)],
            "mean_responses": of_seed(seed).get("responses", responses)[unit],
        }
        if unit.startswith("PReLU"):
            metrics |= {"slopes": layers.tolist(), "absolute_slopes": (np.abs(layers) + abs(noise)).tolist()}
        metrics |= of_seed(seed).get(unit, {})
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": seed, "factors": {"unit": unit}, "metrics": metrics, **shared}

    return Results([row(seed, unit) for seed in SEEDS for unit in CONFIG.units])


def words(results):
    return {judged.claim.id: judged.verdict for judged in prelu.judge(results)}


def test_what_the_paper_says_is_confirmed():
    assert list(words(record())) == [claim.id for claim in prelu.EXPERIMENT.claims]
    assert set(words(record()).values()) == {CONFIRMED}


def test_its_contrary_is_refuted():
    errors = {"ReLU": 38.0, "LReLU": 36.0, "PReLU shared": 38.0, "PReLU": 40.0, "PReLU decayed": 40.0}
    losses, responses = {**LOSSES, "PReLU": 0.5}, {**RESPONSES, "PReLU": [0.5] * 8}
    assert set(words(record(errors, losses, FALLING[::-1], 1.5, responses)).values()) == {REFUTED}


def test_a_gain_below_the_margin_is_too_small_and_ties_stay_open_or_are_equal():
    tie = dict.fromkeys(CONFIG.units, 40.0)
    found = words(record({**tie, "PReLU": 39.8}, dict.fromkeys(CONFIG.units, 0.4), kept=1.0))
    assert found["H-4"] is TOO_SMALL
    assert found["H-4, fit"] is found["H-7, convolutions"] is INCONCLUSIVE
    assert found["H-4, shared"] is found["H-5, fixed"] is CONFIRMED
    # Of 40, half of the published gain is 0.698.
    assert words(record({**tie, "LReLU": 39.34}))["H-5, fixed"] is CONFIRMED
    assert words(record({**tie, "LReLU": 40.66}))["H-5, fixed"] is CONFIRMED
    assert words(record({**tie, "LReLU": 39.26}))["H-5, fixed"] is REFUTED
    assert words(record({**tie, "LReLU": 40.74}))["H-5, fixed"] is REFUTED
    assert words(record({**tie, "PReLU shared": 40.68}))["H-4, shared"] is CONFIRMED
    assert words(record({**tie, "PReLU shared": 40.74}))["H-4, shared"] is REFUTED


def test_learned_slopes_are_measured_by_the_fixed_one_and_not_by_relu():
    assert words(record({**ERRORS, "LReLU": 36.0}))["H-5, learned"] is REFUTED


@pytest.mark.parametrize(("seeds", "word"), [(10, CONFIRMED), (9, CONFIRMED), (8, INCONCLUSIVE), (5, REFUTED)])
def test_the_first_convolution_must_be_the_largest_in_most_seeds(seeds, word):
    second = (0.4, 0.5, *FALLING[2:])
    found = words(record(of_seed=lambda seed: {} if seed < seeds else {"slopes": second}))
    assert found["H-6"] is word


def test_the_hidden_layer_is_no_convolution():
    assert words(record(slopes=(*FALLING[:-1], 0.9)))["H-6"] is CONFIRMED


@pytest.mark.parametrize(("lower", "word"), [(8, CONFIRMED), (7, CONFIRMED), (6, REFUTED)])
def test_responses_must_be_lower_in_most_layers(lower, word):
    of_prelu = [0.3] * lower + [0.4] * (8 - lower)  # an equal one is not lower
    assert words(record(responses={**RESPONSES, "PReLU": of_prelu}))["H-8"] is word


def test_a_run_that_diverged_decides_nothing():
    found = prelu.judge(record(of_seed=lambda seed: {"PReLU": {"test_error": None}} if seed == 3 else {}))
    assert {judged.claim.id: judged.verdict for judged in found} == {
        **dict.fromkeys((claim.id for claim in prelu.EXPERIMENT.claims), INCONCLUSIVE),
        "H-5, fixed": CONFIRMED,
    }
    assert prelu.judge(record(of_seed=lambda seed: {"ReLU": {"test_error": None}} if seed == 3 else {}))[-1].found == (
        "in 1 of 10 pairs a run diverged"
    )


def test_rank_correlations_are_spearmans_formula():
    rows = np.array([FALLING, FALLING[::-1], (0.3, 0.1, 0.2, 0.5, 0.4, 0.8, 0.6, 0.7)])
    # 1 - 6 sum d^2 / (n (n^2 - 1)), d the differences of the ranks.
    places = np.argsort(np.argsort(rows, axis=1), axis=1)
    expected = 1 - 6 * ((places - np.arange(8)) ** 2).sum(axis=1) / (8 * 63)
    np.testing.assert_allclose(prelu.correlations(rows), expected)
    assert expected[:2].tolist() == [-1.0, 1.0]


# By the table of the module's head: kernel^2 x inputs x outputs and a bias each.
WEIGHTS = (
    (25 * 3 + 1) * 24
    + (9 * 24 + 1) * 32
    + 2 * (9 * 32 + 1) * 32
    + (9 * 32 + 1) * 48
    + 2 * (9 * 48 + 1) * 48
    + (2 * 2 * 48 + 1) * 128
    + (128 + 1) * 10
)
CHANNELS = 24 + 3 * 32 + 3 * 48 + 128
SLOPES = {"ReLU": 0, "LReLU": 0, "PReLU shared": 8, "PReLU": CHANNELS, "PReLU decayed": CHANNELS}


@pytest.mark.parametrize("unit", CONFIG.units)
def test_the_networks_have_the_weights_the_slopes_and_the_penalties_of_their_names(unit):
    model = prelu.small_model(CONFIG, unit, 0, (32, 32, 3))
    assert model.count_params() == WEIGHTS + SLOPES[unit]
    # Nine layers of weights, and each of eight layers of slopes if they are decayed; never a bias.
    assert len(model.losses) == 9 + 8 * (unit == "PReLU decayed")
    decayed = [w for w in model.trainable_variables if w.name == "kernel"]
    decayed += [w for w in model.trainable_variables if w.name == "alpha"] if unit == "PReLU decayed" else []
    squares = sum(np.square(np.asarray(w.value, "float64")).sum() for w in decayed)
    # Its derivative is the rate times the weight.
    assert float(sum(model.losses)) == pytest.approx(5e-4 / 2 * squares, rel=1e-5)


def test_the_networks_build_on_the_digits_that_stand_in():
    assert prelu.small_model(CONFIG, "PReLU", 0, (28, 28, 1)).output_shape == (None, 10)


def test_weights_are_hes_with_the_slope_and_paired_between_units():
    kernels = {
        unit: [w.numpy() for w in prelu.small_model(CONFIG, unit, 3, (32, 32, 3)).weights if w.name == "kernel"]
        for unit in ("ReLU", "LReLU", "PReLU")
    }
    for relu, leaky, learned in zip(*kernels.values(), strict=True):
        fan_in, error = np.prod(relu.shape[:-1]), 4 / np.sqrt(2 * relu.size)
        assert relu.std() == pytest.approx(np.sqrt(2 / fan_in), rel=error)
        np.testing.assert_array_equal(leaky, learned)
        np.testing.assert_allclose(learned * np.sqrt(1 + 0.25**2), relu, rtol=1e-5)
    # A truncated normal has nothing beyond about 2.3 deviations.
    assert np.abs(kernels["ReLU"][-2]).max() > 3 * np.sqrt(2 / (2 * 2 * 48))
    first, second = (kernels["ReLU"][place].ravel()[:10] for place in (2, 3))
    assert not np.allclose(first, second)


@pytest.mark.parametrize(("unit", "slope"), [("ReLU", 0.0), ("LReLU", 0.25), ("PReLU", 0.25), ("PReLU shared", 0.25)])
def test_mean_responses_are_those_of_numpy(rng, unit, slope):
    model = prelu.small_model(CONFIG, unit, 0, (32, 32, 3))
    images = rng.standard_normal((4, 32, 32, 3)).astype("float32")
    before = [model.layers[place - 1].output for place, layer in enumerate(model.layers) if layer.name in prelu.LAYERS]
    pre_activations = [np.asarray(y, "float64") for y in keras.Model(model.inputs[0], before)(images)]
    expected = [np.where(y > 0, y, slope * y).mean() for y in pre_activations]
    assert prelu.mean_responses(model, images) == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_slopes_are_told_layer_by_layer_with_their_signs_and_without_them(rng):
    model = prelu.small_model(CONFIG, "PReLU", 0, (32, 32, 3))
    drawn = {name: rng.uniform(-1, 1, model.get_layer(name).alpha.shape) for name in prelu.LAYERS}
    for name, values in drawn.items():
        model.get_layer(name).set_weights([values])
    found = prelu.slopes(model)
    assert found["slopes"] == pytest.approx([values.mean() for values in drawn.values()], abs=1e-6)
    assert found["absolute_slopes"] == pytest.approx([np.abs(values).mean() for values in drawn.values()], abs=1e-6)
    assert found["largest_slope"] == pytest.approx(max(np.abs(values).max() for values in drawn.values()))
    assert prelu.slopes(prelu.small_model(CONFIG, "LReLU", 0, (32, 32, 3))) == {}


def test_the_last_fifth_of_the_epochs_runs_at_the_smaller_rate():
    assert CONFIG.epochs_at_full_rate == 0.8 * CONFIG.epochs


def test_a_small_trial_returns_what_the_record_holds():
    config = dataclasses.replace(CONFIG, epochs=1, epochs_at_full_rate=1, train=100, measured_images=20)
    found = prelu.trial(config, seed=0, unit="PReLU")
    assert {name: np.shape(value) for name, value in found.items()} == {
        "train_cross_entropy": (1,),
        **dict.fromkeys(("train_error", "test_error", "largest_slope"), ()),
        **dict.fromkeys(("mean_responses", "slopes", "absolute_slopes"), (8,)),
    }
    assert 0 <= found["test_error"] <= 100 and 0.2 < found["slopes"][0] < 0.3
