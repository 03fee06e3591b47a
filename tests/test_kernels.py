"""Is each kernel right: value and gradient, both sides of the kink and at it, every float type, every extreme?"""

from collections.abc import Callable

import keras
import numpy as np
import pytest

import reference
from differentiation import central_differences, compiled, differentiated, to_numpy, value_and_gradients
from keras_rectifiers import activations, keys, noise, plain

SEED = 5


def drawn_slopes(x: np.ndarray, lower: float, upper: float, uniform_in: str) -> np.ndarray:
    u = to_numpy(noise.uniform(x.shape, keys.make_key(SEED)))
    return lower + u * (upper - lower) if uniform_in == "slope" else 1 / (1 / upper + u * (1 / lower - 1 / upper))


def drawn_noise(x: np.ndarray) -> np.ndarray:
    return to_numpy(noise.normal(x.shape, keys.make_key(SEED)))


# name: (the function, its reference in float64: value and derivative)
ELEMENTWISE: dict[str, tuple[Callable, Callable]] = {
    "elu": (lambda x: activations.elu(x, 1.7), lambda x: reference.elu(x, 1.7)),
    "elu alpha=0": (lambda x: activations.elu(x, 0), lambda x: reference.elu(x, 0)),
    "prelu": (lambda x: activations.prelu(x, 0.3), lambda x: reference.prelu(x, np.array(0.3))),
    "prelu slope>1": (lambda x: activations.prelu(x, 2.5), lambda x: reference.prelu(x, np.array(2.5))),
    "prelu slope<0": (lambda x: activations.prelu(x, -0.5), lambda x: reference.prelu(x, np.array(-0.5))),
    "rrelu": (activations.rrelu, lambda x: reference.leaky(x, 1 / 5.5)),
    "rrelu slope": (
        lambda x: activations.rrelu(x, 0.1, 0.7, uniform_in="slope"),
        lambda x: reference.leaky(x, 0.4),
    ),
    "rrelu drawn": (
        lambda x: activations.rrelu(x, seed=SEED, training=True),
        lambda x: reference.leaky(x, drawn_slopes(x, 1 / 8, 1 / 3, "divisor")),
    ),
    "rrelu slope drawn": (
        lambda x: activations.rrelu(x, 0.1, 0.7, uniform_in="slope", seed=SEED, training=True),
        lambda x: reference.leaky(x, drawn_slopes(x, 0.1, 0.7, "slope")),
    ),
    "nrelu": (activations.nrelu, reference.rectifier),
    "nrelu mean": (lambda x: activations.nrelu(x, inference="mean"), reference.nrelu_mean),
    "nrelu drawn": (
        lambda x: activations.nrelu(x, seed=SEED, training=True),
        lambda x: reference.nrelu_sample(x, drawn_noise(x)),
    ),
    "scaled_softplus": (
        lambda x: activations.scaled_softplus(x, 3.0),
        lambda x: reference.scaled_softplus(x, 3.0),
    ),
    "sign_flip": (activations.sign_flip, lambda x: reference.sign_flip(x, -1)),
}

# name: (the function of x, its reference: value and pullback)
RESHAPING: dict[str, tuple[Callable, Callable]] = {
    f"crelu axis={axis}": (
        lambda x, axis=axis: activations.crelu(x, axis),
        lambda x, axis=axis: reference.crelu(x, axis),
    )
    for axis in (-1, 1)
} | {
    f"maxout {grouping} axis={axis}": (
        lambda x, grouping=grouping, axis=axis: activations.maxout(x, 3, axis, grouping),
        lambda x, grouping=grouping, axis=axis: reference.maxout(x, 3, axis, grouping),
    )
    for grouping in ("contiguous", "interleaved")
    for axis in (-1, 1)
}

# As large tensors run in training, and as everything runs in inference.
PATHS = {"compiled": compiled, "plain": plain}
elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
reshaping = pytest.mark.parametrize("name", RESHAPING)
path = pytest.mark.parametrize("path", PATHS)


def both_sides(rng: np.random.Generator, shape: tuple[int, ...] = (5, 6, 3)) -> np.ndarray:
    """Return values on both sides of the kink, none so close to it that a difference would straddle it."""
    x = rng.normal(size=shape) * 3
    return np.where(np.abs(x) < 0.01, 0.5, x)


