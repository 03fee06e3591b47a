"""What the page on stepped sigmoids claims, and its oracles: the formulas in float64 NumPy.

Its experiment is small enough to stand on the page itself.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import special, stats

from reruns.claims import Claim, Rule

PAPER = "Nair and Hinton 2010"
COPIES = 400
RANGE = (-10.0, 10.0)
MEAN, VARIANCE = 0.011, 0.005  # the largest gaps
INPUTS = (-1.0, 0.0, 1.0, 2.0, 4.0)
DRAWS = 1_000_000
ERRORS = 4.0  # standard errors
EXACT = 1e-5

SOFTPLUS = Claim(
    "N-1, mean",
    "the stepped sigmoids sum to log(1 + e^x)",
    f"gap ≤ {MEAN:g} on [{RANGE[0]:g}, {RANGE[1]:g}]",
    f"{PAPER}, equation 7 and figure 1",
    Rule.IDENTITY,
    published="extremely close; the curves cannot be told apart",
)
SIGMOID = Claim(
    "N-1, variance",
    "the variance of their sum is sigmoid(x)",
    f"gap ≤ {VARIANCE:g} on [{RANGE[0]:g}, {RANGE[1]:g}]",
    f"{PAPER}, section 2",
    Rule.IDENTITY,
)
FINITE = Claim(
    "N-1, copies",
    "the sum of N stepped sigmoids is log(1 + e^x) - log(1 + e^(x - N))",
    f"gap ≤ {MEAN:g} for each N from 1 to 20",
    f"{PAPER}, footnote 1",
    Rule.IDENTITY,
)
SAMPLER = Claim(
    "N-2",
    "the sampler is max(0, x + n) with n normal of variance sigmoid(x)",
    f"mean, deviation and share above 0 within {ERRORS:g} standard errors, where one of deviation sigmoid(x) is not",
    f"{PAPER}, section 2",
    Rule.IDENTITY,
)
MIXTURE = Claim(
    "N-11",
    "which units are on chooses one of very many linear models",
    "one Jacobian, W W' over the units that are on, in each of as many regions as lines can cut",
    f"{PAPER}, section 7",
    Rule.IDENTITY,
    published="exponentially many",
)
CLAIMS = (SOFTPLUS, SIGMOID, FINITE, SAMPLER, MIXTURE)


def probabilities(x: np.ndarray, copies: int = COPIES) -> np.ndarray:
    """Return the probability of each copy, sigmoid(x - i + 1/2), along a new last axis."""
    return special.expit(np.asarray(x, float)[..., None] - np.arange(1, copies + 1) + 0.5)


def mean(x: np.ndarray, copies: int = COPIES) -> np.ndarray:
    """Return the mean of the sum: that of the probabilities."""
    return probabilities(x, copies).sum(axis=-1)


def variance(x: np.ndarray, copies: int = COPIES) -> np.ndarray:
    """Return the variance of the sum of copies that are independent given x."""
    p = probabilities(x, copies)
    return (p * (1 - p)).sum(axis=-1)


def log_partition(x: np.ndarray, copies: int = COPIES) -> np.ndarray:
    """Return the sum of the copies' log-partitions."""
    return np.logaddexp(0, np.asarray(x, float)[..., None] - np.arange(1, copies + 1) + 0.5).sum(axis=-1)


def log_base(n: np.ndarray) -> np.ndarray:
    """Return log g(n) = -n^2/2 - the sum of log(1 - e^-k) up to n, for whole n from 0."""
    sums = np.cumsum([0.0, *-np.log1p(-np.exp(-np.arange(1.0, np.max(n) + 1)))])
    return sums[n] - np.asarray(n) ** 2 / 2


def by_counting(x: float, copies: int = COPIES) -> np.ndarray:
    """Return the probabilities of 0, 1, 2, ... copies that are on, one copy added after the other."""
    law = np.ones(1)
    for p in probabilities(np.asarray(x), copies):
        law = np.convolve(law, [1 - p, p])
    return law


class Moments(NamedTuple):
    """What a state's law is like."""

    mean: float
    deviation: float
    share: float  # above 0


def rectified_mean(x: Any) -> Any:
    """Return the mean of max(0, x + n), n normal of variance sigmoid(x)."""
    s = np.sqrt(special.expit(x))
    return x * stats.norm.cdf(x / s) + s * stats.norm.pdf(x / s)


def rectified(x: float) -> tuple[Moments, Moments]:
    """Return the moments of max(0, x + n), n normal of variance sigmoid(x), and their errors for a single draw.

    By parts, the integral of z^k over the normal density above 0 is x times that of z^(k-1), and (k - 1) sigmoid(x)
    times that of z^(k-2).
    """
    variance = special.expit(x)
    s = np.sqrt(variance)
    raw = [stats.norm.cdf(x / s), rectified_mean(x)]
    for k in (2, 3, 4):
        raw.append(x * raw[k - 1] + (k - 1) * variance * raw[k - 2])
    share, m, square, cube, fourth = raw
    spread = square - m**2
    central = fourth - 4 * m * cube + 6 * m**2 * square - 3 * m**4
    errors = Moments(np.sqrt(spread), np.sqrt((central - spread**2) / spread) / 2, np.sqrt(share * (1 - share)))
    return Moments(m, np.sqrt(spread), share), errors


def off(x: float, draws: np.ndarray) -> Moments:
    """Return by how many standard errors the moments of draws are off those of the paper's law."""
    draws = np.asarray(draws, float)
    found = Moments(draws.mean(), draws.std(), (draws > 0).mean())
    expected, errors = rectified(x)
    root = np.sqrt(draws.size)
    return Moments(*(root * (f - e) / s for f, e, s in zip(found, expected, errors, strict=True)))


def most_regions(units: int, inputs: int) -> int:
    """Return into how many regions so many hyperplanes can cut a space of so many inputs, at most."""
    total, chosen = 0, 1
    for k in range(min(units, inputs) + 1):
        total += chosen
        chosen = chosen * (units - k) // (k + 1)
    return total
