"""Is a network exported whole or not at all, and are the exported networks the recorded ones?"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from reruns import exports, results
from reruns.chapters import faces, norb, rectifiers, serving
from reruns.chapters.elu_convnet import served
from reruns.chapters.sentiment import served as reviews


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "SAVEDMODELS", tmp_path / "savedmodels")
    return tmp_path


def test_a_failed_export_leaves_the_old_model_and_nothing_else(folder):
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1)])
    probe = {"x": np.ones((3, 2), "float32")}
    exports.export(model, "model", probe, {"seed": 1})
    with pytest.raises(ValueError, match="card of what JSON can say"):
        exports.export(model, "model", probe, {"seed": object()})
    assert sorted(file.name for file in (folder / "savedmodels").iterdir()) == ["model", "models.config"]
    assert card(folder / "savedmodels" / "model")["seed"] == 1
    exports.export(model, "model", probe, {"seed": 2})
    assert card(folder / "savedmodels" / "model")["seed"] == 2


@pytest.mark.parametrize("before", [0, 1])
def test_a_model_that_cannot_be_put_in_its_place_leaves_what_was_there(folder, monkeypatch, before):
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1)])
    probe, rename = {"x": np.ones((3, 2), "float32")}, Path.rename
    for seed in range(before):
        exports.export(model, "model", probe, {"seed": seed})

    def refuse(self, target):
        if (self.name, Path(target)) == ("model", folder / "savedmodels" / "model"):
            raise PermissionError(13, "Permission denied", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError, match="savedmodels/model"):
        exports.export(model, "model", probe, {"seed": 9})
    assert [path.name for path in (folder / "savedmodels").glob("*/1")] == before * ["1"]
    assert not before or card(folder / "savedmodels" / "model")["seed"] == 0


def card(model):
    return json.loads((model / "1" / "assets.extra" / "card.json").read_text())


SAVED = Path(__file__).parents[2] / "savedmodels"


def test_the_exported_networks_are_the_recorded_ones():
    found, recorded = card(SAVED / "digits"), results.of_chapter("rectifiers")
    assert (found["unit"], found["learning_rate"], found["seed"]) == rectifiers.best(recorded)
    accuracy = recorded.of("test_accuracy", unit=found["unit"], learning_rate=found["learning_rate"])[found["seed"]]
    assert found["metric"]["value"] == pytest.approx(accuracy, abs=1e-4)
    found, recorded = card(SAVED / "maxout_dense"), results.of_chapter("serving")
    assert found["seed"] == serving.best(recorded)
    accuracy = recorded.of("test_accuracy", part="training")[found["seed"]]
    assert found["metric"]["value"] == pytest.approx(accuracy, abs=1e-4)
    found, recorded = card(SAVED / "cifar10"), results.of_chapter("elu_convnet")
    assert found["seed"] == served.best(recorded)
    accuracy = recorded.of("test_accuracy", part="served")[found["seed"]]
    assert found["metric"]["value"] == pytest.approx(accuracy, abs=1e-3)
    found, recorded = card(SAVED / "norb"), results.of_chapter("norb")
    factors, seed = norb.best(recorded)
    assert {name: found[name] for name in (*factors, "seed")} == {**factors, "seed": seed}
    error = recorded.of("test_error", **factors)[seed]
    assert found["metric"]["value"] == pytest.approx(100 - error, abs=1e-3)
    found, recorded = card(SAVED / "lfw"), results.of_chapter("faces")
    factors = faces.best(recorded)
    assert {name: found[name] for name in factors} == factors
    (accuracy,) = recorded.of("test_accuracy", **factors)
    assert found["metric"]["value"] == pytest.approx(accuracy, abs=1e-3)
    found, recorded = card(SAVED / "reviews"), results.of_chapter("sentiment")
    assert found["seed"] == reviews.best(recorded)
    error = recorded.of("test_error", **reviews.FACTORS_OF_IT)[found["seed"]]
    assert found["metric"]["value"] == pytest.approx(100 - error, abs=1e-3)
