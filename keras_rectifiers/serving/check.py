"""Is a served version whole, and does it run where neither this package nor Keras can be imported?

Everything that loads the model runs in processes of its own (`replay.py`, `conversions.py`), one a runtime.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from keras_rectifiers.serving import card as cards
from keras_rectifiers.serving import graph, server_files, unfinished

FORMATS = {"onnx": "model.onnx", "openvino": "model.xml", "litert": "model.tflite"}


class CheckError(ValueError):
    """A served version that is broken, or a conversion that does not give the same outputs."""


class Found(NamedTuple):
    """What a check found: the operations of each signature, and the largest error of each runtime and signature."""

    path: Path
    operations: dict[str, dict[str, int]]
    errors: dict[str, dict[str, float]]
    warm_up: int

    def table(self) -> str:
        """Return it as the table that the command prints."""
        lines = [f"{self.path}", "", f"{'signature':18s}{'operations':>10s}  most frequent"]
        for signature, counts in self.operations.items():
            most = ", ".join(f"{op} {count}" for op, count in list(counts.items())[:5])
            lines.append(f"{signature:18s}{sum(counts.values()):10d}  {most}")
        lines += ["", f"{'runtime':18s}{'signature':18s}largest error, over the largest output"]
        for runtime, errors in self.errors.items():
            lines += [f"{runtime:18s}{signature:18s}{error:.1e}" for signature, error in errors.items()]
        return "\n".join([*lines, "", f"{self.warm_up} warm-up requests replayed"])


def check(folder: str | os.PathLike, formats: Iterable[str] = ()) -> Found:
    """Check a served version: checksums, operations, the probe's outputs and the warm-up requests; convert it if asked.

    Args:
        folder: a version's folder, or a model's, whose highest version is taken.
        formats: of `"onnx"`, `"openvino"` and `"litert"`: also convert `serving_default`, run the format's own checker
            and runtime on the probe, and keep the file in the model's folder, as `VERSION.onnx` and so on.

    Returns:
        What was found; `print(found.table())` shows it.

    Raises:
        CheckError: naming the version and what is wrong with it. A conversion that fails leaves no file.

    Example:

    >>> import tempfile, keras
    >>> from keras_rectifiers import CReLU, serving
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), CReLU(), keras.layers.Dense(3)])
    >>> path = serving.export(model, tempfile.mkdtemp() + "/irises")
    >>> found = serving.check(path)
    >>> found.operations["serving_default"]["MatMul"], found.warm_up
    (2, 2)
    """
    formats = list(formats)
    if unknown := sorted(set(formats) - set(FORMATS)):
        raise ValueError(f"Expected formats of {', '.join(FORMATS)}. Received: {', '.join(unknown)}")
    path = _version(Path(folder))
    card = _card(path)
    _check_files(path, card)
    try:
        faults = graph.faults(path)
        operations = {name: dict(graph.counts(path, name).most_common()) for name in card["signatures"]}
    except ValueError as error:
        raise CheckError(f"{error}. Export the model again.") from None
    if faults:
        raise CheckError(f"{path}: {'; '.join(faults)}")
    replayed = _alone("replay", path)
    errors = {"TensorFlow": _within(path, "TensorFlow", replayed["errors"], card)}
    for name in formats:
        errors[name] = _converted(path, name, card)
    return Found(path, operations, errors, replayed["warm_up"])


def _version(folder: Path) -> Path:
    if not folder.is_dir():
        raise CheckError(f"{folder} is no folder; expected a model's or a version's.")
    if (folder / "saved_model.pb").exists():
        return folder
    if not (numbers := server_files.versions(folder)):
        models = sorted(path.name for path in folder.iterdir() if server_files.versions(path))
        hint = f" It holds models, one of which can be checked: {', '.join(models)}." if models else ""
        raise CheckError(f"{folder} holds no version: no folder with a number for its name.{hint}")
    return folder / str(numbers[-1])


def _card(path: Path) -> dict[str, Any]:
    file = path / cards.EXTRA / "card.json"
    try:
        card = json.loads(file.read_text())
    except FileNotFoundError:
        raise CheckError(f"{file} is not there: `keras-rectifiers` did not export this version.") from None
    except ValueError as error:
        raise CheckError(f"{file} is not valid JSON ({error}). Export the model again.") from None
    expected = {"signatures": dict, "checksums": dict, "tolerance": float}
    if not isinstance(card, dict) or any(not isinstance(card.get(key), kind) for key, kind in expected.items()):
        raise CheckError(f"{file} is no model card: it lacks {', '.join(expected)}. Export the model again.")
    return card


def _check_files(path: Path, card: dict[str, Any]) -> None:
    expected, found = card["checksums"], cards.checksums(path)
    wrong = sorted(name for name in expected if expected[name] != found.get(name))
    strange = sorted(set(found) - set(expected))
    if wrong or strange:
        what = [
            f"{path / name} {'differs from what was exported' if name in found else 'is missing'}" for name in wrong
        ]
        what += [f"{path / name} was not exported" for name in strange]
        raise CheckError(f"{'; '.join(what)}. Export the model again.")


def _within(path: Path, runtime: str, errors: dict[str, float], card: dict[str, Any]) -> dict[str, float]:
    wrong = {name: error for name, error in errors.items() if not error <= card["tolerance"]}
    if wrong:
        told = ", ".join(f"{name} by {error:.1e}" for name, error in wrong.items())
        raise CheckError(f"{path}: outputs in {runtime} differ from the probe's beyond {card['tolerance']:g}: {told}")
    return errors


def _converted(path: Path, name: str, card: dict[str, Any]) -> dict[str, float]:
    file = path.parent / f"{path.name}{Path(FORMATS[name]).suffix}"
    with unfinished.inside(path.parent) as folder:
        made = folder / FORMATS[name]
        errors = _within(path, name, _alone("conversions", path, name, made)["errors"], card)
        # OpenVINO writes two files: the weights first, so that whoever sees the graph sees them too.
        if made.with_suffix(".bin").exists():
            made.with_suffix(".bin").replace(file.with_suffix(".bin"))
        made.replace(file)
    return errors


def _alone(script: str, path: Path, *arguments: object) -> dict[str, Any]:
    """Run a script of this folder in a process of its own and return what it printed, as JSON."""
    file = Path(__file__).with_name(f"{script}.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-P", "-W", "ignore", str(file), str(path), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        lacking = re.search(r"TF Select ops: (.+)", result.stderr)
        reason = f"no operation there for {lacking[1]}" if lacking else lines[-1]
        raise CheckError(f"{path}: {' '.join([script, *map(str, arguments[:1])])} failed: {reason}")
    return json.loads(result.stdout.strip().splitlines()[-1])
