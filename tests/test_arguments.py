"""Which values does an argument take besides the plain one, and does the config hold the plain one?"""

import json
from decimal import Decimal
from fractions import Fraction

import keras
import numpy as np
import pytest

import keras_rectifiers as kr
from differentiation import to_numpy
from keras_rectifiers import activations, checks
from specimens import NAMES, SPECIMENS

X = np.array([[-1.0, 0.0, 0.5, 1.0, -0.5, 0.25]], "float32")
LARGEST = float(np.finfo("float32").max)
HALVES = (0.5, np.float16(0.5), np.float32(0.5), np.float64(0.5), np.array(0.5), Fraction(1, 2), Decimal("0.5"))
ONES = (1, np.int8(1), np.uint64(1), np.array(1))


@pytest.mark.parametrize(
    ("layer", "name", "values", "plain"),
    [
        (kr.ELU, "alpha", HALVES, 0.5),
        (kr.ELU, "alpha", ONES, 1.0),
        (kr.ELU, "alpha", (0, np.float32(0)), 0.0),
        (kr.ELU, "alpha", (1e-50,), 1e-50),
        (kr.ELU, "alpha", (LARGEST,), LARGEST),
        (kr.ScaledSoftplus, "sharpness", HALVES, 0.5),
        (kr.RReLU, "upper", HALVES, 0.5),
        (kr.RReLU, "lower", (0.125, np.float32(0.125)), 0.125),
        (kr.RReLU, "uniform_in", ("slope", np.str_("slope")), "slope"),
        (kr.RReLU, "seed", ONES, 1),
        (kr.RReLU, "seed", (None,), None),
        (kr.NReLU, "inference", ("mean", np.str_("mean")), "mean"),
        (kr.CReLU, "axis", ONES, 1),
        (kr.Maxout, "pieces", (2, np.int64(2)), 2),
        (kr.Maxout, "grouping", ("interleaved", np.str_("interleaved")), "interleaved"),
        (kr.SignFlip, "axis", ONES, 1),
        (kr.PReLU, "shared_axes", ([1, 2], (1, 2), range(1, 3), np.array([1, 2]), [np.int64(1), np.array(2)]), [1, 2]),
        (kr.PReLU, "shared_axes", ONES, [1]),
        (kr.PReLU, "shared_axes", ([1, 1],), [1, 1]),
        (kr.PReLU, "shared_axes", ([], (), np.array([], int)), []),
        (kr.PReLU, "data_format", (None, "channels_last"), "channels_last"),
    ],
)
def test_a_value_stands_in_the_config_as_its_plain_one(layer, name, values, plain):
    for value in values:
        config = layer(**{name: value}).get_config()
        assert config[name] == plain
        assert type(config[name]) is type(plain)
        assert layer.from_config(json.loads(json.dumps(config))).get_config() == config


@pytest.mark.parametrize("value", (True, np.True_, np.array(True)))
def test_a_boolean_stands_in_the_config_as_a_plain_one(value):
    assert kr.MaxoutDense(2, use_bias=value).get_config()["use_bias"] is True


@pytest.mark.parametrize("value", [*HALVES, keras.initializers.Constant(0.5), "0.5"])
def test_prelu_starts_at_the_number_that_it_is_given(value):
    if value == "0.5":
        value = {"class_name": "Constant", "config": {"value": 0.5}}
    layer = kr.PReLU(alpha_initializer=value)
    np.testing.assert_array_equal(to_numpy(layer(X)), np.where(X > 0, X, 0.5 * X))
    config = layer.get_config()
    assert config["alpha_initializer"]["config"] == {"value": 0.5}
    assert kr.PReLU.from_config(json.loads(json.dumps(config))).get_config() == config


def test_prelu_s_slopes_may_be_an_array():
    slopes = np.linspace(-1, 1, 6).astype("float32")
    np.testing.assert_array_equal(to_numpy(kr.PReLU(slopes)(X)), np.where(X > 0, X, slopes * X))


@pytest.mark.parametrize(
    "slope", [*HALVES, [0.5] * 6, [[Fraction(1, 2)] * 6], np.full(6, 0.5), np.full(6, 0.5, "float16")]
)
def test_prelu_s_functional_form_takes_numbers_lists_and_tensors(slope):
    for given in (slope, keras.ops.convert_to_tensor(0.5), keras.Variable(0.5)):
        np.testing.assert_array_equal(to_numpy(activations.prelu(X, given)), np.where(X > 0, X, 0.5 * X))
    np.testing.assert_array_equal(to_numpy(activations.prelu(X, np.full(6, 2, "int32"))), np.where(X > 0, X, 2 * X))


def test_the_largest_and_smallest_numbers_give_finite_results():
    tiny = float(np.finfo("float32").tiny)
    layers = [
        kr.ELU(LARGEST),
        kr.ScaledSoftplus(LARGEST),
        kr.ScaledSoftplus(tiny),
        kr.PReLU(LARGEST),
        kr.PReLU(-LARGEST),
    ]
    layers += [kr.RReLU(tiny, 1 / tiny, seed=1), kr.RReLU(tiny, tiny, seed=1), kr.RReLU(1.0, 1 / tiny, seed=1)]
    layers += [kr.RReLU(-1.7e38, 1.7e38, "slope", 1), kr.RReLU(LARGEST, LARGEST, "slope", 1)]
    for layer in layers:
        for training in (False, True):
            assert np.isfinite(to_numpy(layer(X, training=training))).all(), layer.get_config()


TRUTHS = [(None, None), (True, True), (False, False), (0, False), (1, True)]
TRUTHS += [(kind(truth), bool(truth)) for kind in (np.bool_, np.int64, np.uint8, np.array) for truth in (0, 1)]
TRUTHS += [(np.array(truth), truth) for truth in (False, True)]


def test_training_is_none_a_boolean_or_0_or_1():
    for value, plain in TRUTHS:
        assert checks.training(value) is plain
        if value is not None:
            assert checks.training(keras.ops.convert_to_tensor(value)) is plain


@pytest.mark.parametrize("specimen", SPECIMENS, ids=NAMES)
def test_every_layer_takes_numpy_s_booleans_as_training(specimen):
    x = np.random.default_rng(0).normal(size=(3, *specimen.input_shape)).astype("float32")
    for value, plain in TRUTHS:
        keras.utils.set_random_seed(0)
        expected = specimen.make()(x, training=plain)
        keras.utils.set_random_seed(0)
        np.testing.assert_array_equal(to_numpy(specimen.make()(x, training=value)), to_numpy(expected))


WEIGHTLESS = [specimen.layer for specimen in SPECIMENS if not specimen.weights]


@pytest.mark.parametrize("layer", WEIGHTLESS, ids=lambda layer: layer.__name__)
def test_a_layer_without_weights_is_built_unless_a_subclass_builds(layer):
    class Scaled(layer):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

        def call(self, inputs, training=None):
            return self.scale * super().call(inputs, training=training)

    assert layer().built
    assert not Scaled().built
    scaled = Scaled()
    np.testing.assert_array_equal(to_numpy(scaled(X)), to_numpy(layer()(X)))
    assert len(scaled.weights) == 1
