"""What zeros save the next layer: the time of a product with its weights, and the bytes that they take."""

import timeit
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

ROUNDS, SECONDS = 7, 0.02  # of each contender, in turns; each turn lasts so long at least


def measured(seed: int, cases: int, units: int, share: float) -> dict[str, float]:
    """Return the seconds of one core for outputs of so many units, zeros at random, times as many units' weights.

    `dense` is a product by BLAS, `sparse` one of compressed rows, `compressed` what it takes to find the others and
    copy them. Of each the fastest of the rounds; `error` is the largest difference of the products.
    """
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((units, units), "float32")
    outputs = of_units(rng, cases, units, share)
    rows = sparse.csr_array(outputs)
    contenders: dict[str, Callable[[], Any]] = {
        "dense": lambda: outputs @ weights,
        "sparse": lambda: rows @ weights,
        "compressed": lambda: sparse.csr_array(outputs),
    }
    error = float(np.abs(contenders["dense"]() - contenders["sparse"]()).max())
    with threadpool_limits(1):
        return {**fastest(contenders), "error": error}


def of_units(rng: np.random.Generator, cases: int, units: int, share: float) -> np.ndarray:
    """Return outputs of rectifiers, of which this share is 0 in each case."""
    outputs = np.abs(rng.standard_normal((cases, units), "float32"))
    off = np.argsort(rng.random((cases, units)), axis=1) < round(share * units)
    return np.where(off, np.float32(0), outputs)


def fastest(contenders: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the least seconds of a call of each, measured in turns, so that what slows the machine hits all."""
    timers = {name: timeit.Timer(call) for name, call in contenders.items()}
    calls = {}
    for name, timer in timers.items():
        taken, number = 0.0, 1
        while taken < SECONDS:
            number *= 2
            taken = timer.timeit(number)
        calls[name] = number
    turns = [{name: timer.timeit(calls[name]) / calls[name] for name, timer in timers.items()} for _ in range(ROUNDS)]
    return {name: min(turn[name] for turn in turns) for name in timers}


def stored(share: Any, units: int) -> dict[str, Any]:
    """Return the bytes that a case's outputs take in float32, for a share of zeros.

    `compressed` rows have a number and its place for each one that is not 0, and where the row begins; a `bit mask` has
    a bit for each, and the numbers.
    """
    numbers = (1 - np.asarray(share)) * units
    return {"dense": 4.0 * units + 0 * numbers, "compressed": 8 * numbers + 4, "bit mask": 4 * numbers + units / 8}
