"""Floor 1: how a kernel is compiled on each backend, and when it is not.

A kernel is a pair of pure functions in `keras.ops`: the formula and its gradient. On TensorFlow each becomes one
`tf.function(jit_compile=True)`, on JAX one `jax.jit`; PyTorch runs the plain operations.

The compiled form runs when TensorFlow is eager or the caller says `training=True`. Any other TensorFlow graph gets
plain operations, so that an exported SavedModel carries no must-compile function (TensorFlow Serving refuses those
unless it is started with a flag, and ONNX export writes an invalid file without saying so).
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks

Tensor = Any
Shape = tuple[int | None, ...]

# One entry for each `plain()` that is open. Not a context variable: the replicas of a distribution strategy are traced
# in threads of their own, which would not see it.
_open_plain: list[None] = []


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Emit plain operations inside this context, whatever `training` says.

    For the export of models that call a layer with `training=True`.

    Example:

    >>> from keras_rectifiers import compilation
    >>> with compilation.plain():
    ...     compilation.compiles(training=True)
    False
    """
    _open_plain.append(None)
    try:
        yield
    finally:
        _open_plain.pop()


def compiles(training: bool | None) -> bool:
    """Tell whether a kernel called now, with this `training`, runs compiled."""
    training = checks.training(training)
    if _open_plain:
        return False
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return training is True or tf.executing_eagerly()
    return keras.backend.backend() == "jax"


class Kernel:
    """A formula and its gradient, compiled where that pays.

    The backward pass keeps the inputs and, where `keeps_output` says so, the output: nothing else. Half-precision
    inputs are widened to float32 inside the kernel and the results narrowed again: under XLA this moves no extra byte,
    and each value is rounded once. Gradients are reverse mode only; they can themselves be differentiated.

    Args:
        formula: `formula(*inputs, **static) -> output`, in `keras.ops`; its keyword-only arguments are compile-time
            constants.
        gradient: `gradient(upstream, *inputs, **static) -> tuple`, one entry an input, `None` for an integer one.
        output_shape: `output_shape(shape_of_first_input, **static) -> shape`; the same shape when left out.
        exact: the formula only selects and negates, so that half precision needs no widening.
        xla_formula, xla_gradient: the same functions written for XLA, where it compiles what is shortest to say badly.
        keeps_output: the gradient is `gradient(upstream, output, *inputs, **static)`. It costs no memory where the next
            layer keeps that output too.
    """

    def __init__(
        self,
        formula: Callable[..., Tensor],
        gradient: Callable[..., tuple],
        *,
        output_shape: Callable[..., Shape] | None = None,
        exact: bool = False,
        xla_formula: Callable[..., Tensor] | None = None,
        xla_gradient: Callable[..., tuple] | None = None,
        keeps_output: bool = False,
    ) -> None:
        self.formula = formula
        self.gradient = gradient
        self.xla_formula = xla_formula or formula
        self.xla_gradient = xla_gradient or gradient
        self.keeps_output = keeps_output
        self.output_shape = output_shape or (lambda shape, **static: shape)
        self.exact = exact
        self._compiled: dict[tuple, Any] = {}

    def __call__(self, *inputs: Tensor, training: bool | None = None, **static: Any) -> Tensor:
        inputs = tuple(_tensor(value) for value in inputs)
        # Asked once, so that the gradient of an exported graph is as plain as the graph.
        ranks = tuple(_rank(value) for value in inputs)
        compiled = compiles(training) and None not in ranks
        if compiled:
            forward, backward = self.compiled(ranks, **static)
        else:
            forward, backward = self.plain(**static)

        def slopes(kept: tuple, arguments: tuple, args: tuple, upstream: Tensor) -> tuple:
            g = upstream if upstream is not None else args[-1]
            found = backward(g, *(known(*kept, *arguments) for _ in kept), *arguments)
            return tuple(_with_shape(d, a.shape) for d, a in zip(found, arguments, strict=True))

        @ops.custom_gradient
        def differentiable(*arguments: Tensor) -> tuple[Tensor, Callable[..., tuple]]:
            output = forward(*(map(_unwatched, arguments) if compiled else arguments))
            if ranks[0] is not None:
                output = _with_shape(output, self.output_shape(tuple(arguments[0].shape), **static))
            # On PyTorch a captured output would be a circle of references.
            kept = (output,) if self.keeps_output else ()
            return output, lambda *args, upstream=None: slopes(kept, arguments, args, upstream)

        # The output as a function of the inputs once more, so that a gradient made from it can be differentiated.
        @ops.custom_gradient
        def known(output: Tensor, *arguments: Tensor) -> tuple[Tensor, Callable[..., tuple]]:
            return output, lambda *args, upstream=None: (None, *slopes((output,), arguments, args, upstream))

        return differentiable(*inputs)

    def plain(self, **static: Any) -> tuple[Callable, Callable]:
        """Return the formula and its gradient with these constants, as plain operations."""
        return self._pair(self.formula, self.gradient, **static)

    def compiled(self, ranks: tuple[int | None, ...], **static: Any) -> tuple[Callable, Callable]:
        """Return the same compiled, for inputs of these ranks."""
        # One pair for each rank: TensorFlow retraces for a second shape with the sizes that differ unknown, but for a
        # second rank with the rank unknown, and then no formula could ask for an axis. One for each set of constants:
        # as arguments of one function they would count as retraces, of which TensorFlow warns.
        key = (ranks, *sorted(static.items()))
        if key not in self._compiled:
            self._compiled[key] = tuple(map(_compile, self._pair(self.xla_formula, self.xla_gradient, **static)))
        return self._compiled[key]

    def forget(self) -> None:
        """Drop the compiled programs; the next call compiles anew."""
        self._compiled.clear()

    def _pair(self, formula: Callable, gradient: Callable, **static: Any) -> tuple[Callable, Callable]:
        # Partial objects: of functions that share their source TensorFlow would count the traces together and warn.
        return (
            functools.partial(self._forward, formula, **static),
            functools.partial(self._backward, gradient, **static),
        )

    def _forward(self, formula: Callable, *inputs: Tensor, **static: Any) -> Tensor:
        return _cast(formula(*self._widened(inputs), **static), inputs[0].dtype)

    def _backward(self, gradient: Callable, g: Tensor, *kept: Tensor, **static: Any) -> tuple:
        slopes = gradient(*self._widened((g, *kept)), **static)
        inputs = kept[self.keeps_output :]
        return tuple(None if d is None else _cast(d, x.dtype) for d, x in zip(slopes, inputs, strict=True))

    def _widened(self, values: tuple) -> tuple:
        return values if self.exact else _widened(values)


