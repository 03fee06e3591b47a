"""The files that TensorFlow Serving reads besides a model: warm-up requests and batching; the numbers of versions."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_rectifiers.serving import model_list
from keras_rectifiers.serving.card import EXTRA
from keras_rectifiers.serving.probes import Arrays

WARM_UP = "tf_serving_warmup_requests"
# Of a server that is started with --enable_batching and --enable_per_model_batching_parameters. The number of its
# threads is not a model's to say.
BATCHING = """\
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 100 }
"""
NAME = re.compile(r"[\w.-]*\w", re.ASCII)
LARGEST = 2**63 - 1  # the largest number that the server's int64 takes


def versions(folder: Path) -> list[int]:
    """Return the numbers of the versions in a model's folder."""
    if not folder.is_dir():
        return []
    named = (path for path in folder.iterdir() if re.fullmatch("[1-9][0-9]*", path.name) and path.is_dir())
    return sorted(number for number in (int(path.name) for path in named) if number <= LARGEST)


def write(path: Path, model: str, tried: dict[str, tuple[Arrays, Arrays]], fixed: int | None) -> None:
    """Write warm-up requests for each signature without a seed, and the batching parameters.

    Each signature is asked with one row and with all; where the number of rows is `fixed`, with these only.
    """
    (path / EXTRA).mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / EXTRA / WARM_UP)) as writer:
        for signature, (inputs, _) in tried.items():
            # A server that batches refuses inputs of different first sizes, and with such a warm-up the whole model.
            if "seed" not in inputs:
                for rows in (None,) if fixed else (1, None):
                    first = {name: array[:rows] for name, array in inputs.items()}
                    writer.write(_logged(model, signature, first).SerializeToString())
    # A server that batches fills a batch up to a size that is allowed.
    size = f"max_batch_size {{ value: {fixed or 256} }}\n" + (f"allowed_batch_sizes: {fixed}\n" if fixed else "")
    (path / "batching_params.pbtxt").write_text(size + BATCHING)


def write_config(folder: Path) -> None:
    """Add the models that lie in a folder to its `models.config`, the list that a server is started with.

    What is there stays: a version that was pinned by hand too.
    """
    names = {path.name for path in folder.iterdir() if path.is_dir() and NAME.fullmatch(path.name)}
    model_list.add(folder, sorted(name for name in names if _holds_a_version(folder / name)))


def check_installed() -> None:
    """Refuse to begin without the protocol of TensorFlow Serving."""
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ImportError(
            "The warm-up requests need the protocol of TensorFlow Serving: pip install 'keras-rectifiers[serving]'"
        )


def _holds_a_version(folder: Path) -> bool:
    return any((folder / str(number) / "saved_model.pb").exists() for number in versions(folder))


def _logged(model: str, signature: str, inputs: Arrays) -> Any:
    # Imported here, so that `check_installed` can say what is missing.
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.asarray(array)))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
