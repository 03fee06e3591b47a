"""The only code that writes savedmodels/: a chapter's best network, with a card that says what it is."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from reruns import origin, verdicts
from reruns.data import pipelines, sources
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


def of_norb(model: keras.Model, name: str, splits: Splits, test_accuracy: float, card: dict[str, Any]) -> Path:
    """Export a classifier of NORB's pairs, given as logits, with softmax on top, to be asked with grey levels.

    Its probe is 32 test pairs. What standardizes pixels is part of the network, for a server's own preparation is of
    one image and not of two.
    """
    mean, deviation = pipelines.norb_pixels(train=splits.record["sizes"]["train"])
    layers = [
        keras.layers.Normalization((1, 2, 3), mean=mean, variance=np.full_like(mean, deviation**2)),
        *model.layers,
    ]
    softmax = keras.layers.Softmax(name="probabilities")
    whole = keras.Sequential([keras.Input(mean.shape, name="images"), *layers, softmax])
    standardized = next(iter(splits.test))[0].numpy()[:32]
    card |= {
        "data": splits.record,
        "class_names": _norb_classes(),
        "licence_of_the_data": "NORB, by Fu Jie Huang and Yann LeCun: for research; the toy NORB: generated, ours",
        "metric": _accuracy(splits, test_accuracy),
    }
    return export(whole, name, {"images": np.rint(standardized * deviation + mean).astype("float32")}, card)


def _norb_classes() -> list[str]:
    return sources.find("norb").builder.info.features["label_category"].names


def _accuracy(splits: Splits, percent: float) -> dict[str, Any]:
    return verdicts.share("test accuracy, percent", percent, splits.record["sizes"]["test"])


def _of_images(
    model: keras.Model, name: str, splits: Splits, test_accuracy: float, card: dict[str, Any], **signatures: Any
) -> Path:
    images, _ = next(iter(splits.test))
    card |= {
        "data": splits.record,
        "metric": _accuracy(splits, test_accuracy),
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
