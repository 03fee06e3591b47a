"""Does every transform that Keras's own layers stand work on ours, plain and compiled?"""

import contextlib
import subprocess
import sys
from collections.abc import Callable

import keras
import numpy as np
import pytest

import keras_rectifiers
from differentiation import central_differences, compiled, to_numpy, value_and_gradients
from keras_rectifiers import activations

BACKEND = keras.backend.backend()
on = {name: pytest.mark.skipif(name != BACKEND, reason=f"of {name}") for name in ("tensorflow", "jax", "torch")}

# Each function of x alone, of shape (3, 6), drawing the same noise at every call.
UNITS: dict[str, Callable] = {
    "elu": lambda x: activations.elu(x, training=True),
    "elu 1.7": lambda x: activations.elu(x, 1.7, training=True),
    "prelu": lambda x: activations.prelu(x, 0.25, training=True),
    "rrelu": activations.rrelu,
    "rrelu drawn": lambda x: activations.rrelu(x, seed=5, training=True),
    "nrelu": activations.nrelu,
    "nrelu mean": lambda x: activations.nrelu(x, "mean", training=None),
    "nrelu drawn": lambda x: activations.nrelu(x, seed=5, training=True),
    "crelu": lambda x: activations.crelu(x, training=True),
    "maxout": lambda x: activations.maxout(x, 3, training=True),
    "scaled_softplus": lambda x: activations.scaled_softplus(x, 3.0, training=True),
    "sign_flip": lambda x: activations.sign_flip(x, training=True),
}
PATHS = {"small": contextlib.nullcontext, "compiled": compiled}
each_unit = pytest.mark.parametrize("name", UNITS)
path = pytest.mark.parametrize("path", PATHS)


