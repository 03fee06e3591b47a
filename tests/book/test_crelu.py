"""Do the verdicts on CReLU follow from its record, and does a trial measure the filters that it says it does?

The records are made up, so that the verdict is known beforehand.
"""

import dataclasses
import math

import keras
import numpy as np
import pytest

from reruns.chapters import crelu
from reruns.chapters.crelu import filters
from reruns.claims import Kind, Verdict
from reruns.data import pipelines
from reruns.results import Results

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
TOO_SMALL = Verdict.TOO_SMALL
# Five seeds whose mean is 0 and whose spread is small: the half-width of their interval is about a thousandth.
NOISE = 1e-3 * np.array([-1.2, -0.4, 0.1, 0.5, 1.0])
DECIDED = [claim.id for claim in crelu.EXPERIMENT.claims if claim.kind is not Kind.IDENTITY]

# By unit: training and test error, and the excess over chance of the first three layers.
AS_PUBLISHED = {
    "ReLU": (2.0, 50.0, (-0.3, -0.2, -0.1)),
    "ReLU, double": (1.0, 49.5, (-0.3, -0.2, -0.1)),
    "AVR": (5.0, 50.2, (0.0, 0.0, 0.0)),
    "CReLU": (5.0, 49.0, (-0.05, 0.0, 0.0)),
    "CReLU, half": (6.0, 49.2, (-0.05, 0.0, 0.0)),
    "tanh": (9.0, 55.0, (-0.3, -0.2, -0.1)),
}
PAIR, OTHERS = (0.4, 0.2, 0.3), (0.1, 0.1, 0.1)


def judged(of_units=AS_PUBLISHED, pair=PAIR, others=OTHERS, chance=-0.2, deviation=0.02):
    """Return by claim the judgement on five seeds of made-up trials."""
    rows = []
    for seed in range(5):
        for unit, (train, test, excess) in of_units.items():
            # Only one of each pair varies, so that differences have a spread.
            noise = NOISE[seed] * unit.startswith("CReLU")
            first, *rest = (value if np.ndim(value) == 0 else value[seed] for value in excess)
            metrics = {
                "train_error": train,
                "test_error": test + noise,
                "cosine_after": [chance + first + NOISE[seed] * (unit == "ReLU"), *(chance + value for value in rest)],
                "cosine_by_chance": [chance] * 3,
                "deviation_by_chance": [deviation] * 3,
            }
            if unit.startswith("CReLU"):
                metrics |= {"pair_absolute": [value + noise for value in pair], "others_absolute": list(others)}
            shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
            rows.append({"seed": seed, "factors": {"unit": unit}, "metrics": metrics, **shared})
    found = crelu.EXPERIMENT.judge(Results(rows))
    assert [judgement.claim.id for judgement in found] == DECIDED
    return {judgement.claim.id: judgement for judgement in found}


def words(found, *ids):
    return [found[id].verdict for id in ids or DECIDED]


def test_what_the_paper_says_is_confirmed_and_its_contrary_refuted():
    assert words(judged()) == [CONFIRMED] * len(DECIDED)
    contrary = {
        "ReLU": (5.0, 49.0, (0.1, 0.05, 0.0)),
        "ReLU, double": (6.0, 48.5, (0.0, 0.0, 0.0)),
        "AVR": (5.0, 48.5, (0.0, 0.0, 0.0)),
        "CReLU": (2.0, 50.0, (-0.2, 0.0, 0.0)),
        "CReLU, half": (3.0, 50.2, (-0.2, 0.0, 0.0)),
        "tanh": (9.0, 55.0, (0.0, 0.0, 0.0)),
    }
    assert words(judged(contrary, pair=(0.9, 0.1, 0.1), others=(0.2, 0.2, 0.2))) == [REFUTED] * len(DECIDED)


def changed(**errors):
    """Return what was published with other test errors, by the units' names."""
    names = {"relu": "ReLU", "double": "ReLU, double", "avr": "AVR", "crelu": "CReLU", "half": "CReLU, half"}
    tests = {names[short]: error for short, error in errors.items()}
    return {unit: (train, tests.get(unit, test), excess) for unit, (train, test, excess) in AS_PUBLISHED.items()}


def test_half_the_filters_are_not_worse_within_the_margin_and_better_only_beyond_nothing():
    assert words(judged(changed(half=50.2)), "C-5", "C-5, better") == [CONFIRMED, REFUTED]
    assert words(judged(changed(half=50.4)), "C-5", "C-5, better") == [REFUTED, REFUTED]
    assert words(judged(changed(half=50.0)), "C-5", "C-5, better") == [CONFIRMED, INCONCLUSIVE]


def test_a_gain_at_equal_filters_must_reach_the_margin():
    assert words(judged(changed(crelu=49.7)), "C-6, ReLU", "C-6, double") == [TOO_SMALL, REFUTED]


