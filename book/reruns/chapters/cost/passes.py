"""One forward, or one forward and backward, of a unit on each framework, ready to be timed.

Each function returns a run without arguments that waits until its results are there. With `backward` a run returns the
output and the gradients of the input and the weights; the incoming gradient is a given tensor, as inside a network.
"""

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import compilation

BACKEND = keras.backend.backend()
MODES = ("eager", "graph", "xla") if BACKEND == "tensorflow" else ("eager", "xla")


@functools.lru_cache(maxsize=8)
def normals(shape: tuple, dtype: str = "float32", seed: int = 0) -> Any:
    """Return normal variates; the same tensor for the same arguments, for a hundred cases would fill the memory."""
    values = np.random.default_rng(seed).standard_normal(shape, dtype="float32")
    return ops.cast(ops.convert_to_tensor(values), dtype)


def compiled(function: Callable, mode: str) -> Any:
    if mode == "eager":
        return function
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=mode == "xla", autograph=False)
    import jax

    return jax.jit(function)


def on_accelerator() -> bool:
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    import jax

    return jax.default_backend() != "cpu"


def waited(function: Callable, *arguments: Any) -> Callable[[], Any]:
    """Bind the arguments, and wait for the device."""
    if BACKEND == "jax":
        import jax

        return lambda: jax.block_until_ready(function(*arguments))
    if not on_accelerator():
        return lambda: function(*arguments)
    import tensorflow as tf

    def run() -> Any:
        results = function(*arguments)
        tf.test.experimental.sync_devices()
        return results

    return run


def repeated(run: Callable, *arguments: Any) -> None:
    """Call so often that a large eager shape counts as one that comes again, and compiles."""
    for _ in range(compilation.MANY):
        run(*arguments)


def copy(shape: tuple) -> Callable[[], Any]:
    return waited(compiled(lambda x: x + 1, "xla"), normals(shape))


def of_layer(layer: keras.layers.Layer, shape: tuple, dtype: str, backward: bool) -> tuple[Callable, tuple]:
    """Return the function of a layer in training, and its arguments."""
    if not layer.built:
        layer.build(shape)
    keywords = {"training": True} if "training" in inspect.signature(layer.call).parameters else {}
    weights = [weight.value for weight in layer.trainable_variables]
    if BACKEND == "tensorflow":
        return _of_function(lambda x, *weights: layer(x, **keywords), shape, dtype, backward, weights)
    state = [variable.value for variable in layer.non_trainable_variables]
    return _of_function(
        lambda x, *weights: layer.stateless_call(list(weights), state, x, **keywords)[0],
        shape,
        dtype,
        backward,
        weights,
    )


def _of_function(
    function: Callable, shape: tuple, dtype: str, backward: bool, weights: Any = ()
) -> tuple[Callable, tuple]:
    x = normals(shape, dtype)
    if not backward:
        return function, (x, *weights)
    y = function(x, *weights)
    g = normals(tuple(y.shape), keras.backend.standardize_dtype(y.dtype), seed=1)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def both(x: Any, g: Any, *weights: Any) -> Any:
            # The variables themselves are watched: a layer reads its own.
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x, *weights)
            return y, tape.gradient(y, [x, *weights], output_gradients=g)

        return both, (x, g, *weights)
    import jax

    def with_gradient(x: Any, g: Any, *weights: Any) -> Any:
        y, gradient = jax.vjp(function, x, *weights)
        return y, gradient(g)

    return with_gradient, (x, g, *weights)


def of_function(function: Callable, shape: tuple, dtype: str, backward: bool) -> tuple[Callable, tuple]:
    """Return the same for a function of x alone."""
    return _of_function(lambda x: function(x), shape, dtype, backward)


def of_pytorch(function: Callable, shape: tuple, backward: bool, optimized: bool) -> Callable[[], Any]:
    """Return a run of a function of (x, slope) in float32, channels first as PyTorch has them."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    shape = (shape[0], shape[-1], *shape[1:-1])
    generator = np.random.default_rng(0)
    x = torch.from_numpy(generator.standard_normal(shape, dtype="float32")).requires_grad_(backward)
    slope = torch.full((shape[1],), 0.25, requires_grad=backward)
    run = torch.compile(function) if optimized else function
    if not backward:
        with torch.no_grad():
            y = run(x, slope)
        return functools.partial(_without_gradient, run, x, slope)
    y = run(x, slope)
    inputs = [x, slope] if y.grad_fn is not None and _uses(y, slope) else [x]
    g = torch.from_numpy(generator.standard_normal(tuple(y.shape), dtype="float32"))

    def both() -> Any:
        y = run(x, slope)
        return y, torch.autograd.grad(y, inputs, g)

    return both


def _without_gradient(run: Callable, x: Any, slope: Any) -> Any:
    import torch

    with torch.no_grad():
        return run(x, slope)


def _uses(y: Any, slope: Any) -> bool:
    import torch

    return torch.autograd.grad(y.sum(), slope, allow_unused=True)[0] is not None