@path
@elementwise
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-6)])
def test_elementwise_values_and_gradients_are_the_references(name, path, dtype, tolerance, rng):
    function, oracle = ELEMENTWISE[name]
    x = both_sides(rng).astype(dtype)
    upstream = rng.normal(size=x.shape)
    with PATHS[path]():
        value, (gradient,) = value_and_gradients(function, [x], upstream)
    expected, derivative = oracle(x.astype("float64"))
    # Two references are less exact than float64: nrelu's mean is differentiated by differences, and the noise of the
    # drawn one is computed in float32, where the kernel's own and a separate call may differ in the last digit.
    tolerance = max(tolerance, {"nrelu mean": 1e-9, "nrelu drawn": 2e-6}.get(name, 0.0))
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance / 10)
    np.testing.assert_allclose(gradient, upstream * derivative, rtol=tolerance, atol=tolerance)


@path
@reshaping
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_reshaping_values_and_gradients_are_the_references(name, path, dtype, rng):
    function, oracle = RESHAPING[name]
    x = both_sides(rng, (5, 6, 3)).astype(dtype)
    expected, pullback = oracle(x.astype("float64"))
    upstream = rng.normal(size=expected.shape).astype(dtype)
    with PATHS[path]():
        value, (gradient,) = value_and_gradients(function, [x], upstream)
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(gradient, pullback(upstream))


@path
@pytest.mark.parametrize("name", [*ELEMENTWISE, *RESHAPING])
def test_gradients_are_central_differences(name, path, rng):
    function, _ = (ELEMENTWISE | RESHAPING)[name]
    x = both_sides(rng, (2, 6, 3))
    upstream = rng.normal(size=to_numpy(function(x)).shape)
    with PATHS[path]():
        _, (gradient,) = value_and_gradients(function, [x], upstream)
        differences = central_differences(function, x, upstream)
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-7)


