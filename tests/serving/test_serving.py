"""Is what is exported for a server what Keras computes, all there or not at all, and is a broken version noticed?"""

import hashlib
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image
from scipy import integrate, stats
from tensorflow.python.framework import op_def_registry
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

import keras_rectifiers as kr
from keras_rectifiers import serving
from keras_rectifiers.serving import CheckError, graph
from keras_rectifiers.serving.__main__ import main
from test_export import every_unit

pytestmark = pytest.mark.xdist_group("serving")


checking = sys.modules["keras_rectifiers.serving.check"]

Dense, Input = keras.layers.Dense, keras.Input
CARD, DATA, WARM_UP = "assets.extra/card.json", "variables/variables.data-00000-of-00001", "tf_serving_warmup_requests"
SAVED = sorted(path for path in (Path(__file__).parents[2] / "savedmodels").iterdir() if path.is_dir())
FORMATS = {"onnx": ["1.onnx"], "openvino": ["1.bin", "1.xml"], "litert": ["1.tflite"]}


class Exported(NamedTuple):
    model: keras.Model
    path: Path
    loaded: Any

    def __call__(self, signature: str = "serving_default", **inputs: Any) -> dict[str, np.ndarray]:
        inputs = {name: tf.constant(value) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in self.loaded.signatures[signature](**inputs).items()}

    def shapes(self, signature: str = "serving_default") -> dict[str, list]:
        return {
            k: v.shape.as_list() for k, v in self.loaded.signatures[signature].structured_input_signature[1].items()
        }


def exported(model: keras.Model, folder: Path, **arguments: Any) -> Exported:
    path = serving.export(model, folder, **arguments)
    return Exported(model, path, tf.saved_model.load(path))


def tree(folder: Path) -> list[tuple[str, bytes | None]]:
    return sorted((str(path), path.read_bytes() if path.is_file() else None) for path in folder.rglob("*"))


def tiny() -> keras.Model:
    keras.utils.set_random_seed(5)
    return keras.Sequential([Input((4,)), Dense(6, activation="relu", name="first"), Dense(5), kr.ELU(), Dense(3)])


def normals(*shape: int) -> np.ndarray:
    return np.random.default_rng(8).normal(size=shape).astype("float32")


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    units = every_unit()
    model = keras.Model(units.input, keras.layers.Softmax()(3 * units.output))
    folder = tmp_path_factory.mktemp("served") / "everything"
    return exported(model, folder, preprocess=lambda pixels: pixels / 255, features=True, sample=True)


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return exported(tiny(), tmp_path_factory.mktemp("served") / "dense", features=True)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    x, dropout = Input((20000,), name="x"), keras.layers.Dropout(0.5)
    units = {"rrelu": kr.RReLU(seed=1), "nrelu": kr.NReLU(seed=1), "again": kr.NReLU(seed=1), "dropped": dropout}
    model = keras.Model(x, {name: unit(x) for name, unit in units.items()})
    return exported(model, tmp_path_factory.mktemp("served") / "noisy", sample=True)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    units = [
        kr.PReLU(),
        kr.RReLU(),
        kr.CReLU(),
        kr.Maxout(2),
        kr.MaxoutDense(6, 2),
        kr.NReLU(),
        kr.SignFlip(),
        kr.ELU(),
        kr.ScaledSoftplus(),
    ]
    model = keras.Sequential([Input((6,)), *units, Dense(3, activation="softmax")])
    served = exported(model, tmp_path_factory.mktemp("converted") / "units", sample=True)
    return served, serving.check(served.path.parent, FORMATS)


@pytest.fixture
def copy(dense, tmp_path):
    return Path(shutil.copytree(dense.path.parent, tmp_path / "served" / "dense")) / "1"


def test_a_model_of_every_layer_is_served_as_keras_computes_it_and_alike_after_each_load(everything):
    again = everything._replace(loaded=tf.saved_model.load(everything.path))
    for rows in (1, 7):
        images = normals(rows, 8, 8, 3)
        answer = everything(images=images)
        assert set(answer) == {"probabilities", "classes"}
        expected = everything.model.predict(images, verbose=0)
        np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-5)
        np.testing.assert_array_equal(answer["classes"], answer["probabilities"].argmax(-1))
        for name, value in again(images=images).items():
            np.testing.assert_array_equal(value, answer[name])


