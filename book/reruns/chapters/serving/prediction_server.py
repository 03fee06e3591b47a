"""TensorFlow Serving's gRPC interface around SavedModels, on this machine: what a chapter and the tests talk to.

It speaks the published protocol (PredictionService: Predict, GetModelMetadata) with versions and signatures. It is not
TensorFlow Serving: no batching, no reloading, no REST, no warm-up.
"""

import contextlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from keras_rectifiers.serving.server_files import versions

# In bytes; gRPC's own limit is 4 MiB.
SIZES = [("grpc.max_receive_message_length", 64 * 2**20), ("grpc.max_send_message_length", 64 * 2**20)]


class Loaded:
    """A version in a session, as the server itself holds it: a call runs a graph, without Python around each step."""

    def __init__(self, path: Path) -> None:
        session = tf.compat.v1.Session(graph=tf.Graph())
        logger = tf.get_logger()
        level = logger.level
        # What loads into a session is deprecated for all but servers.
        logger.setLevel(logging.ERROR)
        try:
            with session.graph.as_default():
                stored = tf.compat.v1.saved_model.load(session, ["serve"], str(path)).signature_def
        finally:
            logger.setLevel(level)
        self.signatures = {name: signature for name, signature in stored.items() if signature.outputs}
        self.calls = {
            name: session.make_callable(
                [tensor.name for _, tensor in sorted(signature.outputs.items())],
                [tensor.name for _, tensor in sorted(signature.inputs.items())],
            )
            for name, signature in self.signatures.items()
        }

    def __call__(self, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        signature = self.signatures[name]
        if set(inputs) != set(signature.inputs):
            raise ValueError(f"inputs are {', '.join(sorted(signature.inputs))}, not {', '.join(sorted(inputs))}")
        values = self.calls[name](*(inputs[key] for key in sorted(inputs)))
        return dict(zip(sorted(signature.outputs), values, strict=True))


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The models and versions that `models.config` in a folder lists: of each model the highest, or those it pins."""

    def __init__(self, folder: Path) -> None:
        config = model_server_config_pb2.ModelServerConfig()
        text_format.Parse((folder / "models.config").read_text(), config)
        self.models = {
            entry.name: {
                version: Loaded(folder / entry.name / str(version))
                for version in entry.model_version_policy.specific.versions or [max(versions(folder / entry.name))]
            }
            for entry in config.model_config_list.config
        }

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """Answer a request with the outputs of one signature."""
        version, model = self._model(request.model_spec, context)
        name = request.model_spec.signature_name or "serving_default"
        if name not in model.signatures:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"signature {name} is none of {', '.join(model.signatures)}"
            )
        try:
            found = model(name, {key: tf.make_ndarray(value) for key, value in request.inputs.items()})
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        response.model_spec.version.value = version
        for key, value in found.items():
            if not request.output_filter or key in request.output_filter:
                response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """Answer with the signatures of a model."""
        version, model = self._model(request.model_spec, context)
        described = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in model.signatures.items():
            described.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        response.metadata["signature_def"].Pack(described)
        return response

    def _model(self, spec: Any, context: Any) -> tuple[int, Loaded]:
        if spec.name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {spec.name!r} here, but {', '.join(self.models)}")
        loaded = self.models[spec.name]
        # As the server does it: the highest version, unless the request names one.
        version = spec.version.value if spec.HasField("version") else max(loaded)
        if version not in loaded:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no version {version} of {spec.name} here, but {sorted(loaded)}")
        return version, loaded[version]


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple[str, Callable]]:
    """Serve a folder of models on a free port of this machine; give its address and a client's stub."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=SIZES)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(folder), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with grpc.insecure_channel(address, options=SIZES) as channel:
            yield address, prediction_service_pb2_grpc.PredictionServiceStub(channel)
    finally:
        server.stop(grace=1).wait()


@contextlib.contextmanager
def started_apart(folder: Path) -> Iterator[Any]:
    """Serve a folder of models from a process of its own, as a server has one; give a client's stub."""
    command = [sys.executable, "-W", "ignore", "-m", "reruns.chapters.serving.prediction_server", str(folder)]
    book = Path(__file__).parents[3]
    with subprocess.Popen(
        command, cwd=book, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        if not (address := process.stdout.readline().strip()):
            raise RuntimeError(f"The server of {folder} did not start: `{' '.join(command[1:])}` tells why.")
        with grpc.insecure_channel(address, options=SIZES) as channel:
            yield prediction_service_pb2_grpc.PredictionServiceStub(channel)
        process.stdin.close()


def request(model: str, inputs: dict[str, Any], signature: str = "serving_default", version: int | None = None) -> Any:
    """Return a request for a signature of a model, as a client would make it."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return message


def outputs(response: Any) -> dict[str, Any]:
    """Return the arrays of a response by name."""
    return {key: tf.make_ndarray(value) for key, value in response.outputs.items()}


if __name__ == "__main__":
    with started(Path(sys.argv[1])) as (served_at, _):
        print(served_at, flush=True)
        # Until whoever started it closes its end.
        sys.stdin.read()
