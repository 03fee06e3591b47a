"""Tiny restricted Boltzmann machines in float64 NumPy, from the energy's formula: every joint state, one by one."""

import itertools
import math
from typing import Any

import keras
import numpy as np
from scipy import special

from keras_rectifiers.rbm import RBM, Binary, Binomial, Gaussian, Softmax, SteppedSigmoid, TruncatedGaussian

Array = np.ndarray

FINITE = [Binary(), Binomial(3), Softmax(3)]
INFINITE = [Gaussian(), SteppedSigmoid(), TruncatedGaussian()]
# float64 where the backend has it.
EPSILON = float(np.finfo(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(np.zeros(1))).dtype).eps)


def machine_of(visible: Any, hidden: Any, widths: tuple[int, int], scale: float = 0.5, **arguments: Any) -> RBM:
    rng = np.random.default_rng(20101124)
    machine = RBM(widths[1], visible, hidden, seed=7, **arguments)
    machine.build((None, widths[0]))
    for weight in machine.weights:
        weight.assign(scale * rng.normal(size=weight.shape))
    return machine


def parameters(machine: RBM) -> tuple[Array, Array, Array]:
    """Return kernel, visible and hidden biases, of which every unit has its own."""
    w, b = (np.asarray(keras.ops.convert_to_numpy(x), "float64") for x in (machine.kernel, machine.visible_biases))
    c = 0.0 if machine.hidden_bias == "none" else np.asarray(keras.ops.convert_to_numpy(machine.hidden_biases))
    return w, b, np.broadcast_to(c, w.shape[1:]).astype("float64")


def joint_states(unit: Any, width: int) -> tuple[Array, Array]:
    """Return all joint states of a layer of finitely many, and the logarithms of their base measures."""
    if isinstance(unit, Softmax):
        one = [(tuple(float(k == n) for k in range(unit.size)), 0.0) for n in range(unit.size)]
    else:
        copies = 1 if isinstance(unit, Binary) else unit.copies
        one = [((float(n),), math.log(math.comb(copies, n))) for n in range(copies + 1)]
    chosen = list(itertools.product(one, repeat=width // len(one[0][0])))
    states = [list(itertools.chain(*(state for state, _ in several))) for several in chosen]
    return np.array(states), np.array([sum(base for _, base in several) for several in chosen])


def log_mass(unit: Any, x: Array) -> Array:
    """Return the logarithm of the sum, or integral, of g(s) exp(x s) over a layer's states, for rows of inputs."""
    if isinstance(unit, Gaussian | TruncatedGaussian):
        cut = special.log_ndtr(x) if isinstance(unit, TruncatedGaussian) else 0.0
        return np.sum(0.5 * x**2 + cut + 0.5 * math.log(2 * math.pi), axis=-1)
    if isinstance(unit, SteppedSigmoid):
        n = np.arange(120.0)
        base = -(n**2) / 2 - np.cumsum([0.0, *np.log1p(-np.exp(-n[1:]))])
        return special.logsumexp(base + n * x[..., None], axis=-1).sum(axis=-1)
    size = unit.size if isinstance(unit, Softmax) else 1
    states, base = joint_states(unit, size)
    x = x.reshape(*x.shape[:-1], -1, size)
    return special.logsumexp(x @ states.T + base, axis=-1).sum(axis=-1)


def log_unnormalized(machine: RBM, v: Array) -> Array:
    """Return log p(v) + log Z of the states v, whose base measures are 1."""
    w, b, c = parameters(machine)
    return v @ b + log_mass(machine.hidden, c + v @ w)


def visible_law(machine: RBM) -> tuple[Array, Array, float]:
    """Return all states of finitely many visible units, their logarithms of p, and log Z."""
    v, base = joint_states(machine.visible, machine.kernel.shape[0])
    terms = base + log_unnormalized(machine, v)
    log_z = float(special.logsumexp(terms))
    return v, terms - log_z, log_z


def drawn(machine: RBM, count: int, seed: int) -> Array:
    """Return independent states of the visible units, of which there are finitely many."""
    v, log_p, _ = visible_law(machine)
    return v[np.random.default_rng(seed).choice(len(v), size=count, p=np.exp(log_p))]
