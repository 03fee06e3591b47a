r"""Units of restricted Boltzmann machines: the law of a unit's state given its input, and the statistics of that law.

A unit's input x is its bias and what the other layer sends. Its state s has the law

.. math::

    p(s \mid x) = g(s)\, e^{s x - A(x)}

with a base measure g and the log-partition A, whose derivative is the mean. Every method takes a tensor whose last axis
is the layer's; `log_partition` and `log_base`, which is log g, give terms that are summed over that axis.
"""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks, noise
from keras_rectifiers.compilation import Tensor

registered = keras.saving.register_keras_serializable(package="keras_rectifiers.rbm")


class Unit:
    """What all units have: they are values, equal by their arguments and saved by them.

    `least` and `most` bound a state. `domain` says what lies between them: `"real"` numbers, `"whole"` ones, or
    `"finite"`, those that `states` lists. Where `square` is `"above"` or `"everywhere"` the log-partition grows as
    x^2/2 for large positive x or for all, so that two such layers may have energies that fall without bound.
    """

    least, most = 0.0, math.inf
    domain = "real"
    square = "nowhere"
    has_log_partition = True

    def get_config(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Unit":
        return cls(**config)

    def mean(self, x: Tensor) -> Tensor:
        """Return the mean of the state given its input: the derivative of the log-partition, where there is one."""
        raise NotImplementedError

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        """Return a state given its input, drawn with a key of `keras_rectifiers.keys`."""
        raise NotImplementedError

    def log_partition(self, x: Tensor) -> Tensor:
        """Return the log-partition, whose terms are summed over the last axis."""
        raise NotImplementedError

    def log_base(self, s: Tensor) -> Tensor:
        """Return the logarithm of the base measure, whose terms are summed over the last axis."""
        return ops.zeros_like(s)

    def input_of_mean(self, mean: Tensor) -> Tensor:
        """Return the input at which the mean is this, or nearly, for a mean between `least` and `most`."""
        raise NotImplementedError

    def exact(self) -> "Unit":
        """Return the unit whose samples have its law, where this one's leave the noise out."""
        return self

    def states(self) -> np.ndarray:
        """Return the states of one unit, each a row: of one number, or of a group's."""
        raise ValueError(f"Expected units of finitely many states. Received: {self}")


@registered
@dataclasses.dataclass(frozen=True)
class Binary(Unit):
    r"""Unit that is 0 or 1: log-partition log(1 + e^x), mean sigmoid(x).

    Example:

    >>> from keras_rectifiers.rbm import Binary
    >>> float(Binary().mean(0.0))
    0.5

    Reference: Nair and Hinton 2010, equations 1 to 3.
    """

    most = 1.0
    domain = "finite"

    def mean(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        return noise.bernoulli(ops.sigmoid(x), key)

    def log_partition(self, x: Tensor) -> Tensor:
        return ops.softplus(x)

    def input_of_mean(self, mean: Tensor) -> Tensor:
        return ops.log(mean) - ops.log1p(-mean)

    def states(self) -> np.ndarray:
        return np.array([[0.0], [1.0]])


@registered
@dataclasses.dataclass(frozen=True)
class Binomial(Unit):
    r"""Sum of `copies` binary units of one input: log-partition n log(1 + e^x), mean n sigmoid(x).

    Args:
        copies: how many, an integer of at least 1. The base measure is the binomial coefficient.

    Example:

    >>> from keras_rectifiers.rbm import Binomial
    >>> float(Binomial(4).mean(0.0))
    2.0

    Reference: Nair and Hinton 2010, section 2.
    """

    copies: int
    domain = "finite"

    def __post_init__(self) -> None:
        object.__setattr__(self, "copies", checks.integer("copies", self.copies, least=1))

    @property
    def most(self) -> float:  # type: ignore[override]
        return float(self.copies)

    def mean(self, x: Tensor) -> Tensor:
        return self.copies * ops.sigmoid(x)

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        return sum_of_draws(ops.sigmoid(ops.stack([x] * self.copies, axis=-1)), key)

    def log_partition(self, x: Tensor) -> Tensor:
        return self.copies * ops.softplus(x)

    def log_base(self, s: Tensor) -> Tensor:
        return looked_up([math.log(math.comb(self.copies, k)) for k in range(self.copies + 1)], s)

    def input_of_mean(self, mean: Tensor) -> Tensor:
        return Binary().input_of_mean(mean / self.copies)

    def states(self) -> np.ndarray:
        return np.arange(self.copies + 1.0)[:, None]


@registered
@dataclasses.dataclass(frozen=True)
class Gaussian(Unit):
    r"""Unit with a normal law of variance 1 about its input: log-partition x^2/2 + log(2 pi)/2, mean x.

    Args:
        noise: whether samples have the law's noise. By default they are the mean: the paper's reconstructions are
            free of noise. Chains that are to have the machine's own law, and so `RBM.sample` and every likelihood,
            take the noise whatever is said here.

    The visible layer is to be standardized: of mean 0 and deviation 1.

    Example:

    >>> from keras_rectifiers.rbm import Gaussian
    >>> float(Gaussian().mean(0.5))
    0.5

    Reference: Nair and Hinton 2010, equation 6.
    """

    noise: bool = False
    least = -math.inf
    square = "everywhere"

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise", checks.boolean("noise", self.noise))

    def exact(self) -> "Gaussian":
        return Gaussian(noise=True)

    def mean(self, x: Tensor) -> Tensor:
        return x

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        return x + noise.normal(tuple(ops.shape(x)), key, x.dtype) if self.noise else x

    def log_partition(self, x: Tensor) -> Tensor:
        return 0.5 * x * x + 0.5 * math.log(2 * math.pi)

    def log_base(self, s: Tensor) -> Tensor:
        return -0.5 * s * s

    def input_of_mean(self, mean: Tensor) -> Tensor:
        return mean


@registered
@dataclasses.dataclass(frozen=True)
class Softmax(Unit):
    r"""Groups of units of which one is 1 and the others are 0: log-partition log(sum of e^x), mean softmax(x).

    Args:
        size: the units of a group, an integer of at least 2; the layer's width is a multiple of it.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import Softmax
    >>> [float(p) for p in Softmax(4).mean(np.zeros(4, "float32"))]
    [0.25, 0.25, 0.25, 0.25]
    """

    size: int
    most = 1.0
    domain = "finite"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", checks.integer("size", self.size, least=2))

    def mean(self, x: Tensor) -> Tensor:
        return ops.reshape(ops.softmax(self._grouped(x), axis=-1), ops.shape(x))

    def sample(self, x: Tensor, key: Tensor) -> Tensor:
        # Where a uniform falls among the sums of the probabilities. Gumbel noise, of uniforms of 24 bits, ends early.
        sums = ops.cumsum(ops.softmax(self._grouped(x), axis=-1), axis=-1)
        u = noise.uniform(tuple(ops.shape(sums))[:-1], key, x.dtype)[..., None] * sums[..., -1:]
        return ops.reshape(
            ops.one_hot(ops.sum(ops.cast(sums <= u, "int32"), -1), self.size, dtype=x.dtype), ops.shape(x)
        )

    def log_partition(self, x: Tensor) -> Tensor:
        return ops.logsumexp(self._grouped(x), axis=-1)

    def input_of_mean(self, mean: Tensor) -> Tensor:
        return ops.log(mean)

    def states(self) -> np.ndarray:
        return np.eye(self.size)

    def _grouped(self, x: Tensor) -> Tensor:
        return ops.reshape(x, (*ops.shape(x)[:-1], -1, self.size))


def sum_of_draws(probabilities: Tensor, key: Tensor) -> Tensor:
    return ops.sum(noise.bernoulli(probabilities, key), axis=-1)


def looked_up(table: Any, s: Tensor) -> Tensor:
    return ops.take(ops.cast(np.asarray(table), s.dtype), ops.cast(s, "int32"))


def unit_of(name: str, value: Any) -> Unit:
    """Return the unit that an argument is, also as saved."""
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    if not isinstance(value, Unit):
        raise checks.refusal(name, "a unit, such as keras_rectifiers.rbm.Binary()", value)
    return value


def width_of(shape: tuple, unit: Unit) -> int:
    """Return the width of a layer from its shape, refusing one that is not known or no multiple of a group's."""
    if len(shape) != 2 or shape[1] is None:
        raise ValueError(f"RBM expected an input of shape (batch, visible) of known width. Received: {shape}")
    group = unit.size if isinstance(unit, Softmax) else 1
    if shape[1] % group:
        raise ValueError(f"Expected a width that {unit} units divide, a multiple of {group}. Received: {shape[1]}")
    return shape[1]


def biases_of(mean: np.ndarray, cases: int, unit: Unit) -> Tensor:
    """Return the inputs at which units have the means of so many cases, all finite.

    A mean that no case contradicts counts as if one more had lain halfway: what the data do not show stays possible.
    """
    if math.isfinite(unit.most):
        mean = (cases * mean + 0.5 * unit.most) / (cases + 1)
    elif unit.least == 0:
        mean = np.maximum(mean, 0.5 / cases)
    return unit.input_of_mean(ops.convert_to_tensor(mean.astype("float64")))
