"""The partition function of a restricted Boltzmann machine by annealed importance sampling, upwards and downwards."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import checks, keys
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm import gibbs, states, watching
from keras_rectifiers.rbm.likelihood import lawful
from keras_rectifiers.rbm.states import as_float64, in_float64
from keras_rectifiers.rbm.units import biases_of

if TYPE_CHECKING:
    from keras_rectifiers.rbm.rbm import RBM

# By how many nats the estimates from below and from above may differ.
TOLERANCE = 1.0
# Numbers of calls that neither training nor `RBM` counts to, and of the noise of the first states under their keys.
_UPWARDS, _DOWNWARDS = -4, -5
_OF_START = -1


@dataclasses.dataclass(frozen=True)
class PartitionEstimate:
    """An estimate of log Z, from the weights of `chains` chains.

    `standard_error` is that of log Z by the delta method: the deviation of the weights by their mean, divided by
    the square root of the number of chains. Where one weight outweighs all others it comes to 1 at most, whatever the
    true error is; the effective sample size, (sum of w)^2 / (sum of w^2), is then near 1 as well.
    """

    log_z: float
    standard_error: float
    effective_sample_size: float
    chains: int
    reverse: bool = False

    def __str__(self) -> str:
        way = "reverse" if self.reverse else "forward"
        size = f"effective sample size {self.effective_sample_size:.1f} of {self.chains}"
        return f"{way}: log Z = {self.log_z:.3f} +- {self.standard_error:.3f} ({size})"


@dataclasses.dataclass(frozen=True)
class Bracket:
    """The forward and the reverse estimate of log Z side by side; its text has both, and whether they agree."""

    forward: PartitionEstimate
    reverse: PartitionEstimate

    @property
    def gap(self) -> float:
        """Return the reverse estimate less the forward one, in nats."""
        return self.reverse.log_z - self.forward.log_z

    @property
    def converged(self) -> bool:
        """Return whether they differ by one nat at most."""
        return abs(self.gap) <= TOLERANCE

    def __str__(self) -> str:
        verdict = "converged" if self.converged else "not converged"
        return f"{self.forward}\n{self.reverse}\n{verdict}: they differ by {self.gap:.3f} nats"


def annealed_importance_sampling(
    machine: "RBM",
    data: Any = None,
    base_biases: Any = None,
    betas: Any = None,
    chains: int = 100,
    seed: int = 0,
    reverse: bool = False,
    start: Any = None,
    verbose: int = 1,
) -> PartitionEstimate:
    r"""Return an estimate of log Z from chains that lead from a machine without weights to this one.

    .. math::

        \log p_\beta(v) = \log g(v) + ((1 - \beta) b_0 + \beta b) \cdot v + \sum_j A(\beta (c + v W)_j)

    .. math::

        \frac{Z}{Z_0} = \Big\langle \prod_k \frac{p_{\beta_k}(v_{k-1})}{p_{\beta_{k-1}}(v_{k-1})} \Big\rangle

    Each v comes from the last one by a sweep that leaves its own machine's law as it is. The weights' mean is right on
    average, so that its logarithm lies below log Z more often than far above. In reverse the chains lead from states
    of the machine down to the one without weights, whose log Z_0 is known; their estimate errs to the other side, if
    the states do have the machine's law. Log-weights are summed in float64.

    Args:
        machine: a machine whose units have log-partitions.
        data: an array of shape (cases, visible), or an iterable of batches: its base rates give the biases of the
            machine without weights, as in `RBM.initialize`.
        base_biases: those biases b_0 themselves, of shape (visible,); either these or `data`.
        betas: inverse temperatures: None for the paper's 14,500, an integer of at least 2 for so many evenly spaced
            ones, or increasing numbers from 0 to 1.
        chains: an integer of at least 2; in reverse there are as many as `start` has states.
        seed: an integer in [0, 2**31).
        reverse: whether to go down from `start`.
        start: states of the machine, of shape (chains, visible), such as `machine.sample` gives after many sweeps.
        verbose: 0 for no progress bar.

    Raises:
        ValueError: if an argument is none of the above, or if the machine has no law.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM, annealed_importance_sampling, log_partition_function
    >>> v = np.eye(4, dtype="float32")
    >>> machine = RBM(units=2, seed=7)
    >>> machine.initialize(v)
    >>> found = annealed_importance_sampling(machine, v, betas=10, verbose=0)
    >>> abs(found.log_z - log_partition_function(machine)) < 0.01
    True

    References: Salakhutdinov and Murray 2008, section 4; Burda, Grosse and Salakhutdinov 2015 for the reverse.
    """
    path = _path(betas)
    checks.integer("chains", chains, least=2)
    seed = _seed(seed)
    pair, parameters = lawful(machine)
    base, log_z_of_base = _base(machine, data, base_biases)
    key = keys.make_key(seed, _DOWNWARDS if checks.boolean("reverse", reverse) else _UPWARDS)
    v = _first_states(machine, base, chains, key, reverse, start)
    log_weights = _log_weights(pair, parameters, base, path[::-1] if reverse else path, v, key, verbose)
    return _estimate(log_weights, log_z_of_base, reverse)


def bracket(
    machine: "RBM",
    data: Any = None,
    base_biases: Any = None,
    start: Any = None,
    betas: Any = None,
    chains: int = 100,
    seed: int = 0,
    verbose: int = 1,
) -> Bracket:
    """Return the estimates of log Z by `annealed_importance_sampling` and its reverse, whose arguments these are.

    Args:
        machine: a machine whose units have log-partitions.
        data: cases whose base rates give the biases of the machine without weights.
        base_biases: those biases themselves; either these or `data`.
        start: states of the machine, from which the reverse goes down.
        betas: inverse temperatures.
        chains: how many go up.
        seed: an integer in [0, 2**31).
        verbose: 0 for no progress bar.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.rbm import RBM, bracket
    >>> v = np.eye(4, dtype="float32")
    >>> machine = RBM(units=2, seed=7)
    >>> machine.initialize(v)
    >>> found = bracket(machine, v, start=machine.sample(100), betas=10, verbose=0)
    >>> found.converged
    True
    """
    both = functools.partial(
        annealed_importance_sampling, machine, data, base_biases, betas, chains, seed, verbose=verbose
    )
    # The reverse first: it refuses more.
    downwards = both(reverse=True, start=start)
    return Bracket(both(), downwards)


def _path(betas: Any) -> np.ndarray:
    if betas is None:
        parts = (0.0, 0.5, 500, False), (0.5, 0.9, 4000, False), (0.9, 1.0, 10_000, True)
        return np.concatenate([np.linspace(*part) for part in parts])
    if np.ndim(betas) == 0:
        return np.linspace(0.0, 1.0, checks.integer("betas", betas, least=2))
    try:
        path = np.asarray(betas, "float64")
    except (TypeError, ValueError):
        path = np.zeros(0)
    # Written so that NaN fails the comparisons.
    if path.ndim != 1 or len(path) < 2 or not (path[0] == 0 and path[-1] == 1 and (np.diff(path) > 0).all()):
        raise checks.refusal("betas", "None, an integer of at least 2, or increasing numbers from 0 to 1", betas)
    return path


def _seed(seed: Any) -> int:
    found = checks.seed(seed)
    if found is None:
        raise checks.refusal("seed", "an integer in [0, 2**31)", seed)
    return found


def _base(machine: "RBM", data: Any, base_biases: Any) -> tuple[Tensor, float]:
    """Return the visible biases of the machine without weights, and its log Z."""
    if (data is None) == (base_biases is None):
        received = "neither" if data is None else "both"
        raise ValueError(f"Expected either `data` or `base_biases`. Received: {received}")
    if base_biases is None:
        base_biases = biases_of(*watching.mean_of(data, machine.visible), machine.visible)
    biases, width = as_float64(base_biases), machine.kernel.shape[0]
    if biases.shape != (width,) or not np.isfinite(biases).all():
        raise checks.refusal("base_biases", f"{width} finite numbers", base_biases)
    biases = biases.astype(machine.compute_dtype)
    layers = (machine.visible, biases), (machine.hidden, np.zeros(machine.units))
    log_z = sum(as_float64(unit.log_partition(in_float64(x))).sum() for unit, x in layers)
    return ops.convert_to_tensor(biases), float(log_z)


def _first_states(machine: "RBM", base: Tensor, chains: int, key: Tensor, reverse: bool, start: Any) -> Tensor:
    if reverse != (start is not None):
        raise ValueError(
            f"Expected `start`, states of the machine, if and only if `reverse`. Received: reverse={reverse}, "
            f"start={checks.shown(start)}"
        )
    if not reverse:
        every = ops.broadcast_to(base, (chains, base.shape[0]))
        return machine.visible.exact().sample(every, keys.child(key, _OF_START))
    found = states.given("start", start, machine.visible, base.shape[0])
    if len(found) < 2:
        raise ValueError(f"Argument `start` must have at least 2 states. Received: shape={found.shape}")
    return ops.convert_to_tensor(found.astype(machine.compute_dtype))


def _log_weights(
    pair: gibbs.Pair, parameters: gibbs.Parameters, base: Tensor, path: np.ndarray, v: Tensor, key: Tensor, verbose: int
) -> np.ndarray:
    """Return the logarithms of the chains' weights after all steps of the path from v."""
    step = _compiled_step(pair.exact())
    path = path.astype(keras.backend.standardize_dtype(v.dtype))
    total = np.zeros(v.shape[0])
    steps = len(path) - 1
    progress = keras.utils.Progbar(steps, verbose=verbose)
    for number in range(steps):
        # Two numbers and not where they are in the path: XLA would compile a slice anew for each place.
        betas = ops.convert_to_tensor(path[number : number + 2])
        v, gained = step(parameters, base, betas, v, key, ops.convert_to_tensor(number, dtype="int32"))
        total += as_float64(gained)
        progress.update(number + 1)
    return total


