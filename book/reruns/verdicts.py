"""How the pages judge: intervals over seeds, rules that are fixed before the runs, and the words for what they show.

Runs are paired: one seed gives the same order of the data and, where shapes allow, the same initial weights. Let m be
the mean of the paired differences in the claimed direction, [L, U] its two-sided 90 % interval by Student's t, and M
the least difference that would matter. A claim is confirmed if L > 0 and m >= M, refuted if U < M, else inconclusive.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.90
CONFIRMED, REFUTED, INCONCLUSIVE = "confirmed", "**refuted**", "inconclusive"


class Verdict(NamedTuple):
    """What n pairs say: their mean, its interval, the margin, and how many of them are only bounds."""

    word: str
    n: int
    mean: float
    lower: float
    upper: float
    margin: float
    censored: int = 0


class Judged(NamedTuple):
    """One line of a chapter's table: the claim, what would confirm it, what was found, the verdict."""

    claim: str
    criterion: str
    found: str
    word: str


def interval(values: Any) -> tuple[float, float]:
    """Return the mean and the half-width of its two-sided 90 % interval by Student's t."""
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"An interval needs a row of at least two values. Received: shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"An interval needs finite values. Received: {values}")
    quantile = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return float(values.mean()), float(quantile * values.std(ddof=1) / np.sqrt(len(values)))


def share(name: str, percent: float, size: int) -> dict[str, Any]:
    """Return a share of so many independent cases with its 90 % interval by Wilson, all in percent."""
    found = stats.binomtest(round(percent / 100 * size), size).proportion_ci(LEVEL, method="wilson")
    return {"name": name, "value": percent, "interval_90_percent": [100 * found.low, 100 * found.high], "cases": size}


def exact(holds: bool) -> str:
    """Return the verdict on a claim that either holds to rounding or does not."""
    return CONFIRMED if holds else REFUTED


def paired(differences: Any, margin: float = 0.0) -> Verdict:
    """Judge that the paired differences are above 0 and, in the mean, no less than the margin."""
    mean, half = interval(differences)
    lower, upper = mean - half, mean + half
    word = CONFIRMED if lower > 0 and mean >= margin else REFUTED if upper < margin else INCONCLUSIVE
    return Verdict(word, len(differences), mean, lower, upper, margin)


def equivalent(differences: Any, margin: float) -> Verdict:
    """Judge that the paired differences are, in the mean, between minus the margin and the margin."""
    mean, half = interval(differences)
    lower, upper = mean - half, mean + half
    inside, outside = -margin < lower and upper < margin, upper < -margin or margin < lower
    return Verdict(_word(inside, outside), len(differences), mean, lower, upper, margin)


def not_worse(differences: Any, margin: float) -> Verdict:
    """Judge that the paired differences are, in the mean, above minus the margin."""
    mean, half = interval(differences)
    lower, upper = mean - half, mean + half
    return Verdict(_word(lower > -margin, upper < -margin), len(differences), mean, lower, upper, margin)


def ratio(
    slower: Sequence[float | None], faster: Sequence[float | None], cap: float, least: float, refuted_below: float
) -> Verdict:
    """Judge that `slower` takes at least `least` times as long as `faster`, by the geometric mean of paired ratios.

    None is a run that had not arrived at the cap: the cap stands in for it, as a bound. With such a run of `slower`
    every ratio is at least what is found, so nothing can be refuted, and only a least ratio above `least` confirms, for
    the spread is not known; with one of `faster` it is the other way round.
    """
    pairs = list(zip(slower, faster, strict=True))
    times = np.array([[cap if time is None else time for time in pair] for pair in pairs], float)
    if (times <= 0).any() or (times > cap).any():
        raise ValueError(f"Times must lie above 0 and not above the cap, {cap}. Received: {pairs}")
    mean, half = interval(np.log(times[:, 0] / times[:, 1]))
    lower, upper = np.exp(mean - half), np.exp(mean + half)
    # A bound on the times is a bound on the ratio on one side only, and the interval's width is then none.
    ratios, known = times[:, 0] / times[:, 1], not any(None in pair for pair in pairs)
    confirmed = lower > least and None not in faster and (known or ratios.min() > least)
    refuted = upper < refuted_below and None not in slower and (known or ratios.max() < refuted_below)
    censored = sum(None in pair for pair in pairs)
    return Verdict(_word(confirmed, refuted), len(pairs), float(np.exp(mean)), lower, upper, least, censored)


def _word(confirmed: bool, refuted: bool) -> str:
    return CONFIRMED if confirmed else REFUTED if refuted else INCONCLUSIVE


def described(verdict: Verdict, unit: str = "", digits: int = 3) -> str:
    """Return mean, interval and number of pairs as a table shows them."""
    unit = f" {unit}" if unit else ""
    bound = f", {verdict.censored} of them bounds" if verdict.censored else ""
    return (
        f"{verdict.mean:.{digits}g} [{verdict.lower:.{digits}g}, {verdict.upper:.{digits}g}]{unit}, "
        f"n = {verdict.n}{bound}"
    )
