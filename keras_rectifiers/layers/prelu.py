"""PReLU, the rectifier whose negative slope is learned."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks, tensors
from keras_rectifiers.compilation import Tensor, wide
from keras_rectifiers.kernels import Kernel


def _formula(x: Tensor, slope: Tensor, *, shared: tuple[int, ...]) -> Tensor:
    # Not max(x, slope x): a learned slope may exceed 1. As a product its derivatives are two products and a choice.
    return x * ops.where(x > 0, 1.0, slope)


def _fast_formula(x: Tensor, slope: Tensor, *, shared: tuple[int, ...]) -> Tensor:
    # x > 0: x
    # else:  slope x
    return ops.where(x > 0, x, slope * x)


def _fast_gradient(g: Tensor, x: Tensor, slope: Tensor, *, shared: tuple[int, ...]) -> tuple:
    # A slope's gradient is the sum of g min(x, 0) over every place that shares it.
    of_slope = ops.sum(_folded(g * ops.where(x > 0, 0.0, x), shared), axis=shared, keepdims=True)
    return g * ops.where(x > 0, 1.0, slope), ops.reshape(of_slope, ops.shape(slope))


def _folded(terms: Tensor, shared: tuple[int, ...]) -> Tensor:
    """Fold the last shared axis of known size up to eight times over itself.

    On a processor TensorFlow's XLA sums one number after the other, but adds whole slices as fast as it reads them. The
    newer XLA of JAX does neither: there folding makes it slower.
    """
    known = [axis for axis in shared if terms.shape[axis]]
    if not known or keras.backend.backend() != "tensorflow":
        return terms
    axis = known[-1]
    slices = max(n for n in range(1, 9) if terms.shape[axis] % n == 0)
    shape = ops.shape(terms)
    split = ops.reshape(terms, (*shape[:axis], slices, shape[axis] // slices, *shape[axis + 1 :]))
    return sum(split[(*(slice(None),) * axis, n)] for n in range(slices))


_kernel = Kernel(_formula, _fast_formula, _fast_gradient)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def prelu(x: Tensor, slope: Tensor = 0.25, training: bool | None = None) -> Tensor:
    """Rectifier with a given slope: the functional form of `PReLU`, in which the slope is a weight.

    Args:
        x: float tensor of any shape.
        slope: the slope below zero, a finite number or a float tensor that broadcasts against `x` to the shape of `x`;
            gradients flow into it, and are summed in float32 or wider.
        training: `True` runs the compiled kernel inside a TensorFlow graph too; otherwise a graph gets plain
            operations.

    Returns:
        A tensor of the shape and dtype of `x`.

    Raises:
        ValueError: if `slope` is no finite number and no tensor, or does not broadcast to the shape of `x`, or `x` is
            not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import activations
    >>> y = activations.prelu(np.array([[-2.0, -2.0]], "float32"), slope=[0.25, 0.5])
    >>> [float(v) for v in y[0]]
    [-0.5, -1.0]
    """
    x = tensors.converted(x, owner="prelu")
    if isinstance(slope, keras.Variable):
        slope = slope.value
    slope = checks.numbers("slope", slope)
    if not hasattr(slope, "dtype"):
        slope = ops.convert_to_tensor(slope, dtype=wide(x.dtype))
    elif not keras.backend.is_float_dtype(keras.backend.standardize_dtype(slope.dtype)):
        slope = ops.cast(slope, wide(x.dtype))
    # Where a graph does not know a rank the operations are plain, which ask for no axes.
    known = all(tensors.rank(value, owner="`prelu`") is not None for value in (x, slope))
    shared = _shared(tuple(x.shape), tuple(slope.shape)) if known else ()
    return _kernel(x, slope, shared=shared, training=training)


def _shared(shape: tuple, slope_shape: tuple) -> tuple[int, ...]:
    """Return the axes of the input along which one slope serves every element."""
    missing = len(shape) - len(slope_shape)
    aligned = (1,) * missing + slope_shape
    if missing < 0 or any(a not in (1, None, n) and n is not None for a, n in zip(aligned, shape, strict=True)):
        raise ValueError(
            "`prelu` expected a slope that broadcasts to the shape of the input. "
            f"Received: slope of shape {slope_shape} for an input of shape {shape}"
        )
    return tuple(axis for axis, size in enumerate(aligned) if size == 1)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class PReLU(keras.layers.Layer):
    r"""Parametric rectifier: the slope below zero is a weight.

    .. math::

        f(x) = \max(0, x) + a \min(0, x), \qquad \partial f / \partial a = \min(0, x)

    A slope's gradient is summed over every element that shares it.

    At exactly 0 the derivative is that of the negative branch, a. By default the paper's rule: one slope a channel,
    starting at 0.25, and no weight decay on it (decay would pull the unit towards ReLU).

    Args:
        alpha_initializer: initializer of the slopes, or a number at which they all start; 0.25.
        alpha_regularizer: regularizer of the slopes; none.
        alpha_constraint: constraint on the slopes; none.
        shared_axes: `"spatial"` shares one slope along every axis but the batch's and the channel's; a list of axes
            shares along those, negative ones counted from the back; `None` gives each element its own, as Keras's
            PReLU does.
        data_format: `"channels_last"` or `"channels_first"`: where `shared_axes="spatial"` finds the channels;
            Keras's setting when left out.

    Input and output: float tensors of one shape, any rank. A mask passes through.

    Raises:
        ValueError: if an argument is none of the above, a shared axis is out of range, the size of an axis that is
            not shared is unknown, or the input is not one floating-point tensor.

    Example:

    >>> import keras, numpy as np
    >>> from keras_rectifiers import PReLU
    >>> layer = PReLU()
    >>> y = keras.ops.convert_to_numpy(layer(np.array([[-2.0, 0.0, 3.0]], "float32")))
    >>> [float(v) for v in y[0]]
    [-0.5, 0.0, 3.0]
    >>> PReLU(shared_axes=[-3, -2]).compute_output_shape((None, 32, 32, 64))
    (None, 32, 32, 64)

    Reference: He, Zhang, Ren and Sun 2015, equations 1 to 4.
    """

    def __init__(
        self,
        alpha_initializer: Any = 0.25,
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: str | int | Sequence[int] | None = "spatial",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = _checked_initializer(alpha_initializer, self.dtype)
        self.alpha_regularizer = keras.regularizers.get(alpha_regularizer)
        self.alpha_constraint = keras.constraints.get(alpha_constraint)
        self.shared_axes = _checked_axes(shared_axes)
        data_format = keras.config.image_data_format() if data_format is None else data_format
        self.data_format = checks.choice("data_format", data_format, ("channels_last", "channels_first"))
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        shape = tensors.shape(input_shape, owner="PReLU")
        shared = self._shared_axes(len(shape))
        own = [axis for axis in range(1, len(shape)) if axis not in shared]
        unknown = [axis for axis in own if shape[axis] is None]
        if unknown:
            raise ValueError(
                f"PReLU expected a known size on every axis that has slopes of its own; add axes {unknown} to "
                f"`shared_axes` or give their size. Received: input_shape={shape}"
            )
        of_slopes = tuple(shape[axis] if axis in own else 1 for axis in range(1, len(shape)))
        self.alpha = self.add_weight(
            name="alpha",
            shape=of_slopes,
            initializer=checks.fills("alpha_initializer", self.alpha_initializer, of_slopes),
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            # The kernel widens half-precision inputs, so the slopes' gradients are summed in float32.
            autocast=False,
        )
        self._shared = (0, *(axis for axis, size in enumerate(self.alpha.shape, 1) if size == 1))
        # Without it a layer of one channel would broadcast a wider slope and change the width.
        self.input_spec = keras.InputSpec(ndim=len(shape), axes={axis: shape[axis] for axis in own})

    def _shared_axes(self, rank: int) -> set[int]:
        if self.shared_axes is None:
            return set()
        if self.shared_axes == "spatial":
            channel = 1 if self.data_format == "channels_first" else rank - 1
            return set(range(1, rank)) - {channel}
        return {tensors.axis(axis, rank, owner="PReLU's shared_axes") for axis in self.shared_axes}

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="PReLU")
        return _kernel(inputs, self.alpha.value, shared=self._shared, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        shape = tensors.shape(input_shape, owner="PReLU")
        self._shared_axes(len(shape))
        return shape

    compute_output_spec = tensors.compute_output_spec

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "alpha_initializer": keras.initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": keras.regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": keras.constraints.serialize(self.alpha_constraint),
            "shared_axes": list(self.shared_axes) if isinstance(self.shared_axes, list) else self.shared_axes,
            "data_format": self.data_format,
        }


def _checked_initializer(initializer: Any, dtype: str) -> Any:
    array = len(getattr(initializer, "shape", ())) > 0
    if not (array or callable(initializer) or isinstance(initializer, str | dict)):
        wanted = "an initializer or a finite number"
        number = checks.number("alpha_initializer", initializer, dtype=dtype, wanted=wanted)
        initializer = keras.initializers.Constant(number)
    return checks.initializer("alpha_initializer", initializer, dtype=dtype)


def _checked_axes(shared_axes: Any) -> Any:
    if shared_axes is None or (isinstance(shared_axes, str) and shared_axes == "spatial"):
        return "spatial" if shared_axes else None
    several = isinstance(shared_axes, list | tuple | range) or (
        isinstance(shared_axes, np.ndarray) and shared_axes.ndim == 1 and shared_axes.dtype.kind in "iu"
    )
    try:
        return [checks.integer("shared_axes", axis) for axis in (shared_axes if several else [shared_axes])]
    except ValueError:
        wanted = '"spatial", None, an integer or a list of integers'
        raise checks.refusal("shared_axes", wanted, shared_axes) from None
