"""What a unit computes, as plain operations and compiled with a gradient of its own."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import compilation, keys
from keras_rectifiers.compilation import Shape, Tensor, wide

# How many a kernel holds: a search over widths makes new ones as long as it runs, and Keras's clear_session frees none.
MOST_PROGRAMS = 256


class Kernel:
    """A formula in plain operations, and a formula with its gradient to compile.

    Half precision is widened to float32 inside a kernel and the results narrowed again, so each value is rounded once.
    The compiled backward pass keeps the inputs and nothing else.

    Args:
        formula: `formula(*inputs, **constants) -> output`, in operations of `keras.ops` whose derivatives, as each
            backend takes them, are the unit's.
        fast_formula: the same as XLA compiles it best.
        fast_gradient: `fast_gradient(upstream, *inputs, **constants) -> tuple` of an entry an input, each linear in
            `upstream`.
        output_shape: `output_shape(shape_of_first_input, **constants) -> shape`; the same shape when left out.
        exact: the formulas only select and negate, so that half precision needs no widening.
        variates: `variates(shape, key, dtype)`: the kernel is called with a draw as its last input, and the formulas
            are given the draw's variates of the first input's shape instead, made again in the backward pass.
        large: the elements from which on compiling pays, fewer where the plain operations are many.
        at_zero: the value at 0 of a formula that takes each element by itself, by which ragged tensors are mapped, and
            sparse ones if it is 0.

    Constants that are floats are arguments of the compiled programs, so that one program serves all their values.
    """

    def __init__(
        self,
        formula: Callable[..., Tensor],
        fast_formula: Callable[..., Tensor],
        fast_gradient: Callable[..., tuple],
        *,
        output_shape: Callable[..., Shape] | None = None,
        exact: bool = False,
        variates: Callable[..., Tensor] | None = None,
        large: int = compilation.LARGE,
        at_zero: float | None = None,
    ) -> None:
        self.formula = formula
        self.fast_formula = fast_formula
        self.fast_gradient = fast_gradient
        self.output_shape = output_shape or (lambda shape, **constants: shape)
        self.exact = exact
        self.variates = variates
        self.large = large
        self.at_zero = at_zero
        self._programs: dict[tuple, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, x: Tensor, *others: Tensor, training: bool | None = None, **constants: Any) -> Tensor:
        if type(x).__name__ in ("RaggedTensor", "SparseTensor"):
            return self._of_values(x, lambda values: self(values, *others, training=training, **constants))
        compiles = compilation.compiles(training)
        if compiles and keras.backend.backend() == "jax":
            return self._on_jax((x, *others), constants)
        if compiles and compilation.pays((x, *others), self.large):
            return self._on_tensorflow((x, *others), constants)
        if self.variates is None:
            return self._plain(x, *others, **constants)
        variates = keys.variates_like(x, others[-1], self.variates, compiles)
        return self._plain(x, *others[:-1], variates, **constants)

    def _of_values(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        import tensorflow as tf

        if isinstance(x, tf.RaggedTensor) and self.at_zero is not None:
            return x.with_flat_values(function(x.flat_values))
        if isinstance(x, tf.SparseTensor) and self.at_zero == 0:
            return tf.sparse.map_values(function, x)
        made = "tf.sparse.to_dense" if isinstance(x, tf.SparseTensor) else "its to_tensor()"
        raise ValueError(f"Expected a dense tensor; make it one by {made}. Received: {type(x).__name__}")

    def programs(self, kind: tuple, make: Callable[[dict, dict], Any], constants: dict) -> tuple[Any, dict[str, Any]]:
        """Return what `make` compiled for this kind of inputs, and the constants that are its arguments."""
        # As arrays: a Python float would be a constant to TensorFlow, and its every value a program.
        numbers = {name: np.float64(value) for name, value in constants.items() if isinstance(value, float)}
        structure = {name: value for name, value in constants.items() if name not in numbers}
        key = (kind, *sorted(structure.items()))
        # Replicas are traced in threads of their own, and each would compile.
        with self._lock:
            # A program that is used becomes the last; the first is dropped.
            program = self._programs.pop(key, None) or make(numbers, structure)
            self._programs[key] = program
            if len(self._programs) > MOST_PROGRAMS:
                del self._programs[next(iter(self._programs))]
            return program, numbers

    def forget(self) -> None:
        """Drop the compiled programs; the next call compiles anew."""
        self._programs.clear()

    def _plain(self, *inputs: Tensor, **constants: Any) -> Tensor:
        dtype = inputs[0].dtype
        if self.exact or (_is_full(dtype) and all(other.dtype == dtype for other in inputs[1:])):
            return self.formula(*inputs, **constants)
        return _cast(self.formula(*self._widened(inputs), **constants), dtype)

    def _on_jax(self, inputs: tuple, constants: dict) -> Tensor:
        program, numbers = self.programs((), self._jax_program, constants)
        return program(inputs, numbers)

    def _jax_program(self, numbers: dict, structure: dict) -> Callable:
        import jax

        @jax.custom_jvp
        def value(inputs: tuple, numbers: dict) -> Tensor:
            return self._value(inputs, numbers, structure)

        @value.defjvp
        def value_and_tangent(primals: tuple, tangents: tuple) -> tuple:
            (inputs, numbers), (moved, _) = primals, tangents
            output = value(inputs, numbers)

            def pullback(g: Tensor) -> tuple:
                return self._gradient(g, inputs, numbers, structure)

            # What the gradient does to an upstream gradient, transposed, is what the formula does to a tangent.
            moved = moved[: len(inputs) - (self.variates is not None)]
            return output, jax.linear_transpose(pullback, output)(tuple(moved))[0]

        # Without a checkpoint the backward pass would keep what the derivatives are made of, masks among it.
        return jax.jit(jax.checkpoint(value, prevent_cse=False))

    def _on_tensorflow(self, inputs: tuple, constants: dict) -> Tensor:
        import tensorflow as tf

        @tf.custom_gradient
        def differentiable(*inputs: Tensor) -> tuple[Tensor, Callable]:
            return self._output(inputs, constants), lambda g: self._derivatives(g, inputs, constants)

        # Custom gradients refuse variables.
        return differentiable(*map(tf.convert_to_tensor, inputs))

    def _output(self, inputs: tuple, constants: dict) -> Tensor:
        import tensorflow as tf

        # A tape goes on recording in a custom gradient, and a compiled program that it watches returns all its
        # intermediates.
        inputs = tuple(map(tf.stop_gradient, inputs))
        output = self._tensorflow_program(self._value, (_specs(inputs),), constants)(inputs)
        # A program for any batch size forgets what is known of it.
        output.set_shape(self.output_shape(tuple(inputs[0].shape), **constants))
        return output

    def _derivatives(self, g: Tensor, inputs: tuple, constants: dict) -> tuple:
        import tensorflow as tf

        specs = _specs(inputs)
        output = tf.TensorSpec(self.output_shape(tuple(specs[0].shape), **constants), specs[0].dtype)
        # What arrives from a gather is a set of slices.
        g = tf.convert_to_tensor(g)
        found = self._tensorflow_program(self._gradient, (output, specs), constants)(g, inputs)
        for derivative, x in zip(found, inputs, strict=False):
            derivative.set_shape(x.shape)
        return (*found, *(None,) * (len(inputs) - len(found)))

    def _tensorflow_program(self, function: Callable, specs: tuple, constants: dict) -> Callable[..., Any]:
        """Return a function of tensors: `function(*tensors, numbers, structure)`, compiled."""
        import tensorflow as tf

        def make(numbers: dict, structure: dict) -> Callable:
            def run(tensors: tuple, numbers: dict) -> Any:
                return function(*tensors, numbers, structure)

            of_numbers = {name: tf.TensorSpec((), tf.float64) for name in numbers}
            # Traced here and now: of calls by several threads TensorFlow would count each as a retracing, and warn.
            return tf.function(run, jit_compile=True, autograph=False).get_concrete_function(specs, of_numbers)

        program, numbers = self.programs((function, specs), make, constants)
        return lambda *tensors: program(tensors, numbers)

    def _value(self, inputs: tuple, numbers: dict, structure: dict) -> Tensor:
        """Return the fast formula's output in the first input's dtype."""
        operands = self._widened(self._with_variates(inputs))
        numbers = _cast_all(numbers, operands[0].dtype)
        return _cast(self.fast_formula(*operands, **numbers, **structure), inputs[0].dtype)

    def _gradient(self, g: Tensor, inputs: tuple, numbers: dict, structure: dict) -> tuple:
        """Return the derivatives by the inputs, without the draw, each in its input's dtype."""
        operands = self._widened((g, *self._with_variates(inputs)))
        numbers = _cast_all(numbers, operands[0].dtype)
        found = self.fast_gradient(*operands, **numbers, **structure)
        return tuple(_cast(derivative, x.dtype) for derivative, x in zip(found, inputs, strict=False))

    def _with_variates(self, inputs: tuple) -> tuple:
        if self.variates is None:
            return inputs
        *others, draw = inputs
        return *others, self.variates(ops.shape(others[0]), keys.mixed(draw), wide(others[0].dtype))

    def _widened(self, values: tuple) -> tuple:
        if self.exact:
            return values
        dtype = wide(*(value.dtype for value in values))
        return tuple(_cast(value, dtype) for value in values)


def _specs(inputs: tuple) -> tuple:
    """Return the specifications by which one program serves every batch size."""
    import tensorflow as tf

    return tuple(tf.TensorSpec((None, *x.shape[1:]) if n == 0 else x.shape, x.dtype) for n, x in enumerate(inputs))


@functools.cache
def _is_full(dtype: Any) -> bool:
    return keras.backend.standardize_dtype(dtype) in ("float32", "float64")


def _cast(value: Tensor, dtype: Any) -> Tensor:
    dtype = keras.backend.standardize_dtype(dtype)
    return value if keras.backend.standardize_dtype(value.dtype) == dtype else ops.cast(value, dtype)


def _cast_all(numbers: dict, dtype: Any) -> dict:
    return {name: ops.cast(value, dtype) for name, value in numbers.items()}