@functools.cache
def _compiled_step(pair: gibbs.Pair) -> Callable[..., Any]:
    return gibbs.compiled(functools.partial(_step, pair))


def _step(
    pair: gibbs.Pair, parameters: gibbs.Parameters, base: Tensor, betas: Tensor, v: Tensor, key: Tensor, number: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the states after a sweep at the next temperature, and the log-weights that v gain by coming to it."""
    last, beta = betas[0], betas[1]
    x = parameters.hidden_input(v)
    # Unit by unit: the difference of two sums would lose digits.
    of_hidden = pair.hidden.log_partition(beta * x) - pair.hidden.log_partition(last * x)
    of_visible = (beta - last) * v * (parameters.visible_bias - base)
    h = pair.hidden.sample(beta * x, keys.child(key, 2 * number))
    visible_input = (1.0 - beta) * base + beta * parameters.visible_input(h)
    v = pair.visible.sample(visible_input, keys.child(key, 2 * number + 1))
    return v, ops.sum(of_hidden, axis=-1) + ops.sum(of_visible, axis=-1)


def _estimate(log_weights: np.ndarray, log_z_of_base: float, reverse: bool) -> PartitionEstimate:
    chains, largest = len(log_weights), log_weights.max()
    weights = np.exp(log_weights - largest)
    log_ratio = largest + math.log(weights.mean())
    return PartitionEstimate(
        log_z=float(log_z_of_base - log_ratio if reverse else log_z_of_base + log_ratio),
        standard_error=float(weights.std(ddof=1) / weights.mean() / math.sqrt(chains)),
        effective_sample_size=float(weights.sum() ** 2 / (weights**2).sum()),
        chains=chains,
        reverse=reverse,
    )
