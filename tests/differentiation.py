"""Values and vector-Jacobian products on whichever backend runs, and central differences to hold them against."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import keras
import numpy as np

from keras_rectifiers import compilation

_pays = compilation.pays


def _known(inputs: tuple, large: int) -> bool:
    return _pays(inputs, 0)


@contextlib.contextmanager
def compiled() -> Iterator[None]:
    """Run each kernel compiled where the backend can, however small its tensor and whatever `training` says."""
    with contextlib.ExitStack() as patches:
        if keras.backend.backend() == "tensorflow":
            patches.enter_context(mock.patch.object(compilation, "compiles", lambda training: True))
            patches.enter_context(mock.patch.object(compilation, "pays", _known))
            patches.enter_context(mock.patch.object(compilation, "MANY", 0))
        yield


def differentiated(function: Callable, inputs: list, upstream: Any = None) -> tuple[Any, list]:
    """Return function(*inputs) and the gradients of its product with `upstream` (ones when left out)."""
    tensors = [tensor(x) for x in inputs]
    backend = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    return backend(function, tensors, upstream)


def value_and_gradients(function: Callable, inputs: list, upstream: Any = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the same as float64 NumPy."""
    output, gradients = differentiated(function, inputs, upstream)
    return to_numpy(output), [to_numpy(g) for g in gradients]


def tensor(x: Any) -> Any:
    """Convert without losing float64, which Keras's JAX backend narrows when it is given no dtype."""
    return keras.ops.convert_to_tensor(x, dtype=keras.backend.standardize_dtype(x.dtype))


def to_numpy(x: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(x, "float64")))


def _upstream(output: Any, upstream: Any) -> Any:
    if upstream is None:
        return keras.ops.ones_like(output)
    return keras.ops.cast(keras.ops.convert_to_tensor(upstream), output.dtype)


def _tensorflow(function: Callable, tensors: list, upstream: Any) -> tuple:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = function(*tensors)
    zero = tf.UnconnectedGradients.ZERO
    upstream = _upstream(output, upstream)
    return output, tape.gradient(output, tensors, output_gradients=upstream, unconnected_gradients=zero)


def _jax(function: Callable, tensors: list, upstream: Any) -> tuple:
    import jax

    output, pullback = jax.vjp(function, *tensors)
    return output, list(pullback(_upstream(output, upstream)))


def _torch(function: Callable, tensors: list, upstream: Any) -> tuple:
    import torch

    leaves = [t.detach().clone().requires_grad_() for t in tensors]
    output = function(*leaves)
    return output.detach(), list(torch.autograd.grad(output, leaves, _upstream(output, upstream)))


def central_differences(function: Callable, x: np.ndarray, upstream: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Return the gradient of sum(upstream * function(x)) in float64, one element at a time."""
    gradient = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        above, below = x.copy(), x.copy()
        above[place] += step
        below[place] -= step
        rise = to_numpy(function(tensor(above))) - to_numpy(function(tensor(below)))
        gradient[place] = np.sum(upstream * rise) / (2 * step)
    return gradient
