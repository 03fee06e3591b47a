"""Is every value that one can think of either refused in one sentence or good for finite numbers and a plain config?

The values are drawn by hypothesis, the same ones each time. Compilation is left out: each number would cost one.
"""

import inspect
import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from differentiation import to_numpy
from keras_rectifiers import activations, plain
from specimens import SPECIMENS

drawn = settings(
    max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)

# None that a width could be and that would fill the memory.
integers = st.one_of(
    st.integers(-6, 12),
    st.sampled_from([2**31 - 1, 2**31, 2**63, -(2**63) - 1, 10**400]),
)
floats = st.one_of(
    st.floats(-4.0, 4.0),
    st.floats(),
    st.sampled_from([0.0, -0.0, 5e-324, 1e-50, 1e-45, 1.1e-38, 1.2e-38, 3.4028235e38, 1e39, -1e39]),
)
words = st.one_of(
    st.sampled_from(["slope", "divisor", "mean", "sample", "interleaved", "contiguous", "spatial", "channels_first"]),
    st.text(max_size=4),
)
others = st.sampled_from(
    [None, True, False, Ellipsis, NotImplemented, b"", b"1", bytearray(b"1"), 1j, complex("nan"), range(1, 3), object()]
)
rationals = st.one_of(
    st.fractions(), st.decimals(allow_nan=True), st.just(Fraction(10**400)), st.just(Decimal("1e400"))
)
plainest = st.one_of(integers, floats, words, others, rationals)

KINDS = ["bool", "int8", "uint8", "int64", "float16", "float32", "float64", "longdouble", "complex64", "U4", "S4", "O"]


@st.composite
def arrays(draw: Any) -> Any:
    shape = draw(st.sampled_from([(), (1,), (2,), (6,), (0,), (1, 1), (4, 4, 6), (1, 4, 6)]))
    with np.errstate(all="ignore"):
        array = np.full(shape, draw(st.sampled_from([0, 1, 2, 0.5, -3, 1e39, 1e-50, float("nan")]))).astype(
            draw(st.sampled_from(KINDS))
        )
    # A scalar of NumPy's, an array of one.
    return array[()] if draw(st.booleans()) else array


TENSORS = [
    lambda: keras.ops.convert_to_tensor(1.0),
    lambda: keras.ops.convert_to_tensor(1),
    lambda: keras.ops.convert_to_tensor(True),
    lambda: keras.ops.convert_to_tensor([1, 2]),
    lambda: keras.ops.convert_to_tensor(np.full((4, 4, 6), 0.5, "float32")),
    lambda: keras.Variable(0.5),
    lambda: keras.Variable(2, dtype="int32", trainable=False),
    lambda: keras.Input(()),
    lambda: keras.Input((4, 6)),
    lambda: keras.random.SeedGenerator(3),
]
tensors = st.sampled_from(TENSORS).map(lambda make: make())
nested = st.recursive(
    plainest | arrays(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["class_name", "config", 1]), inner, max_size=2)
    ),
    max_leaves=4,
)
axes = st.lists(st.integers(-3, 3), max_size=3)
values = st.one_of(plainest, arrays(), nested, axes, tensors, st.sets(st.integers(1, 3)))

SENTENCE = re.compile(r"(must be|expected) .*Received: ", re.DOTALL)


def refused(error: Exception) -> bool:
    return isinstance(error, ValueError) and bool(SENTENCE.search(str(error)))


def batch(specimen: Any) -> np.ndarray:
    x = np.random.default_rng(0).uniform(-1, 1, size=(2, *specimen.input_shape)).astype("float32")
    x[0] = 0
    return x


def is_data(value: Any) -> bool:
    """Tell whether what is not finite in a result may have been so in a tensor that was given."""
    return len(getattr(value, "shape", ())) > 0


ARGUMENTS = [
    pytest.param(specimen, name, id=f"{specimen.layer.__name__}-{name}")
    for specimen in SPECIMENS
    for name in specimen.arguments
]


@pytest.mark.parametrize(("specimen", "name"), ARGUMENTS)
@drawn
@given(value=values)
def test_a_layer_refuses_a_value_or_works_with_it(specimen, name, value):
    # What initializers, regularizers and constraints there are is Keras's to say.
    of_keras = name.endswith(("initializer", "regularizer", "constraint"))
    try:
        layer = specimen.make(**{name: value})
    except Exception as error:
        assert refused(error) or (of_keras and isinstance(error, ValueError | TypeError)), repr(error)
        return
    try:
        config = layer.get_config()
        written = json.dumps(config, allow_nan=False)
        assert type(layer).from_config(json.loads(written)).get_config() == config
        check_calls(specimen, layer, finite=not is_data(value))
    except (ValueError, TypeError) as error:
        assert of_keras, repr(error)


def check_calls(specimen: Any, layer: keras.Layer, *, finite: bool) -> None:
    x = batch(specimen)
    for training in (False, True):
        try:
            with plain():
                y = layer(x, training=training)
        except ValueError as error:
            assert refused(error), repr(error)
            continue
        assert tuple(y.shape) == tuple(layer.compute_output_shape(x.shape))
        assert not finite or np.isfinite(to_numpy(y)).all()


FUNCTION_ARGUMENTS = [
    pytest.param(function, name, id=f"{function.__name__}-{name}")
    for function in (getattr(activations, name) for name in activations.__all__)
    for name in list(inspect.signature(function).parameters)[1:]
]


@pytest.mark.parametrize(("function", "name"), FUNCTION_ARGUMENTS)
@drawn
@given(value=values, training=st.sampled_from([None, False, True]))
def test_a_function_refuses_a_value_or_works_with_it(function, name, value, training):
    specimen = next(s for s in SPECIMENS if s.function is function)
    x = batch(specimen)
    try:
        with plain():
            y = function(x, **{**specimen.function_arguments, "training": training, name: value})
    except Exception as error:
        assert refused(error), repr(error)
        return
    assert len(y.shape) == len(x.shape)
    if function not in (activations.crelu, activations.maxout):
        assert tuple(y.shape) == x.shape
    assert is_data(value) or np.isfinite(to_numpy(y)).all()
