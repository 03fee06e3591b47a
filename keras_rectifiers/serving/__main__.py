"""Export a Keras model for TensorFlow Serving, or check what was exported.

keras-rectifiers MODEL.keras savedmodels/NAME [options]
keras-rectifiers check savedmodels/NAME [--onnx] [--openvino] [--litert]
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np

from keras_rectifiers.serving import check, export
from keras_rectifiers.serving.check import FORMATS


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 1 with the reason on standard error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        print(_check(arguments[1:]) if arguments[:1] == ["check"] else _export(arguments))
    except (OSError, ValueError, ImportError) as error:
        print(f"keras-rectifiers: {error}", file=sys.stderr)
        return 1
    return 0


def run() -> None:
    """The console script."""
    sys.exit(main())


def _export(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(
        prog="keras-rectifiers", epilog="`keras-rectifiers check --help` tells of the other."
    )
    parser.add_argument("model", type=Path, help="a .keras file")
    parser.add_argument("folder", type=Path, help="the model's folder, savedmodels/NAME; the next version goes into it")
    parser.add_argument("--version", type=int, help="this version instead of the next one")
    parser.add_argument("--output", help="the name of a single output")
    parser.add_argument("--probe", type=Path, help="an .npz file of inputs by name, to try the model with")
    parser.add_argument(
        "--preprocess",
        type=float,
        nargs="?",
        const=255.0,
        metavar="DIVISOR",
        help="add signatures that take images: uint8 pixels or encoded files, divided by this (255)",
    )
    parser.add_argument(
        "--features",
        nargs="?",
        const=True,
        default=False,
        metavar="LAYER",
        help="add a signature that returns the last hidden layer, or this one",
    )
    parser.add_argument("--normalized", action="store_true", help="give the features the length 1")
    parser.add_argument("--sample", action="store_true", help="add a signature that draws noise from a seed")
    parser.add_argument("--card", type=Path, help="a .json file: data, metrics, licences")
    given = parser.parse_args(arguments)
    if given.preprocess is not None and not given.preprocess > 0:
        raise ValueError(f"Expected a DIVISOR above 0. Received: {given.preprocess}")
    divisor = given.preprocess
    path = export(
        _loaded(given.model),
        given.folder,
        version=given.version,
        output=given.output,
        probe=None if given.probe is None else _arrays(given.probe),
        preprocess=None if divisor is None else (lambda pixels: pixels / divisor),
        features=given.features,
        normalized=given.normalized,
        sample=given.sample,
        card=None if given.card is None else _card(given.card),
    )
    return f"exported {path}"


def _loaded(path: Path) -> keras.Model:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; expected a .keras file.")
    try:
        return keras.saving.load_model(path, compile=False)
    # A file that is none fails in many ways.
    except Exception as error:
        raise ValueError(f"{path} cannot be loaded as a Keras model: {_first_line(error)}") from None


def _arrays(path: Path) -> dict:
    try:
        with np.load(path) as arrays:
            return dict(arrays)
    except (ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no .npz file of arrays by name: {_first_line(error)}") from None


def _card(path: Path) -> dict:
    try:
        card = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(card, dict):
        raise ValueError(f"{path} is no card: expected a table of names.")
    return card


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _check(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="keras-rectifiers check")
    parser.add_argument("folder", type=Path, help="a model's folder, or a version's")
    for name in FORMATS:
        parser.add_argument(f"--{name}", action="store_true", help=f"also convert to {name} and run that")
    given = parser.parse_args(arguments)
    return check(given.folder, [name for name in FORMATS if getattr(given, name)]).table()


if __name__ == "__main__":
    run()