def point(rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(size=(3, 6)) * 2
    return np.where(np.abs(x) < 0.01, 0.5, x)


def directional(function: Callable, x: np.ndarray, direction: np.ndarray, step: float = 1e-5) -> np.ndarray:
    tensors = (keras.ops.convert_to_tensor(x + s * direction, dtype="float64") for s in (step, -step))
    above, below = (to_numpy(function(tensor)) for tensor in tensors)
    return (above - below) / (2 * step)


@on["tensorflow"]
@path
@each_unit
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_forward_mode_is_the_directional_derivative(name, graph, path, rng):
    import tensorflow as tf

    x, direction = point(rng), rng.normal(size=(3, 6))

    def forward(x, direction):
        with tf.autodiff.ForwardAccumulator(x, direction) as accumulator:
            y = UNITS[name](x)
        return accumulator.jvp(y, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    with PATHS[path]():
        found = (tf.function(forward) if graph else forward)(tf.constant(x), tf.constant(direction))
        expected = directional(UNITS[name], x, direction)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@on["tensorflow"]
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("layer", [False, True], ids=["function", "layer"])
def test_forward_mode_by_the_slope_of_a_large_prelu_is_the_sum_of_what_is_negative(layer, graph, rng):
    import tensorflow as tf

    x = tf.constant(rng.normal(size=(1024, 512)), tf.float32)
    unit = keras_rectifiers.PReLU()
    unit.build(x.shape)

    def forward(slope):
        with tf.autodiff.ForwardAccumulator(slope, tf.ones_like(slope)) as accumulator:
            y = unit(x, training=True) if layer else activations.prelu(x, slope, training=True)
        return accumulator.jvp(y)

    slope = unit.alpha.value if layer else tf.ones(512)
    found = tf.function(lambda: forward(slope))() if graph else forward(slope)
    np.testing.assert_array_equal(found, np.minimum(x, 0.0))


@on["tensorflow"]
@path
@each_unit
def test_forward_mode_through_a_traced_function_and_over_reverse_mode(name, path, rng):
    import tensorflow as tf

    if (name, path) == ("nrelu drawn", "compiled"):
        pytest.skip("TensorFlow loses count of a traced function's inputs; the README says so")
    x, direction = point(rng), rng.normal(size=(3, 6))

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(UNITS[name](x) ** 2)
        return tape.gradient(y, x)

    with PATHS[path]():
        tensor = tf.constant(x)
        with tf.autodiff.ForwardAccumulator(tensor, tf.constant(direction)) as accumulator:
            found = gradient(tensor)
        product = accumulator.jvp(found)
        expected = directional(lambda t: gradient(t), x, direction)
    np.testing.assert_allclose(product, expected, rtol=1e-5, atol=1e-6)


@on["tensorflow"]
@path
@each_unit
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_a_gather_after_a_unit_sends_its_gradient_back(name, graph, path, rng):
    import tensorflow as tf

    x = tf.constant(point(rng))

    def of_gather(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.gather(UNITS[name](x), [2, 0, 2])
        return tape.gradient(y, x)

    with PATHS[path]():
        found = (tf.function(of_gather) if graph else of_gather)(x)
        upstream = np.zeros(UNITS[name](x).shape)
        upstream[0], upstream[2] = 1, 2
        expected = central_differences(UNITS[name], x.numpy(), upstream)
    np.testing.assert_allclose(tf.convert_to_tensor(found), expected, rtol=1e-6, atol=1e-8)


@on["tensorflow"]
@path
@each_unit
def test_jacobians_and_vectorized_maps_agree_with_one_at_a_time(name, path, rng):
    import tensorflow as tf

    x = tf.constant(point(rng))
    with PATHS[path]():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = UNITS[name](x)
        jacobian = tf.reshape(tape.jacobian(y, x), (tf.size(y), tf.size(x))).numpy()
        columns = [directional(UNITS[name], x.numpy(), d.reshape(3, 6)).ravel() for d in np.eye(18)]
        several = tf.vectorized_map(UNITS[name], tf.stack([x, x + 1.0]))
        one_at_a_time = [UNITS[name](x), UNITS[name](x + 1.0)]
    np.testing.assert_allclose(jacobian.T, columns, rtol=1e-6, atol=1e-8)
    # The noise is computed in float32.
    np.testing.assert_allclose(several, one_at_a_time, rtol=1e-6, atol=1e-12)


CHECKED = """
import keras, numpy as np, tensorflow as tf
import keras_rectifiers as kr
tf.debugging.enable_check_numerics()
units = [kr.ELU(), kr.ELU(1.7), kr.PReLU(), kr.RReLU(seed=1), kr.NReLU(seed=1), kr.CReLU(), kr.Maxout(),
         kr.ScaledSoftplus(2.0), kr.SignFlip(), kr.MaxoutDense(8)]
layers = [layer for unit in units for layer in (keras.layers.Dense(8), unit)]
model = keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(2)])
model.compile("sgd", "mse")
model.fit(np.ones((4, 8)), np.ones((4, 2)), verbose=0)
for unit in units:
    unit(np.ones((2, 8), "float32") * 0.5, training=True)
big = np.full((64, 4096), 0.5, "float32")
for unit in (kr.ELU(), kr.PReLU(), kr.RReLU(), kr.NReLU(), kr.CReLU(), kr.Maxout()):
    unit(big, training=True)
print("trained")
"""


@on["tensorflow"]
def test_units_train_while_tensorflow_checks_every_number():
    result = subprocess.run([sys.executable, "-c", CHECKED], capture_output=True, text=True, check=False)
    assert result.stdout == "trained\n", result.stderr[-2000:]


@on["jax"]
@each_unit
def test_jax_transforms_are_the_derivatives(name, rng):
    import jax

    x, direction = point(rng), rng.normal(size=(3, 6))
    function = UNITS[name]
    expected = directional(function, x, direction)
    np.testing.assert_allclose(jax.jvp(function, (x,), (direction,))[1], expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(keras.ops.jvp(function, (x,), (direction,))[1], expected, rtol=1e-6, atol=1e-8)
    forward, reverse = jax.jacfwd(function)(x), jax.jacrev(function)(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-12, atol=1e-14)

    def total(x):
        return (function(x) ** 2).sum()

    hessian = np.tensordot(jax.hessian(total)(x), direction, 2)
    np.testing.assert_allclose(hessian, directional(jax.grad(total), x, direction), rtol=1e-5, atol=1e-6)
    both = np.stack([x, x + 1])
    np.testing.assert_allclose(jax.vmap(function)(both), [function(x), function(x + 1)], rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.grad(total))(both)[1], jax.grad(total)(x + 1), rtol=1e-12)


@on["jax"]
@each_unit
def test_a_backward_pass_on_jax_keeps_the_input_and_nothing_of_its_size(name, rng):
    import jax

    x = jax.numpy.asarray(rng.normal(size=(30, 60)), "float32")
    _, pullback = jax.vjp(UNITS[name], x)
    assert all(kept is x for kept in jax.tree.leaves(pullback) if kept.size > 60)


@on["jax"]
def test_prelu_on_jax_keeps_its_slope_beside_the_input(rng):
    import jax

    x, slope = (jax.numpy.asarray(rng.normal(size=size), "float32") for size in ((30, 60), 60))
    _, pullback = jax.vjp(activations.prelu, x, slope)
    assert {id(kept) for kept in jax.tree.leaves(pullback) if kept.size > 1} == {id(x), id(slope)}


@on["jax"]
@each_unit
def test_a_rematerialised_draw_is_the_same_again_on_jax(name, rng):
    import jax

    x = point(rng)

    def total(x):
        return (UNITS[name](x) ** 2).sum()

    np.testing.assert_allclose(jax.grad(jax.checkpoint(total))(x), jax.grad(total)(x), rtol=1e-12)


@on["torch"]
@each_unit
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch's own forward mode
def test_torch_func_transforms_are_the_derivatives(name, rng):
    import torch

    x, direction = point(rng), rng.normal(size=(3, 6))
    tensor, along = torch.tensor(x), torch.tensor(direction)
    function = UNITS[name]

    def total(x):
        return (function(x) ** 2).sum()

    expected = directional(function, x, direction)
    np.testing.assert_allclose(torch.func.jvp(function, (tensor,), (along,))[1], expected, rtol=1e-6, atol=1e-8)
    _, (gradient,) = value_and_gradients(lambda x: function(x) ** 2, [x])
    np.testing.assert_allclose(torch.func.grad(total)(tensor), gradient, rtol=1e-12)
    both = torch.stack([tensor, tensor + 1])
    np.testing.assert_allclose(torch.func.vmap(function)(both)[1], to_numpy(function(tensor + 1)), rtol=1e-12)
    np.testing.assert_allclose(torch.func.vmap(torch.func.grad(total))(both)[0], gradient, rtol=1e-12)
    hessian = torch.tensordot(torch.func.hessian(total)(tensor), along, 2)
    np.testing.assert_allclose(hessian, directional(torch.func.grad(total), x, direction), rtol=1e-5, atol=1e-6)