@path
@pytest.mark.parametrize("shape", [(), (3,), (6, 1), (6, 3), (5, 6, 1), (5, 6, 3), (1, 1, 3)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_prelu_gradient_of_the_slope_is_the_papers_sum(shape, dtype, path, rng):
    x = both_sides(rng).astype(dtype)
    slope = rng.normal(size=shape).astype("float64" if dtype == "float64" else "float32")
    upstream = rng.normal(size=x.shape).astype(dtype).astype("float64")
    with PATHS[path]():
        _, (_, gradient) = value_and_gradients(activations.prelu, [x, slope], upstream)
    expected = reference.prelu_slope_gradient(x.astype("float64"), upstream, shape)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert gradient.shape == shape
    np.testing.assert_allclose(gradient, expected, rtol=tolerance, atol=tolerance)


@path
@pytest.mark.parametrize(
    ("name", "derivative"),
    [
        ("elu", 1.7),
        ("elu alpha=0", 0.0),
        ("prelu", 0.3),
        ("prelu slope>1", 2.5),
        ("prelu slope<0", -0.5),
        ("rrelu", 1 / 5.5),
        ("rrelu slope", 0.4),
        ("nrelu", 0.0),
        ("scaled_softplus", 0.5),
    ],
)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_at_the_kink_the_derivative_is_the_negative_branchs(name, derivative, zero, path):
    function, _ = ELEMENTWISE[name]
    with PATHS[path]():
        value, (gradient,) = value_and_gradients(function, [np.full((1, 4), zero, "float32")])
    np.testing.assert_allclose(gradient, derivative, rtol=1e-6)
    if name != "scaled_softplus":
        np.testing.assert_array_equal(value, 0.0)


@path
def test_at_the_kink_crelu_has_no_gradient_and_drawn_slopes_are_the_slopes(path):
    zeros = np.zeros((2, 3), "float32")
    with PATHS[path]():
        _, (crelu,) = value_and_gradients(activations.crelu, [zeros])
        _, (rrelu,) = value_and_gradients(ELEMENTWISE["rrelu drawn"][0], [zeros])
    np.testing.assert_array_equal(crelu, 0.0)
    np.testing.assert_allclose(rrelu, drawn_slopes(zeros, 1 / 8, 1 / 3, "divisor"), rtol=1e-6)


@path
@pytest.mark.parametrize("grouping", ["contiguous", "interleaved"])
def test_a_tie_in_maxout_gives_its_gradient_to_the_first_piece(grouping, path):
    x = np.array([[2.0, 2.0, 1.0, 2.0, 2.0, 2.0]], "float32")
    with PATHS[path]():
        _, (gradient,) = value_and_gradients(lambda t: activations.maxout(t, 3, -1, grouping), [x])
    expected = [[1, 0, 0, 1, 0, 0]] if grouping == "contiguous" else [[1, 1, 0, 0, 0, 0]]
    np.testing.assert_array_equal(gradient, expected)


@path
@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("grouping", ["contiguous", "interleaved"])
def test_maxout_of_any_number_of_pieces_gives_each_unit_s_gradient_to_one_piece(grouping, pieces, path):
    # Units of all negative zeros and zeros, of all equal ones, with its largest last, and with a NaN first and last,
    # of which no more is asked than that nothing is counted twice.
    units = np.array(
        [[-0.0] + [0.0] * (pieces - 1), [3.0] * pieces, range(pieces), [2.0] * pieces, [2.0] * pieces], "float32"
    )
    units[3, 0] = units[4, -1] = np.nan
    x = (units if grouping == "contiguous" else units.T).reshape(1, -1)
    with PATHS[path]():
        _, (gradient,) = value_and_gradients(lambda t: activations.maxout(t, pieces, -1, grouping), [x])
    gradient = gradient.reshape(5, pieces) if grouping == "contiguous" else gradient.reshape(pieces, 5).T
    expected = np.zeros((5, pieces))
    expected[0, 0] = expected[1, 0] = expected[2, -1] = 1
    np.testing.assert_array_equal(gradient[:3], expected[:3])
    assert (np.abs(gradient[3:]).sum(axis=1) <= 1).all()


@path
@elementwise
def test_subnormal_and_huge_inputs_give_finite_values_and_gradients(name, path):
    function, oracle = ELEMENTWISE[name]
    tiny, huge = 1e-40, 1e38
    x = np.array([[-huge, -1e4, -88.0, -tiny, tiny, 88.0, 1e4, huge]], "float32")
    with PATHS[path]():
        value, (gradient,) = value_and_gradients(function, [x])
    expected, derivative = oracle(x.astype("float64"))
    # TensorFlow and XLA flush subnormal numbers to zero, so there the gradient may be that of the kink.
    _, at_zero = oracle(np.zeros_like(x, "float64"))
    flushed = np.isclose(gradient, at_zero, rtol=2e-6) & (np.abs(x) < np.finfo("float32").tiny)
    np.testing.assert_allclose(value, expected, rtol=2e-6, atol=2e-7)
    if name != "nrelu mean":  # its reference cannot take differences at 1e38
        np.testing.assert_allclose(np.where(flushed, derivative, gradient), derivative, rtol=2e-6, atol=2e-7)
    assert np.isfinite(gradient).all()


LIMITS = {  # at minus and at plus infinity: the value, the derivative
    "elu": ((-1.7, 0.0), (np.inf, 1.0)),
    "prelu": ((-np.inf, 0.3), (np.inf, 1.0)),
    "rrelu": ((-np.inf, 1 / 5.5), (np.inf, 1.0)),
    "nrelu": ((0.0, 0.0), (np.inf, 1.0)),
    "nrelu mean": ((0.0, 0.0), (np.inf, 1.0)),
    "nrelu drawn": ((0.0, 0.0), (np.inf, 1.0)),
    "scaled_softplus": ((0.0, 0.0), (np.inf, 1.0)),
}


@path
@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_infinite_inputs_give_the_limits(name, path, dtype):
    function, _ = ELEMENTWISE[name]
    with PATHS[path]():
        value, (gradient,) = value_and_gradients(function, [np.array([[-np.inf, np.inf]], dtype)])
    below, above = LIMITS[name]
    tolerance = 1e-3 if dtype == "float16" else 1e-6
    np.testing.assert_allclose(value, [[below[0], above[0]]], rtol=tolerance)
    np.testing.assert_allclose(gradient, [[below[1], above[1]]], rtol=tolerance)


@path
@pytest.mark.parametrize("name", [*ELEMENTWISE, *RESHAPING])
def test_nan_goes_through(name, path):
    function, _ = (ELEMENTWISE | RESHAPING)[name]
    x = np.zeros((2, 6, 3), "float32")
    x[1, 4, 2] = np.nan
    with PATHS[path]():
        value = to_numpy(function(x))
    marked = to_numpy(function(np.where(np.isnan(x), 1e6, x))) > 1e5
    if "crelu" in name:  # both halves see it
        marked |= to_numpy(function(np.where(np.isnan(x), -1e6, x))) > 1e5
    if name == "sign_flip":
        marked = np.isnan(x)
    assert marked.any()
    np.testing.assert_array_equal(np.isnan(value), marked)


@path
@pytest.mark.parametrize("name", [*ELEMENTWISE, *RESHAPING])
@pytest.mark.parametrize(("dtype", "ulp"), [("float16", 2**-10), ("bfloat16", 2**-7)])
def test_half_precision_is_kept_and_rounds_once(name, path, dtype, ulp, rng):
    function, oracle = (ELEMENTWISE | RESHAPING)[name]
    x = keras.ops.cast(both_sides(rng), dtype)
    with PATHS[path]():
        y = function(x)
        value, (gradient,) = value_and_gradients(function, [x])
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    expected, of_input = oracle(to_numpy(x))
    expected_gradient = of_input(np.ones_like(expected)) if callable(of_input) else of_input
    # Half an ulp of rounding, and a little for the float32 arithmetic before it.
    atol = 5e-7 if name == "nrelu mean" else 3e-7
    np.testing.assert_allclose(value, expected, rtol=0.51 * ulp, atol=atol)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0.51 * ulp, atol=atol)


@path
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", [*ELEMENTWISE, *RESHAPING])
def test_the_dtype_is_kept_forward_and_backward(name, path, dtype):
    function, _ = (ELEMENTWISE | RESHAPING)[name]
    x = keras.ops.cast(np.ones((2, 6, 3)), dtype)
    with PATHS[path]():
        value, (gradient,) = differentiated(function, [x])
    assert keras.backend.standardize_dtype(value.dtype) == dtype
    assert keras.backend.standardize_dtype(gradient.dtype) == dtype


@path
def test_elu_keeps_its_digits_next_to_zero_and_softplus_far_below_it(path):
    x = -np.logspace(-30, -2, 60).astype("float32")[None]
    with PATHS[path]():
        elu = to_numpy(activations.elu(x, 1.0))
        # Far below zero, where 1 + e^x would round to 1.
        tail = to_numpy(activations.scaled_softplus(np.array([[-80, -40, -20, -10]], "float32")))
    # TensorFlow's own operation, which runs on its plain path, is e^x - 1.
    own = path == "plain" and keras.backend.backend() == "tensorflow"
    rtol, atol = (0, 6e-8) if own else (5e-7, 0)
    np.testing.assert_allclose(elu, np.expm1(x.astype("float64")), rtol=rtol, atol=atol)
    np.testing.assert_allclose(tail, np.log1p(np.exp([[-80.0, -40, -20, -10]])), rtol=1e-5)


@path
def test_elu_of_a_large_alpha_has_a_gradient_wherever_it_is_an_ordinary_number(path):
    x = np.linspace(-92, -80, 25, dtype="float32")[None]
    with PATHS[path]():
        _, (gradient,) = value_and_gradients(lambda t: activations.elu(t, 194.0), [x])
    expected = 194.0 * np.exp(x.astype("float64"))
    assert expected.min() > np.finfo("float32").tiny
    np.testing.assert_allclose(gradient, expected, rtol=2e-5)


def test_every_function_is_in_a_table():
    asked = {name.split()[0] for name in (*ELEMENTWISE, *RESHAPING)}
    assert asked == set(activations.__all__)


@path
def test_a_sharp_softplus_stays_finite_in_float16(path):
    x = np.array([[-6e4, -12.0, 0.0, 12.0, 6e4]], "float16")
    with PATHS[path]():
        value, (gradient,) = value_and_gradients(lambda t: activations.scaled_softplus(t, 100.0), [x])
    np.testing.assert_allclose(value, [[0, 0, np.log(2) / 100, 12, 6e4]], rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(gradient, [[0, 0, 0.5, 1, 1]], atol=1e-7)


@path
@pytest.mark.parametrize("name", ["elu", "scaled_softplus", "nrelu mean", "prelu", "rrelu drawn", "nrelu drawn"])
def test_second_derivatives_are_central_differences_of_the_first(name, path, rng):
    if keras.backend.backend() == "torch":
        pytest.skip("this suite's PyTorch helper detaches its inputs, and so cannot be nested")
    function, _ = ELEMENTWISE[name]
    x = both_sides(rng, (2, 6))

    def derivative(t):
        return differentiated(function, [t])[1][0]

    with PATHS[path]():
        second = to_numpy(differentiated(derivative, [x])[1][0])
        differences = central_differences(derivative, x, np.ones_like(x))
    np.testing.assert_allclose(second, differences, rtol=1e-5, atol=1e-6)
