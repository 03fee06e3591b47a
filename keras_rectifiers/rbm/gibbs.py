"""Sweeps of a restricted Boltzmann machine's Markov chain: all hidden units given the visible ones, and back."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_rectifiers import keys
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm.units import Unit


class Parameters(NamedTuple):
    """A kernel of (visible, hidden) units, and the biases of both; those of the hidden ones may be one number."""

    kernel: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor

    # Not by ops.matmul, which on PyTorch computes float64 in float32.

    def hidden_input(self, v: Tensor) -> Tensor:
        return ops.cast(v, self.kernel.dtype) @ self.kernel + self.hidden_bias

    def visible_input(self, h: Tensor) -> Tensor:
        return ops.cast(h, self.kernel.dtype) @ ops.transpose(self.kernel) + self.visible_bias

    def held(self) -> "Parameters":
        """Return them cut off from any gradient."""
        return Parameters(*map(ops.stop_gradient, self))


class Pair(NamedTuple):
    """The kinds of units of a machine's two layers."""

    visible: Unit
    hidden: Unit

    @property
    def has_free_energy(self) -> bool:
        return self.visible.has_log_partition and self.hidden.has_log_partition

    def exact(self) -> "Pair":
        return Pair(self.visible.exact(), self.hidden.exact())

    def sweep(self, parameters: Parameters, v: Tensor, key: Tensor, number: int = 0) -> Tensor:
        """Return the visible units after one sweep from v, whose noises are `number` and the next under the key."""
        h = self.hidden.sample(parameters.hidden_input(v), keys.child(key, number))
        return self.visible.sample(parameters.visible_input(h), keys.child(key, number + 1))

    def start(self, parameters: Parameters, count: Any, key: Tensor) -> Tensor:
        """Return visible units of so many chains, drawn from their biases alone."""
        every = ops.broadcast_to(parameters.visible_bias, (count, parameters.visible_bias.shape[0]))
        return self.visible.sample(every, keys.child(key, -1))

    def free_energy(self, parameters: Parameters, v: Tensor) -> Tensor:
        """Return -log of the unnormalized p(v), case by case: the hidden units are summed over."""
        return self.free_energy_from(parameters, v, parameters.hidden_input(v))

    def free_energy_from(self, parameters: Parameters, v: Tensor, hidden_input: Tensor) -> Tensor:
        of_visible = ops.sum(self.visible.log_base(v) + v * parameters.visible_bias, axis=-1)
        return -of_visible - ops.sum(self.hidden.log_partition(hidden_input), axis=-1)


def sweeps(pair: Pair, parameters: Parameters, v: Tensor, key: Tensor, count: int) -> Tensor:
    """Return the visible units after `count` sweeps from v, compiled once for each shape."""
    one = _compiled_sweep(pair)
    for number in range(count):
        v = one(parameters, v, keys.child(key, number))
    return v


@functools.cache
def _compiled_sweep(pair: Pair) -> Callable[..., Any]:
    return compiled(pair.sweep)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a pure function of tensors compiled by XLA, or as it is on PyTorch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function
