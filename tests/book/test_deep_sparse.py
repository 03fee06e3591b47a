"""Do the verdicts on table 1 follow from their record, and are its networks, starts and pre-training what they say?"""

import dataclasses
import itertools
import json

import keras
import numpy as np
import pytest

from reruns import stacks, training
from reruns.chapters import deep_sparse
from reruns.chapters.deep_sparse import claimed, starts
from reruns.claims import Verdict
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = deep_sparse.Config()
# Five seeds whose mean is 0.
NOISE = 0.01 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
ERRORS = {
    (data, unit, how): error
    for (data, unit), errors in claimed.TABLE_1.items()
    for how, error in zip(("denoising", "none"), errors, strict=True)
} | {("MNIST", "tanh", "plain"): 1.40}
ZEROS = {("MNIST", "rectifier"): 83.4, ("CIFAR-10", "rectifier"): 72.0}


def record(errors=ERRORS, zeros=ZEROS, of_seed=lambda seed, factors: {}):
    """Return five seeds of made-up trials; `of_seed` overrides the metrics of a seed's trial."""

    def row(seed, factors):
        data, unit, pretraining = (factors[name] for name in ("data", "unit", "pretraining"))
        sign = 1 if unit == "rectifier" or pretraining == "denoising" else -1
        share = zeros.get((data, unit), 0.0)
        metrics = {
            "test_error": errors.get((data, unit, pretraining), 50.0) + sign * NOISE[seed],
            "zeros": [share + (share > 0) * (NOISE[seed] + step) for step in (-3.0, 1.0, 2.0)],
        }
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": seed, "factors": factors, "metrics": metrics | of_seed(seed, factors), **shared}

    return Results([row(seed, factors) for seed in range(5) for factors in deep_sparse.trials(CONFIG)])


def words(results):
    return {judged.claim.id: judged.verdict for judged in claimed.judge(results)}


def with_error(how_much, data, unit, pretraining):
    return {**ERRORS, (data, unit, pretraining): how_much}


def test_what_the_papers_say_is_confirmed():
    expected = {**dict.fromkeys((claim.id for claim in claimed.CLAIMS[3:]), CONFIRMED)}
    assert words(record()) == expected


def test_its_contrary_is_refuted():
    contrary = {
        **{(data, unit, how): error for (data, unit, how), error in ERRORS.items()},
        **{(data, "rectifier", "none"): error for data, error in (("MNIST", 2.0), ("CIFAR-10", 60.0))},
        **{(data, "rectifier", "denoising"): error for data, error in (("MNIST", 1.0), ("CIFAR-10", 40.0))},
        ("MNIST", "tanh", "plain"): 1.0,
    }
    zeros = {("MNIST", "rectifier"): 50.0, ("CIFAR-10", "rectifier"): 50.0, ("MNIST", "tanh"): 0.1}
    assert set(words(record(contrary, zeros)).values()) == {REFUTED}


@pytest.mark.parametrize(
    ("changed", "claim", "word"),
    [
        (("MNIST", "tanh", "none", 1.44), "G-4, MNIST, tanh", TOO_SMALL),
        (("CIFAR-10", "softplus", "none", 51.4), "G-4, CIFAR-10, softplus", TOO_SMALL),
        (("MNIST", "rectifier", "none", 1.62), "G-4, published", REFUTED),
        (("MNIST", "rectifier", "none", 1.55), "G-4, published", CONFIRMED),
        # Both sets together: 1.83 - 0.90 on CIFAR-10 outweighs what tanh loses on MNIST.
        (("MNIST", "tanh", "denoising", 1.90), "G-6", CONFIRMED),
        (("CIFAR-10", "tanh", "denoising", 52.0), "G-6", REFUTED),
        (("MNIST", "tanh", "plain", 1.18), "V-1", TOO_SMALL),
    ],
)
def test_a_change_of_one_error_changes_its_claim(changed, claim, word):
    *where, error = changed
    assert words(record(with_error(error, *where)))[claim] is word


def test_one_zero_of_tanh_refutes_and_a_run_that_diverged_decides_nothing():
    one = record(
        of_seed=lambda seed, factors: {"zeros": [0, 0, 1e-4]} if (seed, factors["unit"]) == (2, "tanh") else {}
    )
    assert words(one)["G-7, tanh, trained"] is REFUTED
    names = ("test_error", "zeros")

    def lost(seed, factors):
        return training.lost(names[1:], names[:1]) if seed == 1 else {}

    assert set(words(record(of_seed=lost)).values()) == {INCONCLUSIVE}


SMALL = dataclasses.replace(
    CONFIG,
    width=12,
    train=60,
    epochs=2,
    pretraining_epochs=2,
    cifar10_width=10,
    cifar10_train=40,
    cifar10_epochs=1,
    cifar10_pretraining_epochs=1,
    measured_images=50,
)


@pytest.mark.parametrize("number", [0, 3, 5, 6, 11])
def test_a_small_trial_trains_and_tells_all_that_is_judged(number):
    factors = deep_sparse.trials(SMALL)[number]
    found = deep_sparse.trial(SMALL, 0, **factors)
    assert set(found) == {*deep_sparse.CURVES, *deep_sparse.NUMBERS}
    epochs = 2 if factors["data"] == "MNIST" else 1
    assert len(found["train_cross_entropy"]) == len(found["validation_errors"]) == epochs
    assert found["validation_errors"][-1] == pytest.approx(found["validation_error"])
    layers = 0 if factors["pretraining"] == "none" else 3
    assert np.shape(found["reconstruction_errors"]) == (layers,)
    if factors["unit"] == "rectifier":
        assert all(20 < share < 100 for share in found["zeros"])
    elif factors["unit"] == "tanh":
        assert found["zeros"] == [0, 0, 0]
    assert json.dumps(found)


