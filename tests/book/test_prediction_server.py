"""Do clients of TensorFlow Serving's gRPC protocol get from an export what Keras gave, by name and by version?"""

from pathlib import Path

import grpc
import keras
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_metadata_pb2

from keras_rectifiers import ELU, serving
from reruns.chapters.serving import prediction_server

pytestmark = pytest.mark.xdist_group("served")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def models():
    return {name: keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2), ELU()]) for name in ("a", "b")}


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for model in models.values():
        serving.export(model, folder / "lines", output="y")
    return folder


X = np.random.default_rng(3).normal(size=(5, 3)).astype("float32")


def asked(folder, *arguments, **named):
    with prediction_server.started(folder) as (_, stub):
        response = stub.Predict(prediction_server.request(*arguments, **named), timeout=30)
        return response.model_spec.version.value, prediction_server.outputs(response)


def pin(folder, policy):
    file = folder / "models.config"
    text = file.read_text()
    file.write_text(text.replace('"tensorflow"\n', f'"tensorflow"\n    model_version_policy {{ {policy} }}\n'))
    return text


def test_the_highest_version_answers_unless_the_list_of_models_says_otherwise(folder, models):
    version, outputs = asked(folder, "lines", {"x": X})
    assert version == 2
    np.testing.assert_allclose(outputs["y"], models["b"].predict(X, verbose=0), rtol=1e-6)
    text = pin(folder, "specific { versions: 1 versions: 2 }")
    try:
        version, outputs = asked(folder, "lines", {"x": X}, version=1)
    finally:
        (folder / "models.config").write_text(text)
    assert version == 1
    np.testing.assert_allclose(outputs["y"], models["a"].predict(X, verbose=0), rtol=1e-6)


def test_an_export_leaves_a_pinned_version_pinned(models, tmp_path):
    serving.export(models["a"], tmp_path / "lines", output="y")
    pin(tmp_path, "specific { versions: 1 }")
    serving.export(models["b"], tmp_path / "lines", output="y")
    serving.export(models["b"], tmp_path / "more", output="y")
    assert asked(tmp_path, "lines", {"x": X})[0] == 1
    assert asked(tmp_path, "more", {"x": X})[0] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"model": "liens"}, "NOT_FOUND", "'liens'"),
        ({"version": 1}, "NOT_FOUND", "no version 1"),
        ({"signature": "sample"}, "INVALID_ARGUMENT", "sample"),
        ({"inputs": {"z": X}}, "INVALID_ARGUMENT", "x"),
        ({"inputs": {"x": X[:, :2]}}, "INVALID_ARGUMENT", "3"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_why(arguments, code, message, folder):
    with pytest.raises(grpc.RpcError) as refused:
        asked(folder, **{"model": "lines", "inputs": {"x": X}, **arguments})
    assert refused.value.code().name == code
    assert message in refused.value.details()


def test_the_metadata_tell_the_signatures(folder):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "lines"
    with prediction_server.started(folder) as (_, stub):
        response = stub.GetModelMetadata(request, timeout=30)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    signature = found.signature_def["serving_default"]
    assert [size.size for size in signature.inputs["x"].tensor_shape.dim] == [-1, 3]
    assert list(signature.outputs) == ["y"]


@pytest.fixture(scope="module")
def stub():
    with prediction_server.started_apart(ROOT / "savedmodels") as stub:
        yield stub


SERVED = sorted(version.parent.name for version in (ROOT / "savedmodels").glob("*/1"))


@pytest.mark.parametrize("name", SERVED)
def test_a_served_model_of_the_repository_answers_as_its_probe_says(name, stub):
    with np.load(ROOT / "savedmodels" / name / "1" / "assets.extra" / "probe.npz") as probe:
        arrays = dict(probe)
    parts = {tuple(key.split(":")): array for key, array in arrays.items()}
    signatures = {signature for signature, _, _ in parts}
    assert "serving_default" in signatures
    for signature in signatures:
        inputs, expected = (
            {key: array for (which, side, key), array in parts.items() if (which, side) == (signature, wanted)}
            for wanted in ("inputs", "outputs")
        )
        response = stub.Predict(prediction_server.request(name, inputs, signature), timeout=60)
        outputs = prediction_server.outputs(response)
        assert set(outputs) == set(expected)
        for output, values in expected.items():
            np.testing.assert_allclose(outputs[output], values, atol=1e-5, err_msg=f"{signature}, {output}")
