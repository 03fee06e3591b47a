"""Export a Keras model for TensorFlow Serving, or check what was exported.

keras-rectifiers MODEL.keras savedmodels/NAME [options]
keras-rectifiers check savedmodels/NAME [--onnx] [--openvino] [--litert]

This file needs only Python's own library until the arguments are parsed: TensorFlow takes seconds to load. Loaded by
its path, without the package around it, it answers `--help` at once.
"""

import argparse
import contextlib
import json
import math
import os
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Told = Callable[[str], object]
FORMATS = ("onnx", "openvino", "litert")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 1 with the reason on standard error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    checks = arguments[:1] == ["check"]
    given = _check_parser().parse_args(arguments[1:]) if checks else _export_parser().parse_args(arguments)
    try:
        with _progress() as told, _warnings():
            told("loading TensorFlow")
            with _quiet():
                import keras_rectifiers.serving  # noqa: F401
            answer = _check(given, told) if checks else _export(given, told)
    except (OSError, ValueError, ImportError) as error:
        print(f"keras-rectifiers: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(answer)
    return 0


def _export_parser() -> argparse.ArgumentParser:
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
        help="add a signature that returns what goes into the last layer with weights, or what comes out of this one",
    )
    parser.add_argument("--normalized", action="store_true", help="give the features the length 1")
    parser.add_argument("--sample", action="store_true", help="add a signature that draws noise from a seed")
    parser.add_argument("--card", type=Path, help="a .json file: data, metrics, licences")
    return parser


def _check_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keras-rectifiers check")
    parser.add_argument("folder", type=Path, help="a model's folder, or a version's")
    for name in FORMATS:
        parser.add_argument(f"--{name}", action="store_true", help=f"also convert to {name} and run that")
    return parser


def _export(given: argparse.Namespace, told: Told) -> str:
    from keras_rectifiers import serving

    divisor = given.preprocess
    if divisor is not None and not 0 < divisor < math.inf:
        raise ValueError(f"Expected a finite DIVISOR above 0. Received: {divisor}")
    told(f"loading {given.model}")
    model = _loaded(given.model)
    told(f"exporting to {given.folder}")
    path = serving.export(
        model,
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


def _check(given: argparse.Namespace, told: Told) -> str:
    from keras_rectifiers import serving

    formats = [name for name in FORMATS if getattr(given, name)]
    told(f"checking {', '.join([str(given.folder), *formats])}")
    return serving.check(given.folder, formats).table()


def _loaded(path: Path) -> Any:
    import keras

    from keras_rectifiers.serving.reasons import reason

    if path.is_dir():
        served = (path / "saved_model.pb").exists() or any(path.glob("*/saved_model.pb"))
        hint = " What is exported already is checked: `keras-rectifiers check`." if served else ""
        raise IsADirectoryError(f"{path} is a folder; expected a .keras file.{hint}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; expected a .keras file.")
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ValueError(f"{path} is not named as a Keras model; expected a .keras file.")
    # Keras would call it missing.
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no whole .keras file: cut off, or of another kind ({path.stat().st_size} bytes).")
    try:
        return keras.saving.load_model(path, compile=False)
    # A file that is none fails in many ways.
    except Exception as error:
        said = reason(error)
        hint = " Was a lookup layer in it never adapted?" if "cannot be empty tensors" in said else ""
        raise ValueError(f"{path} cannot be loaded as a Keras model: {said}{hint}") from None


def _arrays(path: Path) -> dict:
    import numpy as np

    from keras_rectifiers.serving.reasons import reason

    try:
        arrays = np.load(path)
        if not isinstance(arrays, np.ndarray):
            with arrays:
                return dict(arrays)
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        hint = " Strings are kept without pickle as an array of text, dtype U." if "allow_pickle" in str(error) else ""
        raise ValueError(f"{path} is no .npz file of arrays by name: {reason(error)}{hint}") from None
    raise ValueError(f"{path} holds one array without a name; expected an .npz file of inputs by name.")


def _card(path: Path) -> dict:
    try:
        card = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(card, dict):
        raise ValueError(f"{path} is no card: expected a table of names.")
    return card


@contextlib.contextmanager
def _progress() -> Iterator[Told]:
    """Give a function that shows what is being done, on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    # On a descriptor of its own, for the usual one is shut while TensorFlow is loaded.
    with open(os.dup(sys.stderr.fileno()), "w") as terminal, Console(file=terminal).status("") as status:
        yield status.update


@contextlib.contextmanager
def _warnings() -> Iterator[None]:
    """Show a warning as one line, after the work."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for warning in caught:
                print(f"keras-rectifiers: {' '.join(str(warning.message).split())}", file=sys.stderr)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Shut standard error while libraries are loaded, for TensorFlow's greet there; on an error tell what they said."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with tempfile.TemporaryFile() as said:
            os.dup2(said.fileno(), 2)
            try:
                yield
            except BaseException:
                said.seek(0)
                os.write(saved, said.read())
                raise
            finally:
                os.dup2(saved, 2)
    finally:
        os.close(saved)