def test_serving_default_holds_no_compiled_function_and_no_stateful_operation_but_reading_variables(everything):
    assert b"_XlaMustCompile" not in (everything.path / "saved_model.pb").read_bytes()
    served = everything.loaded.signatures["serving_default"].graph.as_graph_def()
    nodes = [*served.node, *(node for function in served.library.function for node in function.node_def)]
    stateful = {node.op for node in nodes if op_def_registry.get(node.op).is_stateful}
    assert stateful <= {"StatefulPartitionedCall", "ReadVariableOp"}
    assert {"Conv2D", "MatMul", "Erf"} <= {node.op for node in nodes}


def test_names_are_those_given_or_stay_the_same_from_run_to_run(everything, dense, noisy):
    assert everything.shapes() == {"images": [None, 8, 8, 3]}
    assert everything.shapes("preprocess_bytes") == {"image_bytes": [None]}
    assert dense.shapes() == {"inputs": [None, 4]}
    assert set(dense(inputs=normals(2, 4))) == {"outputs"}
    assert noisy.shapes("sample") == {"x": [None, 20000], "seed": [2]}
    assert set(noisy(x=normals(2, 20000))) == {"rrelu", "nrelu", "again", "dropped"}


@pytest.mark.parametrize(("given", "served"), [(("z", "a"), ("z", "a")), ((None, "a"), ("inputs_0", "a"))])
def test_two_inputs_keep_their_names_and_places(given, served, tmp_path):
    tensors = [Input((2,), name=name) for name in given]
    two, x, y = exported(keras.Model(tensors, keras.layers.Subtract()(tensors)), tmp_path / "two"), *normals(2, 7, 2)
    assert two.shapes() == {name: [None, 2] for name in served}
    np.testing.assert_array_equal(two(**dict(zip(served, (x, y), strict=True)))["outputs"], x - y)


def test_a_model_in_half_precision_answers_in_float32_under_the_name_asked_for(tmp_path):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = tiny()
    finally:
        keras.config.set_dtype_policy(policy)
    served, x = exported(model, tmp_path / "half", output="logits", features=True), normals(7, 4)
    assert served(inputs=x)["logits"].dtype == served("features", inputs=x)["features"].dtype == np.float32
    np.testing.assert_allclose(served(inputs=x)["logits"], model.predict(x, verbose=0), atol=2e-3)


def test_what_follows_a_softmax_is_not_called_probabilities(tmp_path):
    x = Input((4,))
    served = exported(keras.Model(x, 9.0 * Dense(3, activation="softmax")(x)), tmp_path / "scaled")
    assert set(served(inputs=normals(2, 4))) == {"outputs"}


def test_a_softmax_within_a_model_is_called_probabilities_only_if_asked(tmp_path):
    within = keras.Sequential([Input((4,)), Dense(3, activation="softmax")])
    model = keras.Sequential([Input((4,)), within])
    names = [
        set(exported(model, tmp_path / "x", output=name)(inputs=normals(2, 4))) for name in (None, "probabilities")
    ]
    assert names == [{"outputs"}, {"probabilities", "classes"}]


def test_pixels_and_png_files_are_scaled_as_asked(everything, rng):
    pixels = rng.integers(0, 256, (5, 8, 8, 3)).astype("uint8")
    expected = everything.model.predict(pixels.astype("float32") / 255, verbose=0)
    answer = everything("preprocess", images=pixels)
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-5)
    files = [tf.io.encode_png(image).numpy() for image in pixels]
    for name, value in everything("preprocess_bytes", image_bytes=files).items():
        np.testing.assert_array_equal(value, answer[name])


