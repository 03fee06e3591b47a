"""The pseudo-likelihood of restricted Boltzmann machines: each visible unit's law given all the others."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm import gibbs, states
from keras_rectifiers.rbm.likelihood import lawful
from keras_rectifiers.rbm.states import as_float64

if TYPE_CHECKING:
    from keras_rectifiers.rbm.rbm import RBM


def pseudo_log_likelihood(machine: "RBM", v: Any) -> np.ndarray:
    r"""Return the log-pseudo-likelihood of each case, of shape (cases,): of all visible units, none left to chance.

    .. math::

        \sum_i \log p(v_i \mid v_1, \dots, v_{i-1}, v_{i+1}, \dots), \qquad
        p(v_i \mid \dots) = \frac{e^{-F(v)}}{\sum_{s} e^{-F(v \text{ with } s \text{ for } v_i)}}

    It needs no Z. A group of softmax units counts as one unit. Computed in the machine's dtype, summed in float64.

    Args:
        machine: a machine whose visible units have finitely many states, and whose hidden ones have a log-partition.
        v: states of the visible units, of shape (cases, visible).

    Raises:
        ValueError: if v are no states of the visible units, or if the machine is none of the above.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM, pseudo_log_likelihood
    >>> machine = RBM(units=2, kernel_scale=1e-6, seed=7)
    >>> machine.build((None, 3))
    >>> np.round(pseudo_log_likelihood(machine, np.eye(3)) / np.log(2), 3)
    array([-3., -3., -3.])
    """
    pair, parameters = lawful(machine)
    visible, hidden = parameters.kernel.shape
    number, size = pair.visible.states().shape
    cases = states.given("v", v, pair.visible, visible).astype(machine.compute_dtype)
    conditional = _compiled_conditional(pair)
    totals = []
    for rows in map(ops.convert_to_tensor, states.blocks(cases, number * max(visible, hidden))):
        x = parameters.hidden_input(rows)
        before = pair.hidden.log_partition(x)
        groups = (ops.convert_to_tensor(group, dtype="int32") for group in range(visible // size))
        totals.append(sum(as_float64(conditional(parameters, rows, x, before, group)) for group in groups))
    return np.concatenate(totals)


@functools.cache
def _compiled_conditional(pair: gibbs.Pair) -> Callable[..., Any]:
    return gibbs.compiled(functools.partial(_conditional, pair))


def _conditional(
    pair: gibbs.Pair, parameters: gibbs.Parameters, v: Tensor, x: Tensor, before: Tensor, group: Tensor
) -> Tensor:
    """Return log p of a group's state given all other visible units, case by case.

    x is what v sends to the hidden units, and `before` their log-partition at it. Another state of one group changes x
    by a product with that group's few rows of the kernel.
    """
    states = ops.cast(pair.visible.states(), v.dtype)
    number, size = states.shape
    groups = v.shape[1] // size
    own = ops.take(ops.reshape(v, (-1, groups, size)), group, axis=1)
    bias = ops.take(ops.reshape(parameters.visible_bias, (groups, size)), group, axis=0)
    kernel = ops.take(ops.reshape(parameters.kernel, (groups, size, -1)), group, axis=0)
    which = ops.argmin(ops.sum(ops.square(states - own[:, None]), axis=-1), axis=-1)
    others = ops.take(states, (which[:, None] + ops.arange(1, number, dtype=which.dtype)) % number, axis=0)
    change = others - own[:, None]
    of_hidden = pair.hidden.log_partition(x[:, None] + change @ kernel) - before[:, None]
    of_base = ops.sum(pair.visible.log_base(others), -1) - ops.sum(pair.visible.log_base(own), -1)[:, None]
    gains = ops.sum(of_hidden, axis=-1) + ops.sum(change * bias, axis=-1) + of_base
    return -ops.logsumexp(ops.concatenate([ops.zeros_like(gains[:, :1]), gains], axis=-1), axis=-1)
