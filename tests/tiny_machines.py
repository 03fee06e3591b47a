"""Tiny machines, summed out in float64 NumPy and SciPy from the formulas alone: the oracle of the machines' tests."""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops
from scipy import special

from keras_rectifiers.rbm import RBM, Binary, Binomial, Gaussian, Softmax, SteppedSigmoid, TruncatedGaussian, gibbs
from keras_rectifiers.rbm.units import Unit

Array = np.ndarray
HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)


class Law(NamedTuple):
    """A kind of units: its log-partition and log base measure, summed over a layer, and one group's states."""

    unit: Unit
    log_partition: Callable[[Array], Array]
    log_base: Callable[[Array], Array]
    states: Array | None = None

    def mean(self, x: Array) -> Array:
        """Return the derivative of the log-partition, by central differences."""
        columns = []
        for step in 1e-5 * np.eye(x.shape[-1]):
            columns.append((self.log_partition(x + step) - self.log_partition(x - step)) / 2e-5)
        return np.stack(columns, -1)

    def layer(self, width: int) -> Array:
        """Return every state of a layer, each a row."""
        groups = itertools.product(self.states, repeat=width // self.states.shape[1])
        return np.array([np.concatenate(group) for group in groups])


def _summed(term: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: term(np.asarray(x, "float64")).sum(-1)


def _of_groups(size: int) -> Callable[[Array], Array]:
    return lambda x: special.logsumexp(np.reshape(x, (*x.shape[:-1], -1, size)), axis=-1).sum(-1)


def stepped(x: Array) -> Array:
    """Nair and Hinton 2010, equation 7, as it stands: 400 of its binary units."""
    return np.logaddexp(0, np.asarray(x)[..., None] - np.arange(1, 401) + 0.5).sum(-1)


def _stepped_base(s: Array) -> Array:
    return np.vectorize(lambda n: -n * n / 2 - sum(math.log(1 - math.exp(-k)) for k in range(1, int(n) + 1)))(s)


def _square(x: Array) -> Array:
    return -0.5 * x * x


def binomial(copies: int) -> Law:
    return Law(
        Binomial(copies),
        _summed(lambda x: copies * np.logaddexp(0, x)),
        _summed(lambda s: np.log(special.comb(copies, s))),
        np.arange(copies + 1.0)[:, None],
    )


BINARY = Law(Binary(), _summed(lambda x: np.logaddexp(0, x)), _summed(np.zeros_like), np.array([[0.0], [1.0]]))
SOFTMAX = Law(Softmax(3), _of_groups(3), _summed(np.zeros_like), np.eye(3))
STEPPED = Law(SteppedSigmoid(), _summed(stepped), _summed(_stepped_base))
TRUNCATED = Law(
    TruncatedGaussian(), _summed(lambda x: 0.5 * x * x + special.log_ndtr(x) + HALF_LOG_2_PI), _summed(_square)
)
GAUSSIAN = Law(Gaussian(noise=True), _summed(lambda x: 0.5 * x * x + HALF_LOG_2_PI), _summed(_square))

FINITE = {"binary": BINARY, "binomial": binomial(2), "softmax": SOFTMAX}
INFINITE = {"stepped": STEPPED, "truncated": TRUNCATED, "gaussian": GAUSSIAN}


class Tiny(NamedTuple):
    """A machine by its numbers. What is said of its visible layer holds of the hidden one of its `turned` machine."""

    visible: Law
    hidden: Law
    kernel: Array
    visible_bias: Array
    hidden_bias: Array

    @property
    def turned(self) -> "Tiny":
        return Tiny(self.hidden, self.visible, self.kernel.T, self.hidden_bias, self.visible_bias)

    @property
    def pair(self) -> gibbs.Pair:
        return gibbs.Pair(self.visible.unit, self.hidden.unit)

    @property
    def parameters(self) -> gibbs.Parameters:
        own = (self.kernel, self.visible_bias, self.hidden_bias)
        return gibbs.Parameters(*(ops.convert_to_tensor(a.astype("float32")) for a in own))

    def free_energy(self, v: Array) -> Array:
        hidden = self.hidden.log_partition(v @ self.kernel + self.hidden_bias)
        return -self.visible.log_base(v) - v @ self.visible_bias - hidden

    def law(self) -> tuple[Array, Array]:
        """Return the visible layer's states, each a row, and their probabilities."""
        v = self.visible.layer(len(self.kernel))
        return v, special.softmax(-self.free_energy(v))

    def conditional(self) -> Array:
        """Return p(h | v), a row for each of the visible layer's states and a column for each of the hidden one's."""
        v, h = self.visible.layer(len(self.kernel)), self.hidden.layer(self.kernel.shape[1])
        return special.softmax((v @ self.kernel + self.hidden_bias) @ h.T + self.hidden.log_base(h), axis=1)

    def sweep(self) -> Array:
        """Return the probabilities with which one sweep leads from each of the visible states to each."""
        return self.conditional() @ self.turned.conditional()

    def rbm(self, **arguments: Any) -> RBM:
        """Return the package's machine of these numbers."""
        made = RBM(self.kernel.shape[1], self.visible.unit, self.hidden.unit, **arguments)
        made.build((None, len(self.kernel)))
        made.kernel.assign(self.kernel)
        made.visible_biases.assign(self.visible_bias)
        if made.hidden_bias != "none":
            made.hidden_biases.assign(self.hidden_bias[: made.hidden_biases.shape[0]])
        return made

    def drawn(self, count: int, rng: np.random.Generator) -> Array:
        """Draw visible states from the machine's law."""
        states, p = self.law()
        return states[rng.choice(len(p), count, p=p)]

    def hidden_mean(self, v: Array) -> Array:
        return self.hidden.mean(v @ self.kernel + self.hidden_bias)


def machine(visible: Law, hidden: Law, widths: tuple[int, int], scale: float = 1.0, seed: int = 0) -> Tiny:
    rng = np.random.default_rng(seed)
    biases = (0.5 * rng.normal(size=width) for width in widths)
    return Tiny(visible, hidden, scale * rng.normal(size=widths), *biases)
