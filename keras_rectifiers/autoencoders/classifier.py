"""The ordinary Keras network that autoencoders become, one on the other."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks
from keras_rectifiers.autoencoders.denoising import DenoisingAutoencoder
from keras_rectifiers.autoencoders.penalty import ActivityPenalty
from keras_rectifiers.autoencoders.stack import check_widths, stack_of
from keras_rectifiers.autoencoders.weights import initial_weights

# The number of the weights on top beside those that an autoencoder of the same seed draws.
_OF_TOP = -3


def to_classifier(
    stack: Sequence[DenoisingAutoencoder],
    classes: int | None,
    *,
    activity_regularizer: Any = None,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Sequential:
    r"""Return a network that begins with the encoders of autoencoders, one on the other, and ends in logits.

    .. math::

        h_n = s_n(h_{n-1} W_n + c_n)

    The weights are copies, those of the units too, such as PReLU's slopes: neither network nor autoencoders change the
    others. The features are the stack's own, bit for bit, until the network is trained. An autoencoder that was built
    and not trained gives a layer of initial weights.

    Args:
        stack: a list of autoencoders that are built: initialized, or trained.
        classes: None or an integer of at least 1: a dense layer on top that gives so many logits.
        activity_regularizer: penalty on what the hidden units give, such as `ActivityL1`, in layers of its own.
        seed: None or an integer in [0, 2**31), of the weights on top, which are drawn as an autoencoder's: the same on
            every backend.
        name: the network's.

    Raises:
        ValueError: if an argument is none of the above, or the autoencoders' widths do not fit.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.autoencoders import DenoisingAutoencoder, to_classifier
    >>> autoencoder = DenoisingAutoencoder(units=4, seed=7)
    >>> autoencoder.initialize(np.eye(8, dtype="float32"))
    >>> [layer.name for layer in to_classifier([autoencoder], classes=3, seed=7).layers]
    ['hidden_1', 'unit_1', 'logits']

    Reference: Glorot, Bordes and Bengio 2011, section 4.1.
    """
    stack = stack_of(stack)
    if unbuilt := [autoencoder.name for autoencoder in stack if not autoencoder.built]:
        raise checks.refusal("stack", "autoencoders that are built: initialized, or trained", unbuilt)
    width, policy = stack[0].encoder.kernel.shape[0], stack[0].dtype_policy
    check_widths(stack, (None, width))
    network = keras.Sequential([keras.Input((width,), dtype=policy.compute_dtype)], name=name)
    for number, autoencoder in enumerate(stack, 1):
        dense = keras.layers.Dense(autoencoder.units, dtype=policy, name=f"hidden_{number}")
        unit = type(autoencoder.unit).from_config({**autoencoder.unit.get_config(), "name": f"unit_{number}"})
        for layer, of in ((dense, autoencoder.encoder), (unit, autoencoder.unit)):
            network.add(layer)
            # As arrays: JAX would share the memory, which a step of training gives away.
            layer.set_weights([np.array(ops.convert_to_numpy(weight)) for weight in of.weights])
        if activity_regularizer is not None:
            network.add(ActivityPenalty(activity_regularizer, dtype=policy, name=f"penalty_{number}"))
    if classes is not None:
        top = keras.layers.Dense(checks.integer("classes", classes, least=1), name="logits", dtype=policy)
        network.add(top)
        drawn_by = keras.random.SeedGenerator(checks.seed(seed))
        top.kernel.assign(initial_weights(tuple(top.kernel.shape), top.kernel.dtype, drawn_by, _OF_TOP))
    return network
