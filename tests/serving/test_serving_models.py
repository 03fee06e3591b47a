"""Which models are served, under which names, with which rows and sizes, and is each weight written once?"""

import warnings
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from test_serving import WARM_UP, exported, normals

import keras_rectifiers as kr
from keras_rectifiers import serving
from keras_rectifiers.serving import replay

pytestmark = pytest.mark.xdist_group("serving models")


Dense, Input, layers = keras.layers.Dense, keras.Input, keras.layers


def half() -> keras.Model:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return keras.Sequential([Input((50,)), Dense(200), kr.PReLU(), Dense(3)])
    finally:
        keras.config.set_dtype_policy(policy)


def nested() -> keras.Model:
    inner = keras.Sequential([Input((50,)), Dense(200), layers.BatchNormalization(), kr.RReLU(seed=1)])
    return keras.Sequential([Input((50,)), inner, Dense(7)])


ONCE = {
    "in sequence": lambda: keras.Sequential([Input((50,)), Dense(200), Dense(3)]),
    "in half precision": half,
    "nested": nested,
}


@pytest.mark.parametrize("model", ONCE)
def test_each_weight_is_written_once_whatever_the_signatures(model, tmp_path):
    made = ONCE[model]()
    served = exported(made, tmp_path / "x", features=True)
    written = tf.train.list_variables(str(served.path / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in written if "VARIABLE_VALUE" in name)
    used = [weight for weight in made.weights if "seed" not in weight.path]
    assert shapes == sorted(tuple(weight.shape) for weight in used)
    size = 4 * sum(int(np.prod(weight.shape)) for weight in used)
    assert size <= (served.path / "variables" / "variables.data-00000-of-00001").stat().st_size < size + 5000
    x = normals(5, 50)
    np.testing.assert_allclose(next(iter(served(inputs=x).values())), made.predict(x, verbose=0), rtol=2e-3, atol=2e-3)


def of_outputs(arranged: Any) -> keras.Model:
    x = Input((4,))
    return keras.Model(x, arranged(Dense(2)(x), Dense(3)(x)))


# What is returned, the name asked for, and the refusal.
OUTPUTS = {
    "a list in a dict": (lambda y, z: {"a": [y, z], "b": y}, None, "one tensor as output `a`. Received: list"),
    "a dict in a list": (lambda y, z: [y, {"b": z}], None, "one tensor as output `outputs_1`. Received: dict"),
    "a name for named ones": (lambda y, z: {"a": y, "b": z}, "z", "Received: output='z', of outputs named a, b"),
}


@pytest.mark.parametrize("probe", [None, {"inputs": np.ones((2, 4))}], ids=["drawn", "given"])
@pytest.mark.parametrize("case", OUTPUTS)
def test_outputs_that_no_signature_can_name_are_refused(case, probe, tmp_path):
    arranged, output, message = OUTPUTS[case]
    with pytest.raises(ValueError, match=f"{message}$") as refused:
        serving.export(of_outputs(arranged), tmp_path / "x", probe=probe, output=output)
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())


def test_a_name_asked_for_numbers_the_outputs_of_a_list(tmp_path):
    served = exported(of_outputs(lambda y, z: [y, z]), tmp_path / "x", output="z")
    assert set(served(inputs=normals(3, 4))) == {"z_0", "z_1"}


