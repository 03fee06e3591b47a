"""Do the verdicts on faces follow from their records, and are machines, networks and ROC curves what they say?"""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import linear_model, metrics

from keras_rectifiers import rbm
from keras_rectifiers.diverging import DivergedError
from reruns import exports
from reruns.chapters import faces
from reruns.claims import Verdict
from reruns.data import pipelines, sources
from reruns.results import Results

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
CONFIG = faces.Config()
SMALL = dataclasses.replace(faces.LIVE, width=8, pretraining_epochs=1, epochs=1)
ACCURACIES = {("NReLU", True): 81.0, ("NReLU", False): 79.0, ("binary", True): 78.0, ("binary", False): 77.0}


def record(accuracies=ACCURACIES, spread=0.5, changed=lambda factors: {}):
    """Return made-up trials of each fold: folds differ for all alike, and by turns for the rectified ones alone."""

    def row(factors):
        kind, fold = (factors["unit"], factors["pretrained"]), factors["fold"]
        turn = spread * (-1) ** fold * (factors["unit"] == "NReLU") * (1 if factors["pretrained"] else -1)
        accuracy = accuracies[kind] + fold + turn
        found = {"test_accuracy": accuracy, "validation_accuracy": accuracy, **changed(factors)}
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": 0, "factors": factors, "metrics": found, **shared}

    return Results([row(factors) for factors in faces.trials(CONFIG)])


def words(results):
    return {judged.claim.id: judged.verdict for judged in faces.judge(results)}


def test_every_kind_of_network_is_tried_on_each_fold_of_five_and_of_ten():
    trials = faces.trials(CONFIG)
    assert len(trials) == len({json.dumps(trial) for trial in trials}) == 2 * 2 * (5 + 10)
    assert {(trial["folds"], trial["fold"]) for trial in trials} == {
        *((5, fold) for fold in range(1, 6)),
        *((10, fold) for fold in range(1, 11)),
    }


def test_a_difference_on_every_fold_is_confirmed_and_its_contrary_refuted():
    assert list(words(record())) == [claim.id for claim in faces.EXPERIMENT.claims]
    assert set(words(record()).values()) == {CONFIRMED}
    contrary = {("NReLU", True): 77.0, ("NReLU", False): 79.0, ("binary", True): 80.0, ("binary", False): 81.0}
    assert set(words(record(contrary)).values()) == {REFUTED}


def test_folds_that_disagree_leave_it_open():
    tie = dict.fromkeys(ACCURACIES, 80.0)
    assert set(words(record(tie)).values()) == {INCONCLUSIVE}
    assert words(record({**tie, ("binary", False): 70.0}))["N-10, pre-training"] is INCONCLUSIVE
    # Over ten folds a difference of 1 with a deviation of 1.05 is certain, over five it is not.
    found = words(record({**tie, ("NReLU", True): 81.0}, spread=1.0))
    assert found["N-10, 5 folds, pre-trained"] is INCONCLUSIVE
    assert found["N-10, 10 folds, pre-trained"] is CONFIRMED
    assert found["N-10, 10 folds, not pre-trained"] is INCONCLUSIVE


def test_folds_of_several_seeds_are_not_taken_for_more_folds():
    rows = record().rows
    with pytest.raises(ValueError, match="Expected folds of one seed"):
        faces.judge(Results([*rows, *({**row, "seed": 1} for row in rows)]))


@pytest.mark.parametrize("pretrained", [False, True])
def test_of_a_training_that_diverges_no_metric_is_known(pretrained, monkeypatch):
    def diverges(*arguments):
        raise DivergedError

    monkeypatch.setattr(faces, "trained", diverges)
    found = faces.trial(CONFIG, seed=0, unit="NReLU", pretrained=pretrained, folds=10, fold=1)
    assert all(np.isnan(value).all() for value in found.values())
    assert {"test_accuracy", "area", "true_positives", "train_loss"} <= set(found)
    assert ("norm_ratio" in found) is pretrained


