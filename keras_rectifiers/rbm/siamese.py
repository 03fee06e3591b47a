"""Whether two inputs show the same thing: one network of features for both, and the cosine of what it makes of them."""

import keras
from keras import ops

from keras_rectifiers.compilation import Tensor, wide


def siamese(features: keras.Model, name: str | None = None) -> keras.Model:
    r"""Return the model of whether two inputs are of the same: logistic regression on the cosine of their features.

    .. math::

        d = \frac{F(a) \cdot F(b)}{|F(a)|\,|F(b)|}, \qquad \Pr(\text{same}) = \frac{1}{1 + e^{-(w d + b)}}

    Two inputs, `first` and `second`, go through the one network F. Trained with `binary_crossentropy` it changes w, b
    and F, which is the given model itself and no copy. The cosine with a vector of zeros is 0, and no gradient goes
    through it. Of features that a network without biases gives by rectifiers, the cosine is that of any brightness of
    either input. The paper does not give the initial w and b: here they are 1 and 0.

    Args:
        features: a Keras model of one input with a shape that is known, and one output of shape (batch, features).
        name: the model's.

    Raises:
        ValueError: if `features` is none such.

    Example:

    >>> import keras, numpy as np
    >>> from keras_rectifiers.rbm import RBM, NReLU, siamese, stacked
    >>> machine = RBM(units=8, hidden=NReLU(), hidden_bias="none", seed=7)
    >>> machine.initialize(np.eye(4, dtype="float32"))
    >>> model = siamese(stacked([machine]))
    >>> a = np.ones((2, 4), "float32")
    >>> bool(abs(model([a, 5 * a]) - 1 / (1 + np.exp(-1)))[0, 0] < 1e-6)
    True

    Reference: Nair and Hinton 2010, section 6.
    """
    _check(features)
    first, second = (
        keras.Input(features.input_shape[1:], name=side, dtype=features.inputs[0].dtype) for side in ("first", "second")
    )
    cosine = ops.sum(_of_length_1(features(first)) * _of_length_1(features(second)), axis=-1, keepdims=True)
    same = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones", dtype=cosine.dtype, name="same")(cosine)
    return keras.Model([first, second], same, name=name)


def _check(features: keras.Model) -> None:
    whole = isinstance(features, keras.Model) and getattr(features, "inputs", None)
    shapes = [tuple(tensor.shape) for tensor in (*features.inputs, *features.outputs)] if whole else []
    if len(shapes) != 2 or len(shapes[1]) != 2:
        raise ValueError(
            "Expected a Keras model of features that is built, with one input and one output of shape (batch, "
            f"features). Received: {getattr(features, 'name', features)}"
            + (f", with inputs and outputs of shape {shapes}" if shapes else "")
        )


def _of_length_1(x: Tensor) -> Tensor:
    # Keras's own normalization, which its Dot layer uses too, has NaN for a gradient at 0.
    x = ops.cast(x, wide(x.dtype))
    squares = ops.sum(ops.square(x), axis=-1, keepdims=True)
    # From the least normal number on: smaller ones some processors take for 0. Divided by the root, for the derivative
    # of its inverse is too large for float32 long before that.
    nonzero = squares > 1.2e-38
    return ops.where(nonzero, x / ops.sqrt(ops.where(nonzero, squares, 1.0)), 0.0)