@pytest.mark.parametrize(("channels", "mode"), [(3, "RGB"), (1, "L")])
def test_files_are_decoded_brought_to_the_models_channels_and_resized_as_by_pillow(channels, mode, tmp_path, rng):
    mirror = keras.Sequential([Input((6, 9, channels)), keras.layers.Rescaling(1.0)])
    served = exported(mirror, tmp_path / "mirror", preprocess=lambda pixels: pixels)
    files, expected = [], []
    for form, size in (("JPEG", (6, 9)), ("PNG", (6, 9)), ("PNG", (12, 18)), ("JPEG", (3, 30)), ("JPEG", (5, 7))):
        smooth, file = np.cumsum(np.cumsum(rng.uniform(0, 2, (*size, 3)), 0), 1) * [1.0, 0.7, 0.4], io.BytesIO()
        Image.fromarray((255 * smooth / smooth.max()).astype("uint8")).save(file, form)
        files.append(file.getvalue())
        image = Image.open(file)
        image.draft(mode, image.size)
        small = image.convert(mode).resize((9, 6), Image.Resampling.BILINEAR)
        expected.append(np.asarray(small, float).reshape(6, 9, channels))
    found = served("preprocess_bytes", image_bytes=files)["outputs"]
    assert np.abs(found - expected).max() <= 2
    assert (found == np.round(found)).all()


def test_features_are_the_last_hidden_layer_or_the_one_named_of_length_one_if_asked(dense, tmp_path):
    (w1, b1, w2, b2, *_), x = dense.model.get_weights(), np.abs(normals(7, 4))
    first = np.maximum(x @ w1 + b1, 0)
    z = first @ w2 + b2
    last = np.where(z > 0, z, np.expm1(z))
    np.testing.assert_allclose(dense("features", inputs=x)["features"], last, rtol=1e-5, atol=1e-6)
    named = exported(dense.model, tmp_path / "named", features="first", normalized=True)
    expected = first / np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(named("features", inputs=x)["features"], expected, rtol=1e-5, atol=1e-6)


def test_features_before_the_last_layer_with_weights_can_be_the_logits(tmp_path):
    model, x = keras.Sequential([Input((4,)), Dense(3), keras.layers.BatchNormalization()]), normals(5, 4)
    found = exported(model, tmp_path / "x", features=True)("features", inputs=x)["features"]
    np.testing.assert_allclose(found, model.layers[0](x), rtol=1e-5, atol=1e-6)


def sampled(noisy: Exported, x: np.ndarray, *seed: int) -> dict[str, np.ndarray]:
    return noisy("sample", x=x, seed=np.array(seed, "int32"))


def test_a_seed_decides_the_noise_and_leaves_serving_default_as_it_is(noisy):
    x = normals(2, 20000)
    before, first = noisy(x=x), sampled(noisy, x, 3, -4)
    others = [sampled(noisy, x, *seed) for seed in ((3, -3), (4, -4), (-4, 3))]
    again, after = sampled(noisy, x, 3, -4), noisy(x=x)
    for name in first:
        np.testing.assert_array_equal(again[name], first[name])
        np.testing.assert_array_equal(after[name], before[name])
    for other in others:
        assert (other["rrelu"] != first["rrelu"])[x < 0].mean() > 0.99
        assert (other["nrelu"] != first["nrelu"])[x > 3].all()
    np.testing.assert_array_equal(before["nrelu"], np.maximum(x, 0))


def test_layers_of_one_seed_and_rows_draw_noise_of_their_own_and_dropout_stays_off(noisy):
    x = np.full((2, 20000), 9, "float32")
    answer = sampled(noisy, x, 1, 2)
    correlations = np.corrcoef(np.vstack([answer["nrelu"], answer["again"]]))
    assert np.abs(correlations[np.triu_indices(4, 1)]).max() < 4.5 / math.sqrt(20000)
    np.testing.assert_array_equal(answer["dropped"], x)


def test_sampled_slopes_and_rectified_normals_follow_their_distributions(noisy):
    divisors = -1 / sampled(noisy, np.full((1, 20000), -1, "float32"), 1, 2)["rrelu"][0].astype(float)
    assert divisors.min() >= 3 - 1e-5 and divisors.max() <= 8 + 1e-5
    assert stats.kstest(divisors, stats.uniform(3, 5).cdf).pvalue > 1e-4
    levels = np.array([-1, 0, 1.5], "float32")
    drawn = sampled(noisy, np.repeat(levels, 20000).reshape(3, 20000), 5, 6)["nrelu"].astype(float)
    for x, draws in zip(levels, drawn, strict=True):
        density = stats.norm(x, math.sqrt(1 / (1 + math.exp(-x)))).pdf
        mean = integrate.quad(lambda y, density=density: y * density(y), 0, 20)[0]
        assert abs(draws.mean() - mean) < 4 * draws.std() / math.sqrt(20000)


