"""The ordinary Keras network that machines become, one on the other."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks, keys, noise
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm.rbm import RBM
from keras_rectifiers.rbm.rectified_units import NReLU, SteppedSigmoid, TruncatedGaussian
from keras_rectifiers.rbm.units import Binary, Binomial, Gaussian, Softmax, width_of

_ACTIVATIONS = {
    Binary: "sigmoid",
    Binomial: "sigmoid",
    Gaussian: "linear",
    Softmax: "softmax",
    NReLU: "relu",
    SteppedSigmoid: "relu",
    TruncatedGaussian: "relu",
}
# The number of the head's noise beside those that a machine of the same seed draws.
_OF_HEAD = -4


def stacked(
    machines: Sequence[Any],
    classes: int | None = None,
    *,
    shape: tuple[int, ...] | None = None,
    kernel_scale: float = 0.01,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Sequential:
    r"""Return a network of Keras's own layers that begins with the weights of machines, one on the other.

    .. math::

        h_n = f_n(h_{n-1} W_n + c_n)

    with f the deterministic form of a machine's hidden units: max(0, x) of rectified ones, whose derivative at 0 is 0;
    the logistic function of binary ones, n times it of binomial ones; softmax of one group; x itself of Gaussian ones.
    The weights are copies, to be trained on: neither network nor machines change the others. A tied bias becomes one of
    each unit. A machine that was built and not trained gives a layer of initial weights.

    Args:
        machines: a list of machines, each with as many visible units as the one before has hidden ones. Keras layers
            may stand before and between them, such as `Rescaling` or `Normalization`: the network has the very layers.
        classes: None or an integer of at least 1: a dense layer on top that gives so many logits.
        shape: of one input, where layers before the first machine change it, such as `Flatten`.
        kernel_scale: deviation of the normal initial weights of the layer on top, a positive number.
        seed: None or an integer in [0, 2**31), of these weights: the same on every backend.
        name: the network's.

    Raises:
        ValueError: if an argument is none of the above, a machine is not built or its width does not fit, its units
            are softmax ones in several groups, or of a kind that is not the package's.

    Example:

    >>> import keras, numpy as np
    >>> from keras_rectifiers.rbm import RBM, NReLU, stacked
    >>> machine = RBM(units=8, hidden=NReLU(), seed=7)
    >>> machine.initialize(np.eye(4, dtype="float32"))
    >>> network = stacked([keras.layers.Rescaling(1 / 255), machine], classes=3, seed=7)
    >>> [layer.name for layer in network.layers[1:]], network.output_shape
    (['hidden_1', 'logits'], (None, 3))

    Reference: Nair and Hinton 2010, section 4 for the rectifier.
    """
    parts, only = parts_of(machines)
    if unbuilt := [machine.name for machine in only if not machine.built]:
        raise checks.refusal("machines", "machines that are built: initialized, or trained", unbuilt)
    shape = shape or (_width(only[0]),)
    check_widths(parts, (None, *shape))
    policy = only[0].dtype_policy
    network = keras.Sequential([keras.Input(shape, dtype=policy.compute_dtype)], name=name)
    for part in parts:
        if isinstance(part, RBM):
            _add_dense(network, part, f"hidden_{only.index(part) + 1}")
        else:
            network.add(part)
    if classes is not None:
        top = keras.layers.Dense(checks.integer("classes", classes, least=1), name="logits", dtype=policy)
        scale = checks.number("kernel_scale", kernel_scale, above=0.0)
        network.add(top)
        top.kernel.assign(scale * _normals(top.kernel, seed))
    return network


def parts_of(machines: Any) -> tuple[list[Any], list[RBM]]:
    """Return all parts of a stack, and the machines among them."""
    parts = list(machines) if isinstance(machines, list | tuple) else []
    only = [part for part in parts if isinstance(part, RBM)]
    known = all(isinstance(part, keras.layers.Layer) for part in parts)
    if not only or not known or len(set(map(id, parts))) < len(parts):
        raise checks.refusal("machines", "a list of machines, each there once, and of Keras layers", machines)
    return parts, only


def check_widths(parts: list[Any], shape: tuple) -> None:
    """Refuse a built machine that has not as many visible units as come to it."""
    before = "the data"
    for part in parts:
        if isinstance(part, RBM):
            width_of(shape, part.visible)
            if part.built and _width(part) != shape[1]:
                raise ValueError(
                    f"Expected `{part.name}` to have as many visible units as come from {before}: {shape[1]}. "
                    f"Received: {_width(part)} visible units"
                )
        shape, before = shape_after(part, shape), f"`{part.name}`"


def _width(machine: RBM) -> int:
    return machine.kernel.shape[0]


def shape_after(part: Any, shape: tuple) -> tuple:
    """Return the shape of what comes out of a part."""
    return (None, part.units) if isinstance(part, RBM) else part.compute_output_shape(shape)


def activation_of(machine: RBM) -> str:
    """Return the name of the function by which Keras's layers stand for a machine's hidden units, but for a factor."""
    hidden = machine.hidden
    if type(hidden) not in _ACTIVATIONS:
        raise checks.refusal("machines", "machines of hidden units that the package has", hidden)
    if isinstance(hidden, Softmax) and hidden.size != machine.units:
        raise checks.refusal("machines", "machines of softmax units in one group", f"{machine.units} units, {hidden}")
    return _ACTIVATIONS[type(hidden)]


def _add_dense(network: keras.Sequential, machine: RBM, name: str) -> None:
    """Add a layer with a machine's kernel and hidden biases, and one that scales what it gives where that is due."""
    policy, biased = machine.dtype_policy, machine.hidden_bias != "none"
    dense = keras.layers.Dense(machine.units, activation_of(machine), use_bias=biased, name=name, dtype=policy)
    network.add(dense)
    dense.kernel.assign(_copied(machine.kernel))
    if biased:
        dense.bias.assign(np.broadcast_to(_copied(machine.hidden_biases), (machine.units,)))
    if isinstance(machine.hidden, Binomial):
        network.add(keras.layers.Rescaling(float(machine.hidden.copies), name=f"{name}_copies", dtype=policy))


def _copied(weight: keras.Variable) -> np.ndarray:
    # JAX would share the memory, which a step of training gives away.
    return np.array(ops.convert_to_numpy(weight))


def _normals(kernel: keras.Variable, seed: int | None) -> Tensor:
    # Keras's own initializers draw other numbers on each backend.
    generator = keras.random.SeedGenerator(checks.seed(seed))
    key = keys.make_key(ops.convert_to_tensor(generator.state)[0], _OF_HEAD)
    return noise.normal(tuple(kernel.shape), key, kernel.dtype)
