"""Are models that look words up served with their tables, tried with words they know, and is every byte kept?"""

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_serving import exported

from keras_rectifiers import serving
from keras_rectifiers.serving import CheckError, card, replay

pytestmark = pytest.mark.xdist_group("serving strings")


Input, layers = keras.Input, keras.layers
TEXTS = ["red green blue", "green tea"]


def vectorized(**arguments: Any) -> Any:
    layer = layers.TextVectorization(**{"output_mode": "int", "output_sequence_length": 4, **arguments})
    layer.adapt(TEXTS)
    return layer


def embedded(inputs: Any, words: Any) -> keras.Model:
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Embedding(9, 3)(words))))


def text() -> keras.Model:
    inputs = Input((), dtype="string", name="words")
    return embedded(inputs, vectorized()(inputs))


def in_a_model() -> keras.Model:
    within, inputs = Input((1,), dtype="string"), Input((1,), dtype="string", name="words")
    return embedded(inputs, keras.Model(within, vectorized()(within))(inputs))


def looked_up() -> keras.Model:
    # Without a place for unknown words, an input outside the vocabulary is an error.
    lookup = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot", num_oov_indices=0)
    return keras.Sequential([Input((1,), dtype="string", name="words"), lookup, layers.Dense(2)])


def integers() -> keras.Model:
    lookup = layers.IntegerLookup(vocabulary=[10, 20], output_mode="one_hot", num_oov_indices=0)
    return keras.Sequential([Input((1,), dtype="int64", name="words"), lookup, layers.Dense(2)])


def hashed() -> keras.Model:
    return keras.Sequential([Input((1,), dtype="string", name="words"), layers.Hashing(8), layers.Embedding(8, 2)])


def two() -> keras.Model:
    left, right = (Input((1,), dtype="string", name=name) for name in ("left", "right"))
    units = [
        layers.StringLookup(vocabulary=list(names), output_mode="one_hot", num_oov_indices=0) for names in ("ab", "xyz")
    ]
    return keras.Model(
        [left, right], layers.Concatenate()([unit(x) for unit, x in zip(units, (left, right), strict=True)])
    )


def drawn(path: Path, name: str = "words") -> set:
    return set(replay.probe(path)["serving_default"][0][name].ravel().tolist())


KNOWN = {
    text: {b"red", b"green", b"blue", b"tea"},
    in_a_model: {b"red", b"green", b"blue", b"tea"},
    looked_up: {b"a", b"b"},
    integers: {10, 20},
}


@pytest.mark.parametrize("make", [text, in_a_model, looked_up, integers, hashed], ids=lambda make: make.__name__)
def test_what_is_drawn_are_words_that_the_model_knows_and_the_version_passes(make, tmp_path):
    keras.utils.set_random_seed(3)
    model = make()
    served = exported(model, tmp_path / "x")
    assert set(serving.check(served.path).errors["TensorFlow"]) == {"serving_default"}
    words = drawn(served.path)
    if make in KNOWN:
        split = {part for word in words for part in (word.split() if isinstance(word, bytes) else [word])}
        assert split == KNOWN[make]
    given = replay.probe(served.path)["serving_default"][0]["words"]
    outputs = served(words=given)["outputs"]
    assert len(np.unique(outputs.reshape(len(outputs), -1), axis=0)) > 1
    np.testing.assert_allclose(outputs, model(given if make is integers else given.astype(str)), rtol=1e-5)


def test_each_input_is_drawn_from_its_own_vocabulary(tmp_path):
    path = serving.export(two(), tmp_path / "x")
    assert (drawn(path, "left"), drawn(path, "right")) == ({b"a", b"b"}, {b"x", b"y", b"z"})
    serving.check(path)


@pytest.mark.parametrize("probe", [None, {"words": [["a"], ["b"]]}], ids=["drawn", "given"])
@pytest.mark.parametrize(
    "unit", [layers.TextVectorization(name="unit", output_sequence_length=4), layers.StringLookup(name="unit")]
)
def test_a_lookup_that_was_not_adapted_is_named(unit, probe, tmp_path):
    words = Input((1,), dtype="string", name="words")
    with pytest.raises(ValueError, match=r"adapted or given a vocabulary. Received: unit, without words$"):
        serving.export(embedded(words, unit(words)), tmp_path / "x", probe=probe)


@pytest.mark.parametrize("kind", ["str", "object", "bytes", "list"])
def test_a_probe_of_strings_is_kept_and_replayed(kind, tmp_path):
    words = np.array([["red tea", "grün"], ["", "blue"]])[:, :1]
    given = {"str": words, "object": words.astype(object), "bytes": words.astype("S"), "list": words.tolist()}[kind]
    path = serving.export(in_a_model(), tmp_path / "x", probe={"words": given})
    assert replay.probe(path)["serving_default"][0]["words"].tolist() == [[b"red tea"], [b""]]
    assert serving.check(path).errors["TensorFlow"]["serving_default"] < 1e-6


def of_type(dtype: str) -> keras.Model:
    x = Input((2,), dtype=dtype, name="x")
    return keras.Model(x, Echo()(x) if dtype == "string" else 1.0 * layers.Lambda(lambda x: tf.cast(x, "float32"))(x))