def test_a_run_that_diverged_decides_nothing():
    lost = {"unit": "binary", "pretrained": True, "folds": 10, "fold": 3}
    found = words(record(changed=lambda factors: {"test_accuracy": None} if factors == lost else {}))
    assert {claim for claim, word in found.items() if word is INCONCLUSIVE} == {"N-10, 10 folds, pre-trained"}


def test_curves_of_folds_that_stopped_sooner_end_in_nothing():
    found = record(changed=lambda factors: {"validation_loss": [0.5] * (2 + factors["fold"] % 2)})
    curves = faces.by_fold(found, "validation_loss", "NReLU", True, 5)
    np.testing.assert_array_equal(np.isnan(curves), [[False, False, fold % 2 == 0] for fold in range(1, 6)])


def test_the_network_to_serve_is_the_best_in_validation_of_ten_folds():
    assert faces.best(record()) == {"unit": "NReLU", "pretrained": True, "folds": 10, "fold": 10}

    def changed(factors):
        if (factors["unit"], factors["pretrained"]) == ("binary", False):
            # Of five folds a better one, and of the tests too.
            high = {"test_accuracy": 99.0}
            return high | ({"validation_accuracy": 99.0} if factors["folds"] == 5 else {})
        lucky = factors["fold"] == 4 and factors["folds"] == 10 and factors["pretrained"]
        return {"validation_accuracy": 93.0 if lucky and factors["unit"] == "NReLU" else 80.0}

    assert faces.best(record(changed=changed))["unit"] == "binary"
    found = faces.best(record({**ACCURACIES, ("binary", False): 60.0}, changed=changed))
    assert found == {"unit": "NReLU", "pretrained": True, "folds": 10, "fold": 4}


def test_the_roc_curve_and_its_area_are_those_of_scikit_learn(rng):
    same = rng.integers(0, 2, 300)
    # With ties, and with pairs of one person that no other pair comes near.
    scores = np.round(0.7 * same + rng.normal(size=300), 1)
    same[0], scores[0] = 1, 9.0
    found = faces.receiver(same, scores)
    false, true, _ = metrics.roc_curve(same, scores, drop_intermediate=False)
    assert found["true_positives"] == pytest.approx(np.interp(faces.FALSE_POSITIVES, false, true))
    assert found["true_positives"][0] == (scores[same == 1] > scores[same == 0].max()).mean() > 0
    assert found["true_positives"][-1] == 1
    assert found["area"] == pytest.approx(metrics.roc_auc_score(same, scores))


def pairs_of(count=40, shape=(4, 4, 3), seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(count, 2, *shape)).astype("float32"), (np.arange(count) % 2).astype("int32")
    x[y == 1, 1] += 0.3 * x[y == 1, 0]
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(10), x


@pytest.mark.parametrize("unit", CONFIG.units)
def test_the_machine_has_the_papers_layers_and_the_same_weights_for_all(unit):
    data, x = pairs_of()
    config = dataclasses.replace(SMALL, width=20)
    drawn, nothing = faces.machine_of(config, 7, unit, False, data)
    other, _ = faces.machine_of(config, 7, "NReLU", False, data)
    assert nothing == {} and isinstance(drawn.visible, rbm.Gaussian)
    assert isinstance(drawn.hidden, rbm.NReLU if unit == "NReLU" else rbm.Binary)
    np.testing.assert_array_equal(drawn.kernel.numpy(), other.kernel.numpy())
    assert drawn.kernel.numpy().std() == pytest.approx(config.kernel_scale, rel=0.1)
    # Weights and visible biases alone, those at the mean face.
    assert drawn.count_params() == 48 * 20 + 48
    np.testing.assert_allclose(drawn.visible_biases.numpy(), x.reshape(80, 48).mean(axis=0), atol=1e-5)
    trained, found = faces.machine_of(dataclasses.replace(config, pretraining_epochs=2), 7, unit, True, data)
    assert [len(found[curve]) for curve in ("reconstruction_error", "activity")] == [2, 2]
    assert (found["norm_ratio"] > 0) == (unit == "NReLU")
    assert not np.allclose(trained.kernel.numpy(), drawn.kernel.numpy(), atol=1e-5)