def made(layer: Any, **batch: Any) -> Any:
    return lambda: keras.Sequential([Input(**(batch or {"shape": (4,)})), layer()])


def noise_at_inference() -> keras.layers.Layer:
    return kr.NReLU(inference="sample", seed=1)


THREE = lambda: Dense(3)  # noqa: E731
BAD = {
    "an unbuilt model": (ValueError, "not built", {"model": lambda: keras.Sequential([Dense(3)])}),
    "no model": (ValueError, "Received: str", {"model": lambda: "model"}),
    "a probe of another batch": (
        ValueError,
        r"shape \(2, 4\). Received: shape \(3, 4\)",
        {"model": made(THREE, batch_shape=(2, 4)), "probe": {"inputs": np.ones((3, 4))}},
    ),
    "a version that is there": (FileExistsError, "served/1 is there", {"folder": "served", "version": 1}),
    "version 0": (ValueError, "version of at least 1. Received: 0", {"version": 0}),
    "version two": (ValueError, "version of at least 1. Received: 'two'", {"version": "two"}),
    "version True": (ValueError, "version of at least 1. Received: True", {"version": True}),
    "version 1.0": (ValueError, "version of at least 1. Received: 1.0", {"version": 1.0}),
    "a probe without a name": (ValueError, "probe. of inputs by name. Received: ndarray", {"probe": np.ones((2, 4))}),
    "a probe of lists": (ValueError, "`probe` of inputs by name. Received: list", {"probe": [[1, 2, 3, 4]]}),
    "a divisor": (ValueError, "function or layer as `preprocess`. Received: 255.0", {"preprocess": 255.0}),
    "a file in the folder's place": (NotADirectoryError, "a_file", {"folder": "a_file"}),
    "a file above the folder": (NotADirectoryError, "a_file/new", {"folder": "a_file/new"}),
    "names of a probe": (ValueError, "named inputs. Received: x", {"probe": {"x": np.ones((2, 4))}}),
    "shape of a probe": (ValueError, r"`inputs` of shape.*\(2, 5\)", {"probe": {"inputs": np.ones((2, 5))}}),
    "a probe without rows": (ValueError, r"`inputs` of shape.*\(0, 4\)", {"probe": {"inputs": np.ones((0, 4))}}),
    "a card that JSON cannot say": (ValueError, "card", {"card": {"data": {1, 2}}}),
    "a card with NaN": (ValueError, "card", {"card": {"loss": math.nan}}),
    "a name with quotes": (ValueError, "folder named as the model", {"folder": 'new/a"b'}),
    "no name": (ValueError, "folder named as the model", {"folder": "new/.."}),
    "features of no length": (ValueError, "`normalized` is for", {"normalized": True}),
    "outputs that are not finite": (ValueError, "finite outputs.*`outputs`", {"probe": {"inputs": [4 * [math.nan]]}}),
    "images of no image": (ValueError, "no image", {"preprocess": lambda pixels: pixels}),
    "a layer that is not there": (ValueError, "No such layer: third", {"features": "third"}),
    "features of one layer": (ValueError, "hidden layer", {"model": made(THREE), "features": True}),
    "samples of no noise": (ValueError, "`sample`.*Received: Dense", {"sample": True}),
    "noise at inference": (ValueError, "serving_default draws random", {"model": made(noise_at_inference)}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_by_name_and_leaves_nothing(case, tmp_path):
    kind, message, arguments = BAD[case]
    (tmp_path / "a_file").write_text("here first")
    (tmp_path / "served" / "1").mkdir(parents=True)
    before, given = tree(tmp_path), {"model": tiny, "folder": "new/parent/served", **arguments}
    with pytest.raises(kind, match=message):
        serving.export(given.pop("model")(), tmp_path / given.pop("folder"), **given)
    assert tree(tmp_path) == before


def test_a_version_is_any_integer(tmp_path):
    path = serving.export(tiny(), tmp_path / "x", version=np.int64(3))
    assert path.name == "3" and json.loads((path / CARD).read_text())["version"] == 3


@pytest.mark.parametrize("function", ["pathlib.Path.mkdir", "tempfile.mkdtemp", "pathlib.Path.rename", "os.replace"])
def test_a_folder_that_cannot_be_written_is_left_as_it_was(function, tmp_path):
    def refuse(*arguments: Any, **named: Any) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "new"))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(PermissionError, match="/new"):
        patch.setattr(function, refuse)
        serving.export(tiny(), tmp_path / "new/parent/served")
    assert tree(tmp_path) == []


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    tiny().save(folder / "good.keras")
    np.save(folder / "one.npy", np.ones((2, 4)))
    np.savez(folder / "x.npz", x=np.ones((2, 4)))
    np.savez(folder / "good.npz", inputs=np.ones((2, 4)))
    texts = {"good.json": '{"data": "none"}', "list.json": "[1]", "empty_zip.keras": "PK\x05\x06" + 18 * "\0"}
    for name, text in {**texts, **dict.fromkeys(("bad.keras", "bad.npz", "bad.json"), "{nonsense")}.items():
        (folder / name).write_text(text)
    (folder / "taken" / "1").mkdir(parents=True)
    return folder


