"""What a user would take instead of each unit: Keras's layer or a few lines, the framework's function, PyTorch's."""

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
from keras import ops

import keras_rectifiers as kr
from keras_rectifiers.kernels import Kernel

# The tensors that forward and backward must move, in tensors of the input's size: read x, write y; then read x and the
# incoming gradient, write the outgoing one. Forward alone: the first two.
MOVED = {"CReLU": (3, 7), "Maxout": (1.5, 4)}
MOVED_BY_DEFAULT = (2, 5)

OURS: dict[str, Callable[..., keras.layers.Layer]] = {
    "ELU": kr.ELU,
    "PReLU": kr.PReLU,
    "CReLU": kr.CReLU,
    "Maxout": lambda **kwargs: kr.Maxout(2, **kwargs),
    "RReLU": lambda **kwargs: kr.RReLU(seed=1, **kwargs),
    "NReLU": lambda **kwargs: kr.NReLU(seed=1, **kwargs),
    "ScaledSoftplus": kr.ScaledSoftplus,
    "SignFlip": kr.SignFlip,
}


class Composed(keras.layers.Layer):
    """A unit written down with the operations at hand."""

    def __init__(self, formula: Callable, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.formula = formula
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs: Any) -> Any:
        return self.formula(inputs, self.seed_generator)


def _crelu(x: Any, seed: Any) -> Any:
    return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=-1)


def _maxout(x: Any, seed: Any) -> Any:
    return ops.max(ops.reshape(x, (*ops.shape(x)[:-1], x.shape[-1] // 2, 2)), axis=-1)


def _rrelu(x: Any, seed: Any) -> Any:
    return ops.where(x > 0, x, x / keras.random.uniform(ops.shape(x), 3.0, 8.0, dtype=x.dtype, seed=seed))


def _nrelu(x: Any, seed: Any) -> Any:
    return ops.relu(x + ops.sqrt(ops.sigmoid(x)) * keras.random.normal(ops.shape(x), dtype=x.dtype, seed=seed))


def _sign_flip(x: Any, seed: Any) -> Any:
    return x * ops.cast(ops.where(ops.arange(x.shape[-1]) % 2 == 1, -1.0, 1.0), x.dtype)


KERAS: dict[str, Callable[..., keras.layers.Layer]] = {
    "ReLU": keras.layers.ReLU,
    "ELU": keras.layers.ELU,
    "PReLU": lambda **kwargs: keras.layers.PReLU("ones", shared_axes=[1, 2], **kwargs),
    "CReLU": lambda **kwargs: Composed(_crelu, **kwargs),
    "Maxout": lambda **kwargs: Composed(_maxout, **kwargs),
    "RReLU": lambda **kwargs: Composed(_rrelu, **kwargs),
    "NReLU": lambda **kwargs: Composed(_nrelu, **kwargs),
    "ScaledSoftplus": lambda **kwargs: keras.layers.Activation("softplus", **kwargs),
    "SignFlip": lambda **kwargs: Composed(_sign_flip, **kwargs),
}


def forget_programs() -> None:
    """Drop every compiled kernel of ours, so that the next call compiles as the first of a process does."""
    for module in vars(kr.layers).values():
        for member in vars(module).values() if isinstance(module, ModuleType) else ():
            if isinstance(member, Kernel):
                member.forget()


def framework() -> tuple[str, dict[str, Callable]]:
    """Return the name and the functions of the backend's own neural-network module, each of x alone."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return "tf.nn", {"ReLU": tf.nn.relu, "ELU": tf.nn.elu, "CReLU": tf.nn.crelu, "ScaledSoftplus": tf.nn.softplus}
    import jax

    return "jax.nn", {"ReLU": jax.nn.relu, "ELU": jax.nn.elu, "ScaledSoftplus": jax.nn.softplus}


def pytorch() -> dict[str, Callable] | None:
    """Return PyTorch's functions of (x, slope), or None where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch
    import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know

    return {
        "ReLU": lambda x, slope: F.relu(x),
        "ELU": lambda x, slope: F.elu(x),
        "PReLU": F.prelu,
        "CReLU": lambda x, slope: torch.cat([F.relu(x), F.relu(-x)], 1),
        "Maxout": lambda x, slope: x.reshape(x.shape[0], -1, 2, *x.shape[2:]).amax(2),
        "RReLU": lambda x, slope: F.rrelu(x, training=True),
        "NReLU": lambda x, slope: F.relu(x + torch.sqrt(torch.sigmoid(x)) * torch.randn_like(x)),
        "ScaledSoftplus": lambda x, slope: F.softplus(x),
    }