def test_w_and_b_begin_at_the_logistic_regression_on_the_cosines():
    data, x = pairs_of(200)
    machine, _ = faces.machine_of(dataclasses.replace(SMALL, width=30), 3, "binary", False, data)
    model = rbm.siamese(rbm.stacked([keras.layers.Flatten(), machine], shape=(4, 4, 3)))
    faces.begin_at_regression(model, data.map(faces._sides))
    hidden = 1 / (1 + np.exp(-x.reshape(400, 48).astype("float64") @ machine.kernel.numpy()))
    hidden /= np.linalg.norm(hidden, axis=1, keepdims=True)
    cosines = (hidden[::2] * hidden[1::2]).sum(axis=1)
    z = (cosines - cosines.mean()) / cosines.std()
    expected = linear_model.LogisticRegression(C=1e9).fit(z[:, None], np.arange(200) % 2).predict_proba(z[:, None])
    np.testing.assert_allclose(model.predict([x[:, 0], x[:, 1]], verbose=0)[:, 0], expected[:, 1], atol=2e-3)


def test_the_paper_s_network_has_its_weights_and_ours_a_quarter():
    machine = rbm.RBM(CONFIG.width, visible=rbm.Gaussian(), hidden=rbm.NReLU(), hidden_bias="none", seed=1)
    machine.build((None, 3072))
    model = rbm.siamese(rbm.stacked([keras.layers.Flatten(), machine], shape=(32, 32, 3)))
    # 32 x 32 x 3 pixels times 1,000 units without biases, and w and b.
    assert model.count_params() == 3072 * 1000 + 2


@pytest.fixture
def stand_in(monkeypatch):
    digits = sources.find("digits")
    record = {**digits.record, "stands_in_for": "LFW"}
    monkeypatch.setattr(sources, "find", lambda name: sources.Found(digits.builder, record))


def test_digits_stand_in_for_faces_and_the_record_says_so(stand_in):
    record = faces.data(SMALL)
    assert pipelines.note(record).startswith("**Stand-in.** In place of LFW: **5,000 MNIST digits")
    assert "pairs, half of them of one digit" in pipelines.note(record)


@pytest.mark.parametrize("unit", CONFIG.units)
def test_a_trial_gives_what_the_page_reads(stand_in, unit):
    keras.utils.set_random_seed(0)
    found = faces.trial(SMALL, seed=0, unit=unit, pretrained=True, folds=10, fold=1)
    assert set(found) == {
        *("reconstruction_error", "activity", "norm_ratio", "train_loss", "validation_loss"),
        *("train_accuracy", "validation_accuracy", "test_accuracy", "true_positives", "area"),
    }
    assert len(found["true_positives"]) == len(faces.FALSE_POSITIVES)
    assert all(0 <= found[f"{split}_accuracy"] <= 100 for split in ("train", "validation", "test"))
    json.dumps(found)


def test_the_served_network_takes_pixels_and_its_probe_shows_nobody(stand_in, monkeypatch, tmp_path):
    monkeypatch.setattr(exports, "SAVEDMODELS", tmp_path / "savedmodels")
    keras.utils.set_random_seed(0)
    factors = faces.best(record())
    model, splits, found = faces.trained(SMALL, 0, **factors)
    raw = pipelines.lfw_arrays(10)[0][2][0].astype("float32")
    served = faces.of_pixels(model, pipelines.lfw_arrays(10)[0][0][0])
    expected = model.predict(splits.test, verbose=0)
    np.testing.assert_allclose(served.predict([raw[:, 0], raw[:, 1]], verbose=0), expected, atol=1e-4)
    path = faces.export(SMALL, record())
    card = json.loads((path / "1" / "assets.extra" / "card.json").read_text())
    assert (path.name, card["unit"], card["fold"]) == ("lfw", "NReLU", 10)
    assert card["metric"]["value"] == pytest.approx(found["test_accuracy"])
    loaded = tf.saved_model.load(str(path / "1")).signatures["serving_default"]
    same = loaded(first=tf.constant(raw[:50, 0]), second=tf.constant(raw[:50, 1]))["same"]
    np.testing.assert_allclose(same, expected[:50], atol=1e-4)