def wide(*dtypes: Any) -> str:
    """Return float64 if any of the dtypes is float64, else float32: what the formulas compute in."""
    # Not keras.backend.result_type: on JAX it narrows float64 even where JAX has it enabled.
    return "float64" if "float64" in map(keras.backend.standardize_dtype, dtypes) else "float32"


def reinterpreted(x: Tensor, dtype: str) -> Tensor:
    """Return the bits of x read as another type of the same width."""
    if keras.backend.backend() == "tensorflow":
        # keras.ops.view asks for the size of the last axis, which a graph may not know.
        import tensorflow as tf

        return tf.bitcast(x, dtype)
    return ops.view(x, dtype=dtype)


def _compile(function: Callable) -> Callable:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, reduce_retracing=True, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def _tensor(value: Any) -> Tensor:
    # TensorFlow's custom gradients refuse variables, and Keras's conversion hands a variable on as it is.
    value = ops.convert_to_tensor(value.value if isinstance(value, keras.Variable) else value)
    return value.read_value() if hasattr(value, "read_value") else value


def _unwatched(value: Tensor) -> Tensor:
    # TensorFlow's tape goes on recording inside a custom gradient, and a compiled program that it watches returns all
    # of its intermediates.
    return ops.stop_gradient(value) if keras.backend.backend() == "tensorflow" else value


def _rank(value: Tensor) -> int | None:
    """Return the rank, or None where a TensorFlow graph does not know it."""
    return value.shape.rank if hasattr(value.shape, "rank") else len(value.shape)


def _with_shape(value: Tensor, shape: Any) -> Tensor:
    # A tf.function that was traced for any batch size forgets its sizes; convolutions downstream need them.
    if value is not None and hasattr(value, "set_shape"):
        value.set_shape(shape)
    return value


def _widened(values: tuple) -> tuple:
    """Bring the floating-point values to one dtype, float32 or wider."""
    dtypes = [keras.backend.standardize_dtype(value.dtype) for value in values]
    floating = [dtype for dtype in dtypes if keras.backend.is_float_dtype(dtype)]
    dtype_of_all = wide(*floating)
    return tuple(_cast(v, dtype_of_all) if dtype in floating else v for v, dtype in zip(values, dtypes, strict=True))


def _cast(value: Tensor, dtype: Any) -> Tensor:
    dtype = keras.backend.standardize_dtype(dtype)
    return value if keras.backend.standardize_dtype(value.dtype) == dtype else ops.cast(value, dtype)