# Of which type the input is, what is given, and what of it is told.
CHANGED = {
    "whole numbers for strings": ("string", [[3, 4]], "3 of dtype int64"),
    "fractions for strings": ("string", [[0.5, 1.0]], "0.5 of dtype float64"),
    "an object for strings": ("string", np.array([["a", None]], object), "None of dtype object"),
    "too large": ("uint8", [[4, 300]], "300 of dtype int64"),
    "below zero": ("uint8", [[-1, 4]], "-1 of dtype int64"),
    "fractions": ("int32", [[1, 0.9]], "0.9 of dtype float64"),
    "no number": ("int32", [[np.nan, 1]], "nan of dtype float64"),
    "truth": ("bool", [[0, 2]], "2 of dtype int64"),
    "text for integers": ("int32", [["3", "4"]], "'3' of dtype <U1"),
    "text for floats": ("float32", [["3", "x"]], "'3' of dtype <U1"),
    "complex numbers": ("float32", [[1, 2j]], "of dtype complex128"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_probe_that_the_inputs_type_would_change_is_refused(case, tmp_path):
    dtype, given, told = CHANGED[case]
    with pytest.raises(ValueError, match=f"`x` of values that {dtype} takes as they are. Received: .*{told}$"):
        serving.export(of_type(dtype), tmp_path / "x", probe={"x": given})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("dtype", "given"), [("uint8", [[255.0, 0]]), ("int64", [[True, False]]), ("float32", [[1, 2]])]
)
def test_a_probe_of_another_type_with_the_same_values_is_taken(dtype, given, tmp_path):
    path = serving.export(of_type(dtype), tmp_path / "x", probe={"x": given})
    assert replay.probe(path)["serving_default"][0]["x"].tolist() == given


def test_every_byte_of_a_string_survives_without_pickle(tmp_path):
    words = np.empty((2, 3), object)
    words[:] = [[b"", b"\0", b"a\0\0"], [b"\0a", "é".encode(), b"\xff\xfe\0"]]
    card.write_probe(tmp_path, {"s": ({"a:b": words, "n": np.ones(2)}, {"y": words[:, :1]})})
    with np.load(tmp_path / "assets.extra/probe.npz", allow_pickle=False) as arrays:
        assert all(array.dtype != object for array in arrays.values())
    inputs, outputs = replay.probe(tmp_path)["s"]
    assert {name: value.tolist() for name, value in inputs.items()} == {"a:b": words.tolist(), "n": [1, 1]}
    assert outputs["y"].tolist() == words[:, :1].tolist()


class Echo(layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.strings.join([x, x])

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)


def test_strings_that_come_out_are_compared_too(tmp_path):
    words = Input((1,), dtype="string", name="words")
    model, given = keras.Model(words, Echo()(words)), np.array([[b"a\0"], [b"b"]], object)
    path = serving.export(model, tmp_path / "x", probe={"words": given})
    assert serving.check(path).errors["TensorFlow"] == {"serving_default": 0}
    inputs, outputs = replay.probe(path)["serving_default"]
    assert outputs["outputs"].tolist() == [[b"a\0a\0"], [b"bb"]]
    # The same but for a zero at the end.
    outputs["outputs"][0, 0] = b"a\0a"
    card.write_probe(path, {"serving_default": (inputs, outputs)})
    told = json.loads((path / "assets.extra/card.json").read_text())
    told["checksums"]["assets.extra/probe.npz"] = hashlib.sha256(
        (path / "assets.extra/probe.npz").read_bytes()
    ).hexdigest()
    (path / "assets.extra/card.json").write_text(json.dumps(told))
    with pytest.raises(CheckError, match="differ from the probe's.*serving_default by inf"):
        serving.check(path)


@pytest.mark.parametrize("format_", ["onnx", "litert"])
def test_a_lookup_converts_where_the_format_has_one(format_, tmp_path):
    path = serving.export(looked_up(), tmp_path / "x")
    assert serving.check(path, [format_]).errors[format_]["serving_default"] < 1e-6


def test_a_lookup_that_openvino_has_not_is_refused_by_its_name(tmp_path):
    path = serving.export(looked_up(), tmp_path / "x")
    with pytest.raises(CheckError, match="openvino failed:.*LookupTableFindV2"):
        serving.check(path, ["openvino"])
    assert [file.name for file in path.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("order", [("z", "a"), ("a", "z")])
def test_captured_constants_and_the_order_of_inputs_survive_onnx(order, tmp_path):
    normalize = layers.Normalization()
    normalize.adapt(np.random.default_rng(0).normal(2, 3, (50, 4)))
    tensors = [Input((4,), name=name) for name in order]
    outputs = {"y": layers.Subtract()([normalize(tensors[0]), tensors[1]]), "b": 3.0 * tensors[1]}
    path = serving.export(keras.Model(tensors, outputs), tmp_path / "x")
    assert serving.check(path, ["onnx"]).errors["onnx"]["serving_default"] < 1e-6
