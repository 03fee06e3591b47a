"""Likelihoods of restricted Boltzmann machines: log Z of those small enough to be summed over, and log p(v)."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from keras import ops

from keras_rectifiers import checks
from keras_rectifiers.rbm import states
from keras_rectifiers.rbm.gibbs import Pair, Parameters
from keras_rectifiers.rbm.norms import norm_ratio
from keras_rectifiers.rbm.states import as_float64, in_float64

if TYPE_CHECKING:
    from keras_rectifiers.rbm.rbm import RBM

MOST_STATES = 2**20


class LogLikelihood(NamedTuple):
    """The mean of some cases' log p(v), and each case's, of shape (cases,)."""

    mean: float
    cases: np.ndarray


def log_partition_function(machine: "RBM", most_states: int = MOST_STATES) -> float:
    r"""Return log Z, exactly: the joint states of one layer are enumerated, the units of the other summed over.

    .. math::

        Z = \sum_v e^{-F(v)} = \sum_h g(h)\, e^{c \cdot h} \prod_i e^{A(b_i + (W h)_i)}

    It is computed in float64 whatever the machine's dtype. JAX without `jax_enable_x64` has no float64: there the
    terms are float32 and only their sum is float64.

    Args:
        machine: a machine of which one layer has units of finitely many states.
        most_states: how many joint states may be enumerated, an integer of at least 1.

    Raises:
        ValueError: if both layers have more joint states, or if the machine has no law.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM, log_partition_function
    >>> machine = RBM(units=2, kernel_scale=1e-6, seed=7)
    >>> machine.build((None, 3))
    >>> round(log_partition_function(machine) / float(np.log(2)), 3)
    5.0

    Reference: Salakhutdinov and Murray 2008, section 2.
    """
    checks.integer("most_states", most_states, least=1)
    pair, parameters = lawful(machine)
    parameters = Parameters(*map(in_float64, parameters))
    of_visible, of_hidden = map(states.joint, pair, parameters.kernel.shape)
    number = min(of_visible, of_hidden)
    if number > most_states:
        raise ValueError(
            f"Expected a machine of which one layer has at most {most_states} joint states; `annealed_importance_"
            f"sampling` estimates log Z of others. Received: {described(machine)}, of {_counted(number)} joint states"
        )
    if of_hidden < of_visible:
        pair = Pair(*reversed(pair))
        parameters = Parameters(ops.transpose(parameters.kernel), parameters.hidden_bias, parameters.visible_bias)
    terms = []
    for numbers in states.blocks(np.arange(int(number)), max(parameters.kernel.shape)):
        block = states.numbered(pair.visible, parameters.kernel.shape[0], numbers)
        terms.append(np.logaddexp.reduce(-as_float64(pair.free_energy(parameters, in_float64(block)))))
    return float(np.logaddexp.reduce(terms))


def _counted(number: float) -> str:
    if number == math.inf:
        return "infinitely many"
    return str(number) if number < 1e9 else f"about 10**{math.log10(number):.0f}"


def log_likelihood(machine: "RBM", v: Any, log_z: float) -> LogLikelihood:
    """Return log p(v) = -F(v) - log Z, its mean over the cases and each case's, in float64 as far as there is one.

    Args:
        machine: a machine whose units have log-partitions.
        v: states of the visible units, of shape (cases, visible). Grey values are no states of binary units, and how
            they are made 0 or 1 changes the number: state it beside it.
        log_z: a number, of `log_partition_function` or of `annealed_importance_sampling`.

    Raises:
        ValueError: if v are no states of the visible units, or if the machine has no law.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM, log_likelihood, log_partition_function
    >>> machine = RBM(units=2, kernel_scale=1e-6, seed=7)
    >>> machine.build((None, 3))
    >>> found = log_likelihood(machine, np.eye(3), log_partition_function(machine))
    >>> round(found.mean / float(np.log(2)), 3)
    -3.0
    """
    log_z = checks.number("log_z", log_z)
    pair, parameters = lawful(machine)
    cases = states.given("v", v, pair.visible, parameters.kernel.shape[0])
    parameters = Parameters(*map(in_float64, parameters))
    blocks = states.blocks(cases, max(parameters.kernel.shape))
    log_p = -np.concatenate([as_float64(pair.free_energy(parameters, in_float64(rows))) for rows in blocks]) - log_z
    return LogLikelihood(float(log_p.mean()), log_p)


def lawful(machine: "RBM") -> tuple[Pair, Parameters]:
    """Return a machine's units, and its parameters cut off from any gradient, refusing a machine that has no law."""
    if not machine.built:
        raise ValueError(
            f"Expected a machine that is built; call `initialize` or `fit` first. Received: {machine.name}, not built"
        )
    pair, parameters = machine.pair, machine.tensors.held()
    for unit in pair:
        if not unit.has_log_partition:
            unit.log_partition(parameters.kernel)  # its own refusal says why
    if not all(np.isfinite(as_float64(part)).all() for part in parameters):
        raise ValueError(f"Expected a machine of finite parameters. Received: {described(machine)}, which diverged")
    ratio = norm_ratio(parameters.kernel, *pair)
    if not ratio < 1:
        raise ValueError(
            "Expected a machine that can be normalized, of a norm ratio below 1. "
            f"Received: {described(machine)}, of norm ratio {ratio:.3f}"
        )
    return pair, parameters


def described(machine: "RBM") -> str:
    """Return a machine's name, widths and units, for a message."""
    visible, hidden = machine.kernel.shape
    return f"{machine.name} of {visible} {machine.visible} and {hidden} {machine.hidden} units"
