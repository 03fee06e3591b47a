"""Is every wrong argument, shape and input refused at once, in Keras's grammar, with what was received?"""

import keras
import numpy as np
import pytest
from specimens import SPECIMENS

from keras_rectifiers import activations


def rows(field: str) -> list:
    return [
        pytest.param(specimen, row, id=f"{specimen.layer.__name__}-{row}")
        for specimen in SPECIMENS
        for row in getattr(specimen, field)
    ]


@pytest.mark.parametrize(("specimen", "wrong"), rows("wrong_arguments"))
def test_a_wrong_argument_is_refused_in_the_constructor(specimen, wrong):
    name = next(iter(wrong))
    with pytest.raises((ValueError, TypeError)) as refusal:
        specimen.make(**wrong)
    if not name.endswith("initializer") or isinstance(wrong[name], float):  # those are Keras's own messages
        assert "must be" in str(refusal.value)
        assert "Received: " in str(refusal.value)


@pytest.mark.parametrize(("specimen", "wrong"), rows("wrong_shapes"))
def test_a_wrong_shape_is_refused_in_build(specimen, wrong):
    arguments, shape = wrong
    with pytest.raises(ValueError, match="expected .* Received: "):
        specimen.make(**arguments).build(shape)


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda s: s.layer.__name__)
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_an_integer_input_is_refused_at_the_first_call_symbolic_or_eager(specimen, dtype):
    with pytest.raises(ValueError, match=f"expected a floating-point input.*Received: dtype={dtype}"):
        specimen.make()(keras.Input(specimen.input_shape, dtype=dtype))
    with pytest.raises(ValueError, match=f"expected a floating-point input.*Received: dtype={dtype}"):
        specimen.make()(np.ones((2, *specimen.input_shape), dtype))


FUNCTIONS = [getattr(activations, name) for name in activations.__all__]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_refuses_integers_and_symbolic_tensors(function):
    with pytest.raises(ValueError, match=f"`{function.__name__}` expected a floating-point input"):
        function(np.ones((2, 4), "int32"))
    with pytest.raises(ValueError, match=f"`{function.__name__}` expected a tensor of numbers; .* use the layer"):
        function(keras.Input((4,)))


X = np.ones((2, 6), "float32")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: activations.elu(X, alpha=-1),
            "Argument `alpha` must be .* of at least 0.*Received: alpha=-1",
        ),
        (lambda: activations.rrelu(X, training=True), "`rrelu` expected `seed`.*Received: seed=None"),
        (
            lambda: activations.rrelu(X, seed=2**31, training=True),
            "Argument `seed` must be .*Received: seed=2147483648",
        ),
        (lambda: activations.rrelu(X, 3, 8), "a divisor that is uniform on .3, 8. has lower=1/8.*Received: lower=3.0"),
        (lambda: activations.rrelu(X, 0.5, 0.2), "lower <= upper.*Received: lower=0.5, upper=0.2"),
        (lambda: activations.nrelu(X, "sample"), "`nrelu` expected `seed`.*Received: seed=None"),
        (
            lambda: activations.nrelu(X, "median"),
            'one of "rectified", "mean", "sample".*Received: inference=.median.',
        ),
        (lambda: activations.maxout(X, 4), "that its 4 pieces divide.*Received: size 6 for pieces=4"),
        (lambda: activations.maxout(X, 2, axis=2), r"an axis in \[-2, 2\).*Received: axis=2"),
        (lambda: activations.crelu(X, axis=-3), r"an axis in \[-2, 2\).*Received: axis=-3"),
        (
            lambda: activations.sign_flip(X, axis=1.0),
            "Argument `axis` must be an integer.*Received: axis=1.0",
        ),
        (lambda: activations.scaled_softplus(X, 0), "a finite number above 0.*Received: sharpness=0"),
        (lambda: activations.rrelu(X, seed=1, training=X), "Argument `training` must be None, True or False"),
        (lambda: activations.elu(X, alpha=10**400), "Argument `alpha` must be a finite number"),
        (lambda: activations.elu(X, alpha=np.True_), "Argument `alpha` must be a finite number.*Received"),
        (lambda: activations.crelu(X, axis=np.array([1, 2])), "Argument `axis` must be an integer.*Received"),
        (lambda: activations.prelu(X, np.ones(5, "float32")), r"broadcasts.*Received: slope of shape \(5,\)"),
        (lambda: activations.prelu(X, np.ones((2, 2, 6), "float32")), "broadcasts.*Received: slope of shape"),
    ],
)
def test_a_function_says_what_it_expected_and_what_it_received(call, message):
    with pytest.raises(ValueError, match=message):
        call()