def test_a_pairing_below_the_margin_is_told_from_chance_and_still_too_small():
    small = {**AS_PUBLISHED, "ReLU": (2.0, 50.0, (-0.08, -0.05, 0.0))}
    assert words(judged(small), "C-3", "C-3, size") == [CONFIRMED, TOO_SMALL]
    # Two deviations of random layers are not three.
    assert words(judged(small, deviation=0.04), "C-3", "C-3, size") == [REFUTED, TOO_SMALL]
    one_not = {**AS_PUBLISHED, "ReLU": (2.0, 50.0, ((-0.3, -0.3, 0.0, -0.3, -0.3), -0.2, 0.1))}
    assert words(judged(one_not), "C-3") == [INCONCLUSIVE]  # four of five: too few to tell from a half


def test_a_network_of_less_test_error_overfits_more_if_its_training_error_is_less_by_more():
    assert words(judged({**AS_PUBLISHED, "CReLU": (0.5, 49.0, (-0.05, 0.0, 0.0))}), "C-7", "C-6, ReLU") == [
        REFUTED,
        CONFIRMED,
    ]


@pytest.mark.parametrize(("excess", "word"), [(-0.14, CONFIRMED), (-0.16, REFUTED), (0.16, REFUTED)])
def test_half_of_the_excess_of_relu_is_the_most_that_vanishes(excess, word):
    assert words(judged({**AS_PUBLISHED, "CReLU, half": (6.0, 49.2, (excess, 0.0, 0.0))}), "C-4, CReLU") == [word]


def test_a_layer_that_fails_is_the_one_that_counts():
    mirrored = judged(pair=(0.4, 0.9, 0.3))["C-9, mirror"]
    assert mirrored.verdict is REFUTED and mirrored.evidence.mean == pytest.approx(0.8 - 0.9)
    assert "layer 2" in mirrored.found
    unrelated = judged(pair=(0.4, 0.2, 0.05))["C-9, related"]
    assert unrelated.verdict is REFUTED and "layer 3" in unrelated.found


def test_a_run_that_diverged_decides_nothing_that_it_belongs_to():
    lost = {**AS_PUBLISHED, "CReLU": (2.0, math.nan, (-0.05, 0.0, 0.0))}
    found = judged(lost)
    assert {id for id, judgement in found.items() if judgement.verdict is INCONCLUSIVE} == {
        *("C-6, ReLU", "C-6, double", "C-7", "C-9, mirror", "C-9, related"),
    }
    of_relu = judged({**AS_PUBLISHED, "ReLU": (2.0, math.nan, (-0.3, -0.2, -0.1))})
    assert words(of_relu, "C-3", "C-3, size", "C-5", "C-8") == [INCONCLUSIVE] * 3 + [CONFIRMED]


@pytest.mark.parametrize(
    ("unit", "weights"),
    [
        # Filters times (height x width x inputs + 1), layer by layer.
        ("ReLU", 32 * 76 + 32 * 289 + 48 * 289 + 48 * 433 + 48 * 433 + 48 * 49 + 10 * 49),
        ("AVR", 32 * 76 + 32 * 289 + 48 * 289 + 48 * 433 + 48 * 433 + 48 * 49 + 10 * 49),
        ("tanh", 32 * 76 + 32 * 289 + 48 * 289 + 48 * 433 + 48 * 433 + 48 * 49 + 10 * 49),
        ("ReLU, double", 64 * 76 + 64 * 577 + 96 * 577 + 96 * 865 + 96 * 865 + 96 * 97 + 10 * 97),
        ("CReLU", 32 * 76 + 32 * 577 + 48 * 577 + 48 * 865 + 48 * 865 + 48 * 97 + 10 * 97),
        ("CReLU, half", 16 * 76 + 16 * 289 + 24 * 289 + 24 * 433 + 24 * 433 + 24 * 49 + 10 * 49),
    ],
)
def test_each_network_has_the_weights_of_its_table(unit, weights):
    model = crelu.network(crelu.Config(), unit, 0, (32, 32, 3))
    assert model.count_params() == weights
    assert [layer.output.shape[1:3] for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)] == [
        (16, 16),
        (8, 8),
    ]
    assert model.output_shape == (None, 10)


def test_one_seed_gives_the_units_the_same_filters_up_to_their_scale():
    relu, avr, wide = (
        filters.kernels(crelu.network(crelu.Config(), unit, 3, (28, 28, 1))) for unit in ("ReLU", "AVR", "CReLU")
    )
    np.testing.assert_allclose(relu[2], np.sqrt(2) * avr[2], rtol=1e-5)
    np.testing.assert_array_equal(relu[0], wide[0])
    # Variances over the fan-in: He's of ReLU, and half of that for AVR, where nothing is cut off.
    assert relu[3].var() * 9 * 48 == pytest.approx(2.0, rel=0.05)
    assert avr[3].var() * 9 * 48 == pytest.approx(1.0, rel=0.05)


