"""The files that TensorFlow Serving reads besides a model: warm-up requests, batching, its list of models."""

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_rectifiers.serving.signatures import Arrays

WARM_UP = "tf_serving_warmup_requests"
# Of a server that is started with --enable_batching and --enable_per_model_batching_parameters. The number of its
# threads is not a model's to say.
BATCHING = """\
max_batch_size { value: 256 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 100 }
"""
NAME = re.compile(r"[\w.-]*\w", re.ASCII)
MODELS = "/models"  # the folder of a server's container that the models' folder is mounted at


def versions(folder: Path) -> list[int]:
    """Return the numbers of the versions in a model's folder."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if re.fullmatch("[1-9][0-9]*", path.name))


def write(path: Path, model: str, tried: dict[str, tuple[Arrays, Arrays]]) -> None:
    """Write warm-up requests for each signature without a seed, of one row and of all, and the batching parameters."""
    (path / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / "assets.extra" / WARM_UP)) as writer:
        for signature, (inputs, _) in tried.items():
            # A server that batches refuses inputs of different first sizes, and with such a warm-up the whole model.
            if "seed" not in inputs:
                for rows in (1, None):
                    first = {name: array[:rows] for name, array in inputs.items()}
                    writer.write(_logged(model, signature, first).SerializeToString())
    (path / "batching_params.pbtxt").write_text(BATCHING)


def write_config(folder: Path) -> None:
    """Add the models that lie in a folder to its `models.config`, the list that a server is started with.

    What is there stays: a version that was pinned by hand too.
    """
    file = folder / "models.config"
    text = file.read_text() if file.exists() else "model_config_list {\n}\n"
    listed = re.findall(r'name: "([^"]+)"', text)
    models = {path.parents[1].name for path in folder.glob("*/*/saved_model.pb") if path.parent.name.isdecimal()}
    names = sorted(filter(NAME.fullmatch, models))
    entries = "".join(
        f'  config {{\n    name: "{name}"\n    base_path: "{MODELS}/{name}"\n    model_platform: "tensorflow"\n  }}\n'
        for name in names
        if name not in listed
    )
    rest = text.rstrip().removesuffix("}")
    temporary = folder / f".models.config.{os.getpid()}"
    try:
        temporary.write_text(f"{rest}{entries}}}\n")
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def check_installed() -> None:
    """Refuse to begin without the protocol of TensorFlow Serving."""
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ImportError(
            "The warm-up requests need the protocol of TensorFlow Serving: pip install 'keras-rectifiers[serving]'"
        )


def _logged(model: str, signature: str, inputs: Arrays) -> Any:
    # Imported here, so that `check_installed` can say what is missing.
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.asarray(array)))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