class Subclass(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.unit, self.dropout = Dense(3), kr.NReLU(seed=1), layers.Dropout(0.5)

    def call(self, x: Any) -> Any:
        return self.dropout(self.unit(self.dense(x)))


class OfTwo(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = Dense(3)

    def call(self, left: Any, right: Any) -> Any:
        return self.dense(left) - right


class OfMany(OfTwo):
    def call(self, x: Any) -> Any:
        left, right = (x["left"], x["right"]) if isinstance(x, dict) else x
        return {"y": self.dense(left) - right}


class OfTokens(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.table = layers.Embedding(5, 3)

    def call(self, tokens: Any) -> Any:
        return self.table(tokens)


class OnArrays(OfTwo):
    def call(self, x: Any) -> Any:
        return self.dense(np.asarray(x) + 1)


def test_a_subclassed_model_that_was_called_is_served_as_keras_computes_it(tmp_path):
    model, x = Subclass(), normals(5, 4)
    model(x[:2])
    served = exported(model, tmp_path / "x", sample=True)
    assert served.shapes() == {"inputs": [None, 4]}
    np.testing.assert_allclose(served(inputs=x)["outputs"], model.predict(x, verbose=0), rtol=1e-5)
    draws = [served("sample", inputs=x, seed=np.array([1, n], "int32"))["outputs"] for n in (2, 3)]
    assert (draws[0] != draws[1]).any()
    assert set(serving.check(served.path).errors["TensorFlow"]) == {"serving_default", "sample"}


@pytest.mark.parametrize("kind", ["a dict", "a list"])
def test_a_subclassed_model_of_several_inputs_has_them_by_name(kind, tmp_path):
    left, right = normals(5, 4), normals(5, 3)
    model, names = OfMany(), ("left", "right") if kind == "a dict" else ("inputs_0", "inputs_1")
    given = {"left": left, "right": right} if kind == "a dict" else [left, right]
    expected = model(given)["y"]
    served = exported(model, tmp_path / "x")
    answer = served(**dict(zip(names, (left, right), strict=True)))["y"]
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)


def test_the_probe_tells_of_several_arguments_and_of_types(tmp_path):
    two, left, right = OfTwo(), normals(5, 4), normals(5, 3)
    expected = two(left, right)
    with pytest.raises(ValueError, match=r"`probe` tells the others. Received: OfTwo.*'right'$"):
        serving.export(two, tmp_path / "two")
    served = exported(two, tmp_path / "two", probe={"left": left, "right": right})
    np.testing.assert_allclose(served(left=left, right=right)["outputs"], expected, rtol=1e-5, atol=1e-6)
    tokens, model = np.array([[0, 4], [2, 2]], "int64"), OfTokens()
    expected = model(tokens)
    served = exported(model, tmp_path / "tokens", probe={"inputs": tokens})
    assert served.loaded.signatures["serving_default"].structured_input_signature[1]["inputs"].dtype == tf.int64
    np.testing.assert_array_equal(served(inputs=tokens)["outputs"], expected)


REFUSED = {
    "never called": (Subclass, False, "subclass that has been called once. Received: Subclass, not built"),
    "of arrays": (OnArrays, True, "called on a `keras.Input`.*Received: OnArrays, where"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_subclassed_model_that_takes_no_symbolic_input_is_refused_in_one_line(case, tmp_path):
    kind, called, message = REFUSED[case]
    model = kind()
    if called:
        model(normals(2, 4))
    with pytest.raises(ValueError, match=message) as refused:
        serving.export(model, tmp_path / "x")
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())


def test_a_fixed_batch_is_that_of_each_signature_probe_and_warm_up_request(tmp_path):
    model = keras.Sequential([Input(batch_shape=(3, 4, 4, 1)), layers.Flatten(), Dense(5), Dense(2)])
    served = exported(model, tmp_path / "x", preprocess=lambda pixels: pixels / 255, features=True)
    sizes = {name: [*served.shapes(name).values()][0][0] for name in served.loaded.signatures}
    assert sizes == dict.fromkeys(["serving_default", "preprocess", "preprocess_bytes", "features"], 3)
    found = serving.check(served.path, ["onnx"])
    assert found.warm_up == 4 and found.errors["onnx"]["serving_default"] < 1e-6
    parameters = (served.path / "batching_params.pbtxt").read_text()
    assert parameters.startswith("max_batch_size { value: 3 }\nallowed_batch_sizes: 3\n")
    x = normals(3, 4, 4, 1)
    np.testing.assert_allclose(served(inputs=x)["outputs"], model(x), rtol=1e-5)


NAMES = {"right side": "right_side", "a-b": "a_b", "1x": "input_1x", "class": "class_", "self": "self_", "x.y": "x_y"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_argument_of_a_function_is_made_one_everywhere(name, tmp_path):
    x = Input((4,), name=name)
    served = exported(keras.Model(x, 2.0 * x), tmp_path / "x", probe={name: normals(3, 4)})
    assert served.shapes() == {NAMES[name]: [None, 4]}
    np.testing.assert_array_equal(served(**{NAMES[name]: np.ones((2, 4), "float32")})["outputs"], np.full((2, 4), 2))
    # The warm-up requests must name what a server, unlike TensorFlow in Python, takes by this name only.
    record = next(tf.data.TFRecordDataset(str(served.path / "assets.extra" / WARM_UP)).as_numpy_iterator())
    request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
    assert list(request.inputs) == [NAMES[name]]
    assert serving.check(served.path).errors["TensorFlow"]["serving_default"] == 0


def test_two_names_that_become_one_are_refused(tmp_path):
    tensors = [Input((4,), name="a b"), Input((4,), name="a_b")]
    with pytest.raises(ValueError, match=r"different names. Received: \['a b', 'a_b'\], served as a_b"):
        serving.export(keras.Model(tensors, layers.Subtract()(tensors)), tmp_path / "x")


def within(*units: Any) -> keras.Model:
    return keras.Sequential([Dense(50), *units])


class Around(layers.Layer):
    def __init__(self, unit: Any, **named: Any) -> None:
        super().__init__(**named)
        self.unit = unit

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.unit(x)


TRAINING = {
    "RReLU": (lambda: kr.RReLU(seed=1, name="noisy"), "noisy; `sample=True` (--sample)", None),
    "NReLU": (lambda: kr.NReLU(seed=1, name="noisy"), "noisy; `sample=True` (--sample)", None),
    "Dropout": (lambda: layers.Dropout(0.5, name="noisy"), "noisy", "noisy"),
    "GaussianNoise": (lambda: layers.GaussianNoise(1.0, name="noisy"), "noisy", "noisy"),
    "BatchNormalization": (lambda: layers.BatchNormalization(name="noisy"), "noisy", "noisy"),
    "a model": (lambda: keras.Sequential([layers.Dropout(0.5, name="noisy")]), "noisy", "noisy"),
    "RReLU in a model": (lambda: within(kr.RReLU(seed=1, name="noisy")), "noisy; `sample=True` (--sample)", None),
    "RReLU in two models": (lambda: within(within(kr.NReLU(name="noisy"))), "noisy; `sample=True` (--sample)", None),
    "both in a model": (
        lambda: within(kr.RReLU(seed=1, name="noisy"), layers.Dropout(0.5, name="dropped")),
        "dropped, noisy; `sample=True` (--sample)",
        "dropped",
    ),
    "ELU in a model": (lambda: within(kr.ELU()), None, None),
    "RReLU in a layer": (lambda: Around(kr.RReLU(seed=1, name="noisy")), "noisy; `sample=True` (--sample)", None),
    "Dropout in a layer": (lambda: Around(layers.Dropout(0.5), name="noisy"), "noisy", "noisy"),
    "nothing in a layer": (lambda: Around(Dense(50), name="noisy"), "noisy", "noisy"),
    "a recurrent layer": (
        lambda: keras.Sequential([layers.Reshape((50, 1)), layers.LSTM(4, name="noisy")]),
        "noisy",
        "noisy",
    ),
    "ELU": (kr.ELU, None, None),
    "Dense": (lambda: Dense(50), None, None),
}


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("unit", TRAINING)
def test_a_layer_called_with_training_true_is_named_and_served_as_in_predict(unit, sample, tmp_path):
    make, alone, sampled = TRAINING[unit]
    x = Input((50,))
    # Something that draws, for `sample` to be allowed.
    model = keras.Model(x, Dense(3)(kr.NReLU(seed=2)(make()(x, training=True))))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        served = exported(model, tmp_path / "x", sample=sample)
    told = sampled if sample else alone
    messages = [str(warning.message) for warning in caught]
    assert [message.partition("Received: ")[2].startswith(told or "") for message in messages] == [True] * bool(told)
    values = normals(4, 50)
    np.testing.assert_allclose(served(inputs=values)["outputs"], model.predict(values, verbose=0), rtol=1e-4, atol=1e-5)


def test_a_layer_within_a_model_is_named_too(tmp_path):
    y, x = Input((50,)), Input((50,))
    inner = keras.Model(y, layers.Dropout(0.5, name="within")(y, training=True))
    with pytest.warns(UserWarning, match="Received: within$"):
        serving.export(keras.Model(x, Dense(3)(inner(x))), tmp_path / "x")


def images(smallest: int) -> keras.Model:
    unit = [layers.Conv2D(2, smallest), layers.GlobalAveragePooling2D()]
    return keras.Sequential([Input((None, None, 3)), *unit])


@pytest.mark.parametrize(("smallest", "drawn"), [(3, 4), (5, 8), (9, 16), (17, 32), (100, 128)])
def test_a_free_size_grows_until_the_model_takes_it(smallest, drawn, tmp_path):
    served = exported(images(smallest), tmp_path / "x")
    with np.load(served.path / "assets.extra/probe.npz") as probe:
        assert probe["serving_default:inputs:inputs"].shape == (32, drawn, drawn, 3)


def test_a_size_of_which_nothing_is_left_is_not_taken(tmp_path):
    # 4 - 5 + 1 = 0: on some processors TensorFlow answers with memory that nobody wrote, of the input's shape.
    model = keras.Sequential([Input((None, 2)), layers.Conv1D(2, 5)])
    path = serving.export(model, tmp_path / "x")
    inputs, outputs = replay.probe(path)["serving_default"]
    assert (inputs["inputs"].shape, outputs["outputs"].shape) == ((32, 8, 2), (32, 4, 2))
    with pytest.raises(ValueError, match="^Expected inputs that serving_default takes.*zero or negative") as refused:
        serving.export(model, tmp_path / "x", probe={"inputs": np.ones((2, 4, 2))})
    assert "\n" not in str(refused.value)


def test_where_no_size_is_taken_one_line_asks_for_a_probe(tmp_path):
    x = Input((None,))
    model = keras.Model(x, Dense(2)(layers.Reshape((7,))(x)))
    with pytest.raises(ValueError, match=r"`probe` \(--probe\).*4 to 256.*target_shape=\(7,\)$") as refused:
        serving.export(model, tmp_path / "x")
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match=r"^Expected inputs that serving_default takes.*must be unchanged") as refused:
        serving.export(model, tmp_path / "x", probe={"inputs": np.ones((2, 6))})
    assert "\n" not in str(refused.value)
    exported(model, tmp_path / "x", probe={"inputs": np.ones((2, 7))})


def test_a_seed_of_the_models_own_and_that_of_sample_are_not_mixed(tmp_path):
    seed = Input((4,), name="seed")
    with pytest.raises(ValueError, match="`sample` takes an input `seed`"):
        serving.export(keras.Model(seed, kr.NReLU(seed=1)(seed)), tmp_path / "x", sample=True)
