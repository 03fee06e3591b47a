"""The only code that writes savedmodels/: a chapter's best network, with a card that says what it is."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from reruns import origin, verdicts
from reruns.data import sources
from reruns.data.pipelines import Splits

SAVEDMODELS = Path(__file__).parents[2] / "savedmodels"


def of_digits(
    model: keras.Model, name: str, splits: Splits, test_accuracy: float, card: dict[str, Any], **signatures: Any
) -> Path:
    """Export a classifier of MNIST's digits, with 32 test images as its probe, to be asked with bytes as pixels."""
    card = {**card, "licence_of_the_data": "MNIST, by Yann LeCun and Corinna Cortes: CC BY-SA 3.0"}
    return _of_images(model, name, splits, test_accuracy, card, **signatures)


def of_cifar10(
    model: keras.Model, name: str, splits: Splits, test_accuracy: float, card: dict[str, Any], **signatures: Any
) -> Path:
    """Export a classifier of CIFAR-10's images like one of digits; the card names the classes in their order.

    Where something stands in for CIFAR-10, the names are of the stand-in.
    """
    card = {
        **card,
        "class_names": sources.find("cifar10").builder.info.features["label"].names,
        "licence_of_the_data": "CIFAR-10, by Alex Krizhevsky, Vinod Nair and Geoffrey Hinton: none is stated",
    }
    return _of_images(model, name, splits, test_accuracy, card, **signatures)


def _of_images(
    model: keras.Model, name: str, splits: Splits, test_accuracy: float, card: dict[str, Any], **signatures: Any
) -> Path:
    images, _ = next(iter(splits.test))
    card |= {
        "data": splits.record,
        "metric": verdicts.share("test accuracy, percent", test_accuracy, splits.record["sizes"]["test"]),
    }
    scaling = keras.layers.Rescaling(1 / 255)
    return export(model, name, {"images": images.numpy()[:32]}, card, preprocess=scaling, **signatures)


def export(model: keras.Model, name: str, probe: dict[str, np.ndarray], card: dict, **signatures: Any) -> Path:
    """Export a model as the only version in savedmodels/NAME: all of it, or on any error nothing."""
    # Here, because a trial needs no exporter.
    from keras_rectifiers import serving
    from keras_rectifiers.serving import server_files

    SAVEDMODELS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SAVEDMODELS, prefix=f".{name}-") as folder:
        serving.export(model, Path(folder) / name, probe=probe, card={**card, **origin.here()}, **signatures)
        target, old = SAVEDMODELS / name, Path(folder) / "old"
        if target.exists():
            target.rename(old)
        try:
            (Path(folder) / name).rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
    server_files.write_config(SAVEDMODELS)
    return SAVEDMODELS / name
