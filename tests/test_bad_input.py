"""Is every wrong argument, shape and input refused at once, in Keras's grammar, with what was received?"""

import re

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers import activations
from specimens import NAMES, NO_INTEGERS, NO_NUMBERS, NO_SEEDS, NO_TEXTS, SPECIMENS

each_layer = pytest.mark.parametrize("specimen", SPECIMENS, ids=NAMES)


def name_of(row: object) -> str:
    try:
        return re.sub(" at 0x[0-9a-f]+", "", str(row))[:80]
    except ValueError:  # integers of more than 4,300 digits have no text
        return f"{next(iter(row))}-huge"


def rows(field: str) -> list:
    return [
        pytest.param(specimen, row, id=f"{specimen.layer.__name__}-{name_of(row)}")
        for specimen in SPECIMENS
        for row in getattr(specimen, field)
    ]


@pytest.mark.parametrize(("specimen", "wrong"), rows("wrong_arguments"))
def test_a_wrong_argument_is_refused_in_the_constructor(specimen, wrong):
    name = next(iter(wrong))
    with pytest.raises((ValueError, TypeError)) as refusal:
        specimen.make(**wrong)
    if not (name.endswith("initializer") and isinstance(wrong[name], str)):  # those are Keras's own messages
        assert re.fullmatch(r"Arguments? `.*` must be .*\. Received: .*", str(refusal.value))


@pytest.mark.parametrize(("specimen", "wrong"), rows("wrong_shapes"))
def test_a_wrong_shape_is_refused_in_build(specimen, wrong):
    arguments, shape = wrong
    with pytest.raises(ValueError, match="expected .* Received: "):
        specimen.make(**arguments).build(shape)


@pytest.mark.parametrize(("specimen", "wrong"), rows("wrong_shapes"))
def test_a_wrong_shape_is_refused_at_the_first_call_symbolic_or_eager(specimen, wrong):
    arguments, shape = wrong
    with pytest.raises(ValueError, match="expected .* Received: "):
        specimen.make(**arguments)(keras.Input(shape[1:]))
    if None not in shape[1:]:
        with pytest.raises(ValueError, match="expected .* Received: "):
            specimen.make(**arguments)(np.ones((2, *shape[1:]), "float32"))


@each_layer
def test_what_is_not_the_shape_of_one_tensor_is_refused(specimen):
    layer = specimen.make()
    for several in (None, [(2, 6), (2, 6)], {"a": (2, 6)}):
        # Those that take every shape have Keras's own `build`.
        for asked in [layer.compute_output_shape, layer.build][: 1 + bool(specimen.wrong_shapes)]:
            with pytest.raises(ValueError, match="expected one tensor. Received: input_shape="):
                asked(several)


def several(x: object) -> list:
    return [None, [x], [x, x], (x, x), {"a": x}]


@each_layer
@pytest.mark.parametrize("number", range(5))
def test_a_layer_takes_one_tensor(specimen, number):
    for x in (np.ones((2, *specimen.input_shape), "float32"), keras.Input(specimen.input_shape)):
        with pytest.raises(ValueError, match="expected one tensor.*Received: "):
            specimen.make()(several(x)[number])


@each_layer
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


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_takes_one_tensor(function):
    for x in (*several(X), *several(keras.Input((6,))), "", "abc", b"abc", ["abc"], [None], {1.0}, object(), object):
        with pytest.raises(ValueError, match=f"`{function.__name__}` expected one tensor of numbers. Received: "):
            function(x)


NO_TRUTHS = (0.5, 1.0, float("nan"), float("inf"), "1", "", b"1", 1j, 2, -1, 10**30, [], [True], {}, object)
NO_TRUTHS += (np.float32(1), np.array([True]), np.array([[1]]), np.array([True, False]))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_refuses_what_is_neither_true_nor_false_as_training(function):
    for wrong in (*NO_TRUTHS, np.array("1"), keras.Input(())):
        with pytest.raises(ValueError, match="^Argument `training` must be None, True or False. Received: training="):
            function(X, training=wrong)


@each_layer
def test_a_layer_refuses_what_is_neither_true_nor_false_as_training(specimen):
    for wrong in NO_TRUTHS:
        with pytest.raises(ValueError, match="Argument `training` must be None, True or False. Received: training="):
            specimen.make()(np.ones((2, *specimen.input_shape), "float32"), training=wrong)


NO_SLOPES = [v for v in NO_NUMBERS if np.ndim(v) == 0 and not isinstance(v, list)]
NO_SLOPES += [
    [0.5, [0.5]],
    [0.5, None],
    [float("nan")] * 6,
    {},
    np.array([True] * 6),
    np.array(["1"] * 6),
    np.ones(6, "longdouble"),
    np.ones(6, "complex64"),
]


@pytest.mark.parametrize("training", [None, True])
@pytest.mark.parametrize(
    ("function", "name", "wrong"),
    [
        (activations.elu, "alpha", NO_NUMBERS),
        (activations.scaled_softplus, "sharpness", (*NO_NUMBERS, 1e-50, 1e-40)),
        (activations.prelu, "slope", (*NO_SLOPES, keras.Input((6,)))),
        (activations.rrelu, "lower", NO_NUMBERS),
        (activations.rrelu, "upper", (*NO_NUMBERS, 3e38)),
        (activations.rrelu, "uniform_in", NO_TEXTS),
        (activations.rrelu, "seed", NO_SEEDS),
        (activations.nrelu, "inference", NO_TEXTS),
        (activations.nrelu, "seed", NO_SEEDS),
        (activations.maxout, "pieces", (0, *NO_INTEGERS)),
        (activations.maxout, "axis", NO_INTEGERS),
        (activations.maxout, "grouping", NO_TEXTS),
        (activations.crelu, "axis", NO_INTEGERS),
        (activations.sign_flip, "axis", NO_INTEGERS),
    ],
    ids=lambda value: getattr(value, "__name__", value if isinstance(value, str) else ""),
)
def test_a_function_refuses_every_wrong_argument_trained_or_not(function, name, wrong, training):
    for value in wrong:
        with pytest.raises(ValueError, match=f"^Argument `{name}` must be .*\\. Received: {name}="):
            function(X, training=training, **{name: value})


def test_a_tensor_is_neither_a_number_nor_when_it_is_floating_an_integer():
    tensor = keras.ops.convert_to_tensor
    for axis in (tensor(1.0), tensor(True), tensor([1]), keras.Input(())):
        for layer in (keras_rectifiers.CReLU, keras_rectifiers.Maxout, keras_rectifiers.SignFlip):
            with pytest.raises(ValueError, match="Argument `axis` must be an integer. Received: axis="):
                layer(axis=axis)
    for alpha in (tensor(1.0), keras.Variable(1.0), keras.Input(())):
        with pytest.raises(ValueError, match="Argument `alpha` must be a finite number.* Received: alpha="):
            keras_rectifiers.ELU(alpha)
    with pytest.raises(ValueError, match="Argument `shared_axes` must be .*Received: shared_axes="):
        keras_rectifiers.PReLU(shared_axes=tensor([1]))
    with pytest.raises(ValueError, match="Argument `uniform_in` must be .*Received: uniform_in="):
        keras_rectifiers.RReLU(uniform_in=tensor(1.0))


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
