"""MaxoutDense, the fully connected layer of the maxout paper."""

from typing import Any

import keras
from keras import ops

from keras_rectifiers import checks, tensors
from keras_rectifiers.compilation import Shape, Tensor
from keras_rectifiers.layers.maxout import maxout


@keras.saving.register_keras_serializable(package="keras_rectifiers")
class MaxoutDense(keras.layers.Layer):
    r"""Dense layer whose every unit is the largest of `pieces` affine maps.

    .. math::

        h(x)_i = \max_{k < K} \left( x^\top W_{ik} + b_{ik} \right)

    One unit approximates any convex function of its input. The kernel is a matrix of shape (inputs, units * pieces),
    a unit's pieces in neighbouring columns, so that `keras.constraints.MaxNorm(axis=0)` bounds each column as in the
    paper and initializers see the fan-in of a Dense layer. At a tie the first largest piece takes the gradient.

    Args:
        units: M, how many units; at least 1.
        pieces: K, how many affine maps a unit; at least 1 (1 is an ordinary linear layer).
        use_bias: whether each affine map has a bias.
        kernel_initializer: Keras's default for Dense, `"glorot_uniform"`; the paper's own runs used
            `keras.initializers.RandomUniform(-0.005, 0.005)`.
        bias_initializer: zeros.
        kernel_regularizer, bias_regularizer: none, or what `keras.regularizers.get` takes.
        kernel_constraint, bias_constraint: none, or what `keras.constraints.get` takes; the paper's is
            `keras.constraints.MaxNorm(1.9365, axis=0)`.

    Input: a float tensor (batch, ..., inputs). Output: (batch, ..., units). A mask passes through.

    Raises:
        ValueError: if an argument is none of the above, `units * pieces` exceeds 2**31 - 1, or the input is not one
            floating-point tensor with a feature axis of known size.

    Example:

    >>> import keras, numpy as np
    >>> from keras_rectifiers import MaxoutDense
    >>> layer = MaxoutDense(1, pieces=2)
    >>> layer.build((None, 1))
    >>> layer.set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])  # max(x, -x) is the absolute value
    >>> y = keras.ops.convert_to_numpy(layer(np.array([[-3.0], [2.0]], "float32")))
    >>> [float(v) for v in y[:, 0]]
    [3.0, 2.0]

    Reference: Goodfellow, Warde-Farley, Mirza, Courville and Bengio 2013, section 3.
    """

    def __init__(
        self,
        units: int,
        pieces: int = 2,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = checks.integer("units", units, least=1)
        self.pieces = checks.integer("pieces", pieces, least=1)
        if self.units * self.pieces >= 2**31:
            raise ValueError(
                "Arguments `units` and `pieces` must be integers with a product below 2**31. "
                f"Received: units={units}, pieces={pieces}"
            )
        self.use_bias = checks.boolean("use_bias", use_bias)
        self.kernel_initializer = checks.initializer("kernel_initializer", kernel_initializer, dtype=self.dtype)
        self.bias_initializer = checks.initializer("bias_initializer", bias_initializer, dtype=self.dtype)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        inputs = _checked_shape(input_shape)[-1]
        width = self.units * self.pieces
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, width),
            initializer=checks.fills("kernel_initializer", self.kernel_initializer, (inputs, width)),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(width,),
                initializer=checks.fills("bias_initializer", self.bias_initializer, (width,)),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = keras.InputSpec(min_ndim=2, axes={-1: inputs})

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        tensors.floating(inputs, owner="MaxoutDense")
        pre_activation = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            pre_activation = ops.add(pre_activation, self.bias)
        return maxout(pre_activation, self.pieces, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*_checked_shape(input_shape)[:-1], self.units)

    compute_output_spec = tensors.compute_output_spec

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }


def _checked_shape(input_shape: Any) -> Shape:
    shape = tensors.shape(input_shape, owner="MaxoutDense")
    if len(shape) < 2 or shape[-1] is None:
        raise ValueError(
            "MaxoutDense expected an input of shape (batch, ..., inputs) with a known number of inputs. "
            f"Received: input_shape={shape}"
        )
    return shape
