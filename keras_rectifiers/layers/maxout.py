"""Maxout, the maximum over groups of units."""

import functools
from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, tensors
from keras_rectifiers.compilation import Shape, Tensor
from keras_rectifiers.kernels import Kernel

GROUPINGS = ("contiguous", "interleaved")


def _split(x: Tensor, pieces: int, axis: int, grouping: str) -> tuple[Tensor, int]:
    """Give the pieces an axis of their own: after the units' for contiguous groups, before it for interleaved ones."""
    shape = ops.shape(x)
    units = shape[axis] // pieces
    contiguous = grouping == "contiguous"
    split = (units, pieces) if contiguous else (pieces, units)
    return ops.reshape(x, (*shape[:axis], *split, *shape[axis + 1 :])), axis + contiguous


def _piece(split: Tensor, k: int, own: int) -> Tensor:
    return split[(*(slice(None),) * own, k)]


def _formula(x: Tensor, *, pieces: int, axis: int, grouping: str) -> Tensor:
    split, own = _split(x, pieces, axis, grouping)
    # Other backends' maximum halves the gradient of a tie.
    larger = ops.maximum if keras.backend.backend() == "tensorflow" else _larger_or_first
    return functools.reduce(larger, ops.unstack(split, pieces, axis=own))


def _fast_formula(x: Tensor, *, pieces: int, axis: int, grouping: str) -> Tensor:
    split, own = _split(x, pieces, axis, grouping)
    return functools.reduce(_larger_or_first, [_piece(split, k, own) for k in range(pieces)])


def _larger_or_first(a: Tensor, b: Tensor) -> Tensor:
    # A NaN compares false with everything: the second test lets it win, and nothing replaces it.
    return ops.where(ops.logical_or(b > a, b != b), b, a)


def _fast_gradient(g: Tensor, x: Tensor, *, pieces: int, axis: int, grouping: str) -> tuple:
    # The first piece that equals the largest takes the gradient; a NaN equals nothing.
    split, own = _split(x, pieces, axis, grouping)
    if grouping == "contiguous" and pieces == 2:
        largest, winner = _larger(_piece(split, 0, own), _piece(split, 1, own))
    else:
        largest = _fast_formula(x, pieces=pieces, axis=axis, grouping=grouping)
        if grouping == "interleaved":
            return (_in_blocks(g, split, largest, pieces, axis),)
        winner = ops.argmax(ops.cast(split == ops.expand_dims(largest, own), "int32"), axis=own)
    number = ops.reshape(ops.arange(pieces, dtype="int32"), (pieces, *(1,) * (len(x.shape) - own)))
    takes = ops.logical_and(split == ops.expand_dims(largest, own), number == ops.expand_dims(winner, own))
    return (ops.reshape(ops.where(takes, ops.expand_dims(g, own), 0.0), ops.shape(x)),)