def test_zeros_are_counted_on_so_many_test_images_as_is_said(monkeypatch):
    counted = []
    monkeypatch.setattr(deep_sparse, "measured", lambda model, images: counted.append(len(images)) or {})
    deep_sparse.trial(dataclasses.replace(SMALL, measured_images=70), 0, **deep_sparse.trials(SMALL)[0])
    assert counted == [70]


def test_a_pretraining_that_diverges_leaves_a_row_that_decides_nothing():
    factors = {**deep_sparse.trials(SMALL)[3], "pretraining_rate": 1e30}
    found = deep_sparse.trial(SMALL, 0, **factors)
    assert set(found) == {*deep_sparse.CURVES, *deep_sparse.NUMBERS}
    assert np.isnan(found["test_error"])


@pytest.mark.parametrize("unit", list(stacks.KINDS))
def test_the_network_has_the_papers_weights_and_one_seed_gives_all_units_the_same(unit):
    kind = stacks.KINDS[unit]
    stack = stacks.untrained(kind, 784, (1000, 1000, 1000), 3, 0.25)
    model = stacks.network(stack, kind, 10, 3)
    assert model.count_params() == 784 * 1000 + 2 * 1000 * 1000 + 1000 * 10 + 3 * 1000 + 10 == 2_797_010
    reference = stacks.untrained(stacks.KINDS["tanh"], 784, (1000, 1000, 1000), 3, 0.0)
    kernels = [weight for weight in model.get_weights() if weight.ndim == 2]
    for kernel, autoencoder in zip(kernels, reference, strict=False):
        np.testing.assert_array_equal(kernel, np.asarray(autoencoder.encoder.kernel))
        # Uniform between plus and minus the root of 6 / (inputs + outputs).
        bound = np.sqrt(6 / sum(kernel.shape))
        assert 0.99 * bound < np.abs(kernel).max() <= bound
        assert np.std(kernel) == pytest.approx(bound / np.sqrt(3), rel=0.01)
    for one, other in itertools.pairwise(kernels[1:3]):
        assert not np.array_equal(one, other)


def test_only_rectifiers_are_penalized_and_noise_may_differ_by_layer(rng):
    images = rng.uniform(size=(4, 6)).astype("float32")
    for name, kind in stacks.KINDS.items():
        stack = stacks.untrained(kind, 6, (5, 4), 0, [keras.layers.Dropout(0.5), 0.0])
        assert isinstance(stack[0].corruption, keras.layers.Dropout) and stack[1].corruption is None
        model = stacks.network(stack, kind, 3, 0)
        model(images)
        outputs, penalty = images, 0.0
        for kernel, bias in _pairs(model):
            outputs = np.maximum(outputs @ kernel + bias, 0)
            penalty += 0.001 * outputs.sum(axis=1).mean()
        assert float(sum(model.losses)) == pytest.approx(penalty if name == "rectifier" else 0.0, rel=1e-5)


def _pairs(model):
    weights = model.get_weights()[:4]
    return zip(weights[::2], weights[1::2], strict=True)


def test_half_of_the_units_are_off_at_the_start(rng):
    images = rng.uniform(-1, 1, size=(100, 20)).astype("float32")
    shares = starts.zeros(images, (40, 30), 2)
    assert shares.shape == (2, 2)
    for seed in range(2):
        kernels = starts.network("ReLU", (20,), (40, 30), seed).get_weights()[::2]
        first = np.maximum(images.astype("float64") @ kernels[0], 0)
        expected = [np.mean(first == 0), np.mean(first @ kernels[1] <= 0)]
        np.testing.assert_allclose(shares[seed], 100 * np.array(expected), atol=0.1)


def test_means_are_those_of_a_layers_outputs(rng):
    images = rng.uniform(size=(50, 20)).astype("float32")
    kernels = starts.network("ReLU", (20,), (400, 300), 0).get_weights()[::2]
    hidden = np.maximum(images.astype("float64") @ kernels[0], 0)
    plain, flipped = (starts.means(unit, images, (400, 300), 1)[0] for unit in ("ReLU", "SignFlip"))
    assert plain[0] == pytest.approx(hidden.mean(), rel=1e-5)
    signs = 1 - 2 * (np.arange(400) % 2)
    assert flipped[0] == pytest.approx(abs((hidden * signs).mean()), rel=1e-3)
    second = np.maximum((hidden * signs) @ kernels[1], 0) * (1 - 2 * (np.arange(300) % 2))
    assert flipped[1] == pytest.approx(abs(second.mean()), rel=1e-3)


def test_rescaled_weights_give_outputs_divided_by_all_scales(rng):
    images = rng.uniform(size=(5, 7)).astype("float32")
    model = starts.network("ReLU", (7,), (6, 5), 0)
    weights = [w + (w.ndim == 1) * rng.normal(size=w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    twin = starts.rescaled(model, (2.0, 0.1, 4.0))
    hidden = images.astype("float64")
    for place, (scale, so_far) in enumerate(((2.0, 2.0), (0.1, 0.2), (4.0, 0.8))):
        hidden = hidden @ (weights[2 * place] / scale) + weights[2 * place + 1] / so_far
        hidden = np.maximum(hidden, 0) if place < 2 else hidden
    np.testing.assert_allclose(np.asarray(twin(images)), hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(twin(images)) * 0.8, np.asarray(model(images)), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0].astype("float32"))