def test_the_pairing_filter_has_the_least_cosine(rng):
    kernel = rng.normal(size=(5, 5, 3, 7))
    kernel[..., 6] = -2 * kernel[..., 0]
    found = filters.least_cosines(filters.rows(kernel))
    for i in range(7):
        a = kernel[..., i]
        cosines = [np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)) for b in np.moveaxis(kernel, -1, 0)]
        assert found[i] == pytest.approx(min(cosines), abs=1e-12)
    np.testing.assert_allclose(found[[0, 6]], -1)
    assert filters.fan_in_and_filters(kernel) == (75, 7)


# Of 30 draws, as the notes on the paper have them.
@pytest.mark.parametrize(
    ("fan_in", "number", "mean"),
    [(27, 32, -0.393), (27, 64, -0.439), (75, 32, -0.238), (75, 64, -0.269), (147, 64, -0.190)],
)
def test_random_filters_pair_up_by_chance_as_an_independent_simulation_found(fan_in, number, mean):
    found, deviation = filters.by_chance(fan_in, number)
    assert abs(found - mean) < 4 * deviation / np.sqrt(30)
    assert filters.random_cosines(fan_in, number).shape == (filters.DRAWS, number)


def test_the_deviation_by_chance_is_that_of_a_layers_mean(rng):
    drawn = [filters.least_cosines(rng.normal(size=(16, 75))).mean() for _ in range(400)]
    # The relative standard error of a deviation is about 1 / sqrt(2 n).
    assert filters.by_chance(75, 16)[1] == pytest.approx(np.std(drawn, ddof=1), rel=0.15)


def test_the_two_phases_of_a_filter_are_told_from_those_of_two(rng):
    kernel = rng.normal(size=(3, 3, 4, 5))
    found = filters.phases(kernel)
    weights = [kernel[:, :, channel].ravel() for channel in range(4)]

    def cosine(a, b):
        return weights[a] @ weights[b] / np.linalg.norm(weights[a]) / np.linalg.norm(weights[b])

    # Channels 0 and 1 are positive phases, 2 and 3 the negative ones of the same filters.
    pair, others = np.array([cosine(0, 2), cosine(1, 3)]), np.array([cosine(0, 3), cosine(1, 2)])
    expected = [pair.mean(), np.abs(pair).mean(), others.mean(), np.abs(others).mean()]
    np.testing.assert_allclose([found[name] for name in filters.PHASES], expected, rtol=1e-12)
    kernel[:, :, 2:] = -kernel[:, :, :2]
    mirrored = filters.phases(kernel)
    assert (mirrored["pair"], mirrored["pair_absolute"]) == pytest.approx((-1, 1))


def test_the_next_layer_has_the_positive_phases_first():
    x = np.array([[[[2.0, -3.0]]]], "float32")
    (unit,) = crelu.VARIANTS["CReLU"].unit(0)
    np.testing.assert_array_equal(np.asarray(unit(x)).ravel(), [2, 0, 0, 3])
    (unit,) = crelu.VARIANTS["AVR"].unit(0)
    np.testing.assert_array_equal(np.asarray(unit(x)).ravel(), [2, 3])


@pytest.fixture
def few_images(monkeypatch, rng):
    """Forty made-up images in each split."""
    images, labels = rng.integers(0, 256, (40, 28, 28, 1), "uint8"), rng.integers(0, 10, 40, "int32")
    monkeypatch.setattr(pipelines, "labelled_images", lambda *split: (images, labels))


@pytest.mark.parametrize("unit", ["ReLU", "CReLU, half"])
def test_a_trial_measures_the_network_that_it_trained(unit, few_images, monkeypatch):
    config = dataclasses.replace(crelu.Config(), widths=(4, 4, 6, 6, 6, 6), train=40, batch=20, epochs=1)
    network, trained = crelu.network, []
    monkeypatch.setattr(crelu, "network", lambda *of: trained.append(network(*of)) or trained[-1])
    keras.utils.set_random_seed(1)
    found = crelu.trial(config, 1, unit)
    (model,) = trained
    assert len(found["train_loss"]) == 1 and 0 <= found["test_error"] <= 100
    hidden = [np.asarray(layer.kernel) for layer in model.layers if isinstance(layer, keras.layers.Conv2D)][:-1]
    assert len(found["cosine_after"]) == len(found["cosine_before"]) == len(hidden) == 6
    for layer, kernel in enumerate(hidden):
        flat = kernel.reshape(-1, kernel.shape[-1])
        unit_length = flat / np.linalg.norm(flat, axis=0)
        expected = (unit_length.T @ unit_length).min(axis=0)
        assert found["cosine_after"][layer] == pytest.approx(expected.mean(), rel=1e-4)
        if layer < 3:
            np.testing.assert_allclose(found[f"cosines_{layer + 1}"], expected, rtol=1e-4)
    assert found["cosine_before"] != found["cosine_after"]
    assert ("pair" in found) == unit.startswith("CReLU")
    if "pair" in found:
        assert len(found["pair"]) == 6
    shape = filters.fan_in_and_filters(hidden[1])
    assert (found["cosine_by_chance"][1], found["deviation_by_chance"][1]) == filters.by_chance(*shape)
