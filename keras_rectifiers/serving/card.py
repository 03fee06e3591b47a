"""What a served version carries beside its graph: a card that says where it comes from, and a probe."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_rectifiers.serving.probes import Arrays

# The folder of a SavedModel that TensorFlow leaves to whoever made it.
EXTRA = "assets.extra"
# Between Keras and the served graph, both float32: relative to the largest output, and of that.
TOLERANCE = 1e-5


def write(path: Path, given: dict[str, Any]) -> None:
    """Write the card of a version that is otherwise finished."""
    card = {
        **given,
        "signatures": _signatures(path),
        "tolerance": TOLERANCE,
        "commit": given.get("commit") or _commit(),
        "versions": _versions(),
        "checksums": checksums(path),
    }
    (path / EXTRA / "card.json").write_text(json.dumps(card, indent=1, allow_nan=False) + "\n")


def write_probe(path: Path, tried: dict[str, tuple[Arrays, Arrays]]) -> None:
    """Write inputs and outputs of each signature, as arrays named SIGNATURE:inputs:NAME and SIGNATURE:outputs:NAME.

    Strings are arrays of a fixed width, for Python objects could only be pickled. NumPy drops zeros at their ends:
    where there are any, the lengths stand beside, as lengths:SIGNATURE:inputs:NAME.
    """
    arrays: Arrays = {}
    for signature, both in tried.items():
        for kind, named in zip(("inputs", "outputs"), both, strict=True):
            for name, array in named.items():
                arrays |= _stored(f"{signature}:{kind}:{name}", array)
    (path / EXTRA).mkdir(exist_ok=True)
    np.savez_compressed(path / EXTRA / "probe.npz", **arrays)  # type: ignore[arg-type]


def _stored(key: str, array: np.ndarray) -> Arrays:
    if array.dtype != object:
        return {key: array}
    fixed = array.astype("S")
    if (fixed.astype(object) == array).all():
        return {key: fixed}
    lengths = np.array([len(word) for word in array.ravel()], "int64").reshape(array.shape)
    return {key: fixed, f"lengths:{key}": lengths}


def checksums(path: Path) -> dict[str, str]:
    """Return the SHA-256 sums of a version's files, without the card itself and what a Mac leaves in its folders."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name not in ("card.json", ".DS_Store"))
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _signatures(path: Path) -> dict[str, Any]:
    def described(specs: dict) -> dict:
        return {name: {"dtype": spec.dtype.name, "shape": list(spec.shape)} for name, spec in sorted(specs.items())}

    loaded = tf.saved_model.load(path)
    return {
        name: {
            "inputs": described(function.structured_input_signature[1]),
            "outputs": described(function.structured_outputs),
        }
        for name, function in loaded.signatures.items()
    }


def _versions() -> dict[str, str]:
    packages = ("keras-rectifiers", "keras", "tensorflow", "numpy")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}


def _commit() -> str | None:
    """Return the commit of the checkout that the command runs in, if it does."""
    try:
        result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