def _larger(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the larger of two tensors and 1 where it is the second, 0 elsewhere; beside a NaN the two do not agree."""
    # Spelled otherwise than in the formula: where the two agree, XLA stores the largest for the backward pass.
    return ops.where(b <= a, a, b), ops.cast(b > a, "int32")


def _in_blocks(g: Tensor, split: Tensor, largest: Tensor, pieces: int, axis: int) -> Tensor:
    free = ops.ones_like(largest, dtype="bool")
    gradients = []
    for k in range(pieces):
        first = ops.logical_and(free, _piece(split, k, axis) == largest)
        free = ops.logical_and(free, ops.logical_not(first))
        gradients.append(ops.where(first, g, 0.0))
    return ops.concatenate(gradients, axis=axis)


def _reduced(shape: Shape, *, pieces: int, axis: int, grouping: str) -> Shape:
    width = shape[axis]
    return (*shape[:axis], None if width is None else width // pieces, *shape[axis + 1 :])


_kernel = Kernel(_formula, _fast_formula, _fast_gradient, output_shape=_reduced, exact=True)


def _checked_width(width: int | None, pieces: int, *, owner: str) -> None:
    if width is None or width % pieces:
        raise ValueError(
            f"{owner} expected an axis of known size that its {pieces} pieces divide. "
            f"Received: size {width} for pieces={pieces}"
        )


@keras.saving.register_keras_serializable(package="keras_rectifiers")
def maxout(
    x: Tensor, pieces: int = 2, axis: int = -1, grouping: str = "contiguous", training: bool | None = None
) -> Tensor:
    """Maximum over groups of units: the functional form of `Maxout`, whose arguments and errors it has.

    It narrows its input, so `Activation(maxout)` would report a wrong shape: use the layer in models.

    Args:
        x: float tensor of any shape but a scalar's; here `axis` may be its first.
        training: `True` runs the compiled kernel inside a TensorFlow graph too; otherwise a graph gets plain
            operations.

    Returns:
        A tensor of the dtype of `x`, `pieces` times narrower along `axis`.
    """
    x = tensors.converted(x, owner="maxout")
    pieces = checks.integer("pieces", pieces, least=1)
    axis = tensors.axis(checks.integer("axis", axis), tensors.rank(x, owner="`maxout`"), owner="`maxout`", batch=False)
    grouping = checks.choice("grouping", grouping, GROUPINGS)
    _checked_width(x.shape[axis], pieces, owner="`maxout`")
    return _kernel(x, pieces=pieces, axis=axis, grouping=grouping, training=training)


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class Maxout(keras.layers.Layer):
    r"""Maximum over groups of `pieces` units of an axis; it has no weights.

    .. math::

        h(x)_i = \max_{k < K} x_{iK + k} \text{ (contiguous)}

        h(x)_i = \max_{k < K} x_{kM + i} \text{ (interleaved)}, \qquad i < M

    After a convolution with M K filters this is the paper's convolutional maxout. The first largest piece of a unit
    takes its whole gradient; a NaN goes through.

    Args:
        pieces: K, how many entries of `axis` make a unit; at least 1.
        axis: the axis that is divided, not the batch axis; -1 for channels last, 1 for channels first.
        grouping: `"contiguous"` takes neighbours together, as the paper and tf.contrib do; `"interleaved"` takes
            every M-th entry, as TensorFlow Addons did, so that its weights can be used.

    Input: a float tensor of any rank. Output: `pieces` times narrower along `axis`. A mask passes through unless it
    covers `axis`.

    Raises:
        ValueError: if an argument is none of the above, the size of `axis` is unknown or no multiple of `pieces`, a
            mask covers `axis`, or the input is not one floating-point tensor.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers import Maxout
    >>> x = np.array([[1.0, 5.0, 4.0, 2.0]], "float32")
    >>> [float(v) for v in Maxout(pieces=2)(x)[0]]
    [5.0, 4.0]
    >>> [float(v) for v in Maxout(pieces=2, grouping="interleaved")(x)[0]]
    [4.0, 5.0]

    Reference: Goodfellow, Warde-Farley, Mirza, Courville and Bengio 2013, section 3.
    """

    def __init__(self, pieces: int = 2, axis: int = -1, grouping: str = "contiguous", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pieces = checks.integer("pieces", pieces, least=1)
        self.axis = checks.integer("axis", axis)
        self.grouping = checks.choice("grouping", grouping, GROUPINGS)
        self.supports_masking = True
        # Nothing is to be built, unless by a subclass.
        self.built = type(self).build is Maxout.build

    def build(self, input_shape: tuple) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="Maxout")
        axis = tensors.axis(self.axis, tensors.rank(inputs, owner="Maxout"), owner="Maxout")
        _checked_width(inputs.shape[axis], self.pieces, owner="Maxout")
        return _kernel(inputs, pieces=self.pieces, axis=axis, grouping=self.grouping, training=training)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        axis = tensors.axis(self.axis, len(inputs.shape), owner="Maxout")
        if previous_mask is not None and axis < len(previous_mask.shape):
            raise ValueError(
                "Maxout expected an axis that no mask covers: the maximum would mix masked and unmasked steps. "
                f"Received: axis={self.axis} for a mask of shape {tuple(previous_mask.shape)}"
            )
        return previous_mask

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        shape = tensors.shape(input_shape, owner="Maxout")
        axis = tensors.axis(self.axis, len(shape), owner="Maxout")
        _checked_width(shape[axis], self.pieces, owner="Maxout")
        return _reduced(shape, pieces=self.pieces, axis=axis, grouping=self.grouping)

    compute_output_spec = tensors.compute_output_spec

    def get_config(self) -> dict:
        return {**super().get_config(), "pieces": self.pieces, "axis": self.axis, "grouping": self.grouping}
