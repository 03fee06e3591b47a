"""Run alone, by its path: replay a version's probe and warm-up requests without this package and without Keras.

Prints, as JSON, the largest error of each signature over its largest output, and how many warm-up requests ran.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def shut_out(*packages: str) -> None:
    """Let every import of these packages fail in this process."""
    sys.modules.update(dict.fromkeys(packages))  # type: ignore[arg-type]


def probe(path: Path) -> dict[str, tuple[dict, dict]]:
    """Return inputs and outputs by signature."""
    tried: dict[str, tuple[dict, dict]] = {}
    with np.load(path / "assets.extra" / "probe.npz") as arrays:
        for key in arrays:
            if not key.startswith("lengths:"):
                signature, kind, name = key.split(":", 2)
                inputs_and_outputs = tried.setdefault(signature, ({}, {}))
                inputs_and_outputs[kind == "outputs"][name] = _read(arrays, key)
    return tried


def _read(arrays: Any, key: str) -> np.ndarray:
    array = arrays[key]
    if array.dtype.kind != "S":
        return array
    words = array.astype(object)
    # The zeros at the ends of strings, which NumPy drops.
    if f"lengths:{key}" in arrays:
        lengths = arrays[f"lengths:{key}"].flat
        words.flat = [word.ljust(length, b"\0") for word, length in zip(words.flat, lengths, strict=True)]
    return words


def error(expected: dict, found: dict) -> float:
    """Return the largest difference of the outputs over the largest output; of integers and strings, 0 or infinity."""
    if set(expected) != set(found):
        return np.inf
    return max(map(_error, (expected[name] for name in expected), (np.asarray(found[name]) for name in expected)))


def _error(expected: np.ndarray, found: np.ndarray) -> float:
    if expected.shape != found.shape:
        return np.inf
    if not np.issubdtype(expected.dtype, np.floating):
        return 0.0 if (expected == found).all() else np.inf
    if not np.isfinite(found).all():
        return np.inf
    return float(np.abs(expected - found).max() / max(np.abs(expected).max(), 1e-30))


def _replayed(path: Path) -> dict:
    from tensorflow_serving.apis import prediction_log_pb2

    model = tf.saved_model.load(path)
    tried = probe(path)
    errors = {
        name: error(outputs, model.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()}))
        for name, (inputs, outputs) in tried.items()
    }
    requests = tf.data.TFRecordDataset(str(path / "assets.extra" / "tf_serving_warmup_requests"))
    count = 0
    for record in requests.as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        model.signatures[request.model_spec.signature_name](**inputs)
        count += 1
    return {"errors": errors, "warm_up": count}


if __name__ == "__main__":
    # A server has neither.
    shut_out("keras", "keras_rectifiers")
    print(json.dumps(_replayed(Path(sys.argv[1]))))