# What is given, and what the message names.
COMMANDS = {
    "missing.keras new": "missing.keras",
    "bad.keras new": "bad.keras",
    "empty_zip.keras new": "empty_zip.keras",
    "good.keras bad.json": "bad.json",
    "good.keras taken --version 1": "taken/1",
    "good.keras new --version 0": "version",
    "good.keras new --card missing.json": "missing.json",
    "good.keras new --card bad.json": "bad.json",
    "good.keras new --card list.json": "list.json",
    "good.keras new --probe bad.npz": "bad.npz",
    "good.keras new --probe one.npy": "one.npy",
    "good.keras new --probe x.npz": "Received: x",
    "good.keras new --preprocess 0": "DIVISOR",
    "good.keras new --sample": "sample",
    "check missing": "missing",
    "check taken": "taken/1",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_tells_in_one_line_what_it_cannot_use(command, files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    before = tree(files)
    assert main(command.split()) == 1
    assert re.fullmatch(f"keras-rectifiers: .*{re.escape(COMMANDS[command])}.*\n", capsys.readouterr().err)
    assert tree(files) == before


def test_the_command_exports_with_its_options(files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(files)
    options = "--version 7 --output logits --features first --probe good.npz --card good.json"
    assert main(f"good.keras {tmp_path}/served {options}".split()) == 0
    assert f"{tmp_path}/served/7" in capsys.readouterr().out
    card = json.loads((tmp_path / "served/7" / CARD).read_text())
    assert (card["name"], card["version"], card["data"]) == ("served", 7, "none")
    with np.load(tmp_path / "served/7/assets.extra/probe.npz") as probe:
        np.testing.assert_allclose(probe["serving_default:outputs:logits"], tiny()(np.ones((2, 4))), rtol=1e-5)


def write_card(text: str) -> Any:
    return lambda path: (path / CARD).write_text(text)


def mend(path: Path) -> None:
    card = json.loads((path / CARD).read_text())
    card["checksums"] = {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in card["checksums"]}
    (path / CARD).write_text(json.dumps(card))


def flip(file: Path, place: int = 500) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 64
    file.write_bytes(data)


def cut_and_mend(path: Path) -> None:
    (path / "saved_model.pb").write_bytes((path / "saved_model.pb").read_bytes()[:1001])
    mend(path)


DAMAGE = {
    "a flipped byte": (lambda path: flip(path / DATA), f"1/{DATA} differs"),
    "a missing file": (
        lambda path: (path / "variables/variables.index").unlink(),
        "1/variables/variables.index is mis",
    ),
    "a missing graph": (lambda path: (path / "saved_model.pb").unlink(), "1/saved_model.pb is missing"),
    "an extra file": (lambda path: (path / "assets/strange").touch(), "1/assets/strange was not exported"),
    "a card cut off": (write_card('{"name": "de'), "card.json is not valid JSON"),
    "an empty card": (write_card("{}"), "card.json"),
    "a card that is a list": (write_card("[]"), "card.json"),
    "no card": (lambda path: (path / CARD).unlink(), "card.json is not there"),
    "no version": (lambda path: shutil.rmtree(path), "dense holds no version"),
    "no folder": (lambda path: shutil.rmtree(path.parent), "dense is no folder"),
    "a graph cut off, with its checksum": (cut_and_mend, "served/dense/1"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_by_the_path_of_what_is_damaged(damage, copy):
    inflict, message = DAMAGE[damage]
    inflict(copy)
    with pytest.raises(CheckError, match=message):
        serving.check(copy.parent)


def test_damaged_and_other_weights_are_noticed_without_the_checksums(copy, dense, tmp_path):
    flip(copy / DATA, (copy / DATA).read_bytes().index(dense.model.get_weights()[0].tobytes()) + 3)
    mend(copy)
    with pytest.raises(CheckError, match="dense/1.*(replay failed|differ)"):
        serving.check(copy)
    other = tiny()
    other.layers[0].kernel.assign(other.layers[0].kernel + 1e-3)
    shutil.copytree(serving.export(other, tmp_path / "other", features=True), copy, dirs_exist_ok=True)
    shutil.copytree(dense.path / "assets.extra", copy / "assets.extra", dirs_exist_ok=True)
    mend(copy)
    with pytest.raises(CheckError, match="dense/1: outputs in TensorFlow differ.*serving_default by .*features by"):
        serving.check(copy)


FOREIGN = {
    "_XlaMustCompile|compiled": lambda m, x: tf.function(lambda z: z * 2, jit_compile=True)(x),
    "EagerPyFunc": lambda m, x: tf.ensure_shape(tf.py_function(lambda z: z, [x], x.dtype), (None, 4)),
    "PyFunc": lambda m, x: tf.ensure_shape(tf.numpy_function(abs, [x], x.dtype), (None, 4)),
    "AssignAddVariableOp": lambda m, x: x + m.v.assign_add(tf.ones(4)),
    "ResourceScatterNdUpdate": lambda m, x: x + m.v.scatter_nd_update([[0]], [1.0]),
    "RandomStandardNormal": lambda m, x: tf.map_fn(lambda row: row + tf.random.normal((4,)), x),
    "RngReadAndSkip": lambda m, x: x + m.g.normal((4,)),
    "StatefulRandomBinomial": lambda m, x: x + m.g.binomial((4,), [5.0], [0.5], x.dtype),
}


@pytest.mark.parametrize("operation", FOREIGN)
def test_a_saved_model_with_what_no_server_should_meet_is_refused(operation, tmp_path):
    module = tf.Module()
    module.v, module.g = tf.Variable(tf.zeros(4)), tf.random.Generator.from_seed(1)
    specs = [tf.TensorSpec((None, 4), name="x")]
    module.serve = tf.function(lambda x: {"y": FOREIGN[operation](module, x)}, input_signature=specs)
    tf.saved_model.save(module, tmp_path, signatures=module.serve.get_concrete_function())
    assert re.search(operation, "; ".join(graph.faults(tmp_path)))


def answer_of(format_: str, folder: Path, inputs: np.ndarray) -> np.ndarray:
    if format_ == "litert":
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(str(folder / "1.tflite")).get_signature_runner()(inputs=inputs)["probabilities"]
    if format_ == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / "1.onnx", providers=["CPUExecutionProvider"])
        answer = session.run(None, {"inputs": inputs})
    else:
        import openvino

        # Left to itself it may compute in bfloat16.
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        answer = openvino.Core().compile_model(folder / "1.xml", "CPU", exact)({"inputs": inputs}).values()
    return next(value for value in answer if value.dtype == np.float32)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_good_version_passes_and_its_conversions_lie_beside_it_and_answer_alike(format_, converted):
    served, found = converted
    assert set(found.errors["TensorFlow"]) == set(found.operations) == {"serving_default", "sample"}
    assert (found.path, found.warm_up, found.operations["serving_default"]["MatMul"]) == (served.path, 2, 2)
    assert all(0 <= error < 1e-5 for errors in found.errors.values() for error in errors.values())
    assert all(told in found.table() for told in ("sample", "Identity", format_, "2 warm-up requests"))
    files = [name for names in FORMATS.values() for name in names]
    assert sorted(path.name for path in served.path.parent.iterdir()) == sorted(["1", *files])
    x = normals(7, 6)
    expected = served.model.predict(x, verbose=0)
    np.testing.assert_allclose(answer_of(format_, served.path.parent, x), expected, rtol=1e-4)


def test_every_layer_converts_to_onnx_and_the_one_that_litert_cannot_say_is_refused_by_operation(everything, tmp_path):
    path = Path(shutil.copytree(everything.path, tmp_path / "1"))
    card = json.loads((path / CARD).read_text())
    checking._converted(path, "onnx", card)
    # The mean of NReLU is an error function.
    with pytest.raises(CheckError, match="litert failed: no operation there for Erf$"):
        checking._converted(path, "litert", card)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1", "1.onnx"]


def test_a_conversion_that_answers_otherwise_than_the_probe_leaves_nothing(copy):
    with np.load(copy / "assets.extra/probe.npz") as arrays:
        probe = {name: array + ("outputs" in name) for name, array in arrays.items()}
    np.savez(copy / "assets.extra/probe.npz", **probe)
    before = tree(copy.parent)
    with pytest.raises(CheckError, match="dense/1: outputs in openvino differ"):
        checking._converted(copy, "openvino", json.loads((copy / CARD).read_text()))
    assert tree(copy.parent) == before


EXPORT = """
import os, signal, sys
folder, event, within, end = sys.argv[1:]

def watch(name, arguments):
    if name == event and any(str(path).startswith(within) and end in str(path) for path in arguments[:2]):
        os.kill(os.getpid(), signal.SIGKILL)

import keras
from keras_rectifiers import serving
sys.addaudithook(watch)
serving.export(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]), folder)
"""
# The event just before which the process is killed, what its path contains, and the versions that are there then.
KILLS = [
    ("os.mkdir", ".unfinished-", ["1"]),
    ("open", "probe.npz", ["1"]),
    ("os.rename", "/dense/2", ["1"]),
    ("os.rmdir", ".unfinished-", ["1", "2"]),
    ("os.rename", "/models.config", ["1", "2"]),
]


@pytest.mark.parametrize(("event", "end", "versions"), KILLS)
def test_a_kill_leaves_whole_versions_only(event, end, versions, copy):
    folder = copy.parent
    command = [sys.executable, "-W", "ignore", "-c", EXPORT, folder, event, folder.parent, end]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert sorted(path.name for path in folder.iterdir() if path.name.isdecimal()) == versions
    for version in versions:
        card = json.loads((folder / version / CARD).read_text())
        assert {"saved_model.pb", DATA, f"assets.extra/{WARM_UP}"} < set(card["checksums"])
        checking._check_files(folder / version, card)


def listed(folder: Path) -> dict[str, tuple[str, str]]:
    config = text_format.Parse((folder / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
    return {entry.name: (entry.base_path, entry.model_platform) for entry in config.model_config_list.config}


def test_the_list_of_models_names_each_folder_that_holds_a_version(dense, tmp_path):
    (tmp_path / "no_model" / "drafts").mkdir(parents=True)
    for name in ("b", "a", "a"):
        serving.export(dense.model, tmp_path / name)
    assert listed(tmp_path) == {name: (f"/models/{name}", "tensorflow") for name in "ab"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "models.config", "no_model"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["1", "2"]


def test_batching_parameters_are_fields_that_tensorflow_serving_documents(dense):
    lines = (dense.path / "batching_params.pbtxt").read_text().splitlines()
    fields = {re.fullmatch(r"(\w+) \{ value: [1-9]\d* \}", line)[1] for line in lines}
    assert fields == {"max_batch_size", "batch_timeout_micros", "max_enqueued_batches"}


def test_warm_up_requests_name_the_model_and_run_each_signature(everything):
    records = tf.data.TFRecordDataset(str(everything.path / "assets.extra" / WARM_UP)).as_numpy_iterator()
    requests = [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]
    assert len(requests) <= 1000
    assert {request.model_spec.name for request in requests} == {"everything"}
    # A server that batches would refuse the seed beside the rows, and with it the model.
    asked = {request.model_spec.signature_name for request in requests}
    assert asked == set(everything.loaded.signatures) - {"sample"}
    rows = {request.inputs["images"].tensor_shape.dim[0].size for request in requests if "images" in request.inputs}
    assert rows > {1}
    for request in requests:
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = everything(request.model_spec.signature_name, **inputs)
        assert all(np.isfinite(value).all() for value in answer.values())


@pytest.mark.parametrize("folder", SAVED, ids=[path.name for path in SAVED])
def test_a_model_of_the_repository_is_whole_and_small(folder):
    serving.check(folder)
    # Of the 13 MB of the largest, 12 are one kernel, from 3,072 pixels to 1,000 units.
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 15e6
