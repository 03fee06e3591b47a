"""How the pages judge: intervals over seeds, and rules that are fixed before the runs.

Runs are paired: one seed gives the same order of the data and, where shapes allow, the same initial weights. Let m be
the mean of the paired differences in the claimed direction, [L, U] its two-sided 90 % interval by Student's t, and M
the least difference that would matter. A claim is confirmed if L > 0 and m >= M, refuted if U < 0, its effect is too
small if 0 <= U < M, and otherwise nothing is known. A plan that allows several looks divides the 10 % by their number.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from reruns.claims import LEVEL, Claim, Evidence, Judgement, Rule, Verdict, by_evidence

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE


def interval(values: Any, level: float = LEVEL) -> tuple[float, float]:
    """Return the mean and the half-width of its two-sided interval, of 90 %, by Student's t."""
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"An interval needs a row of at least two values. Received: shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"An interval needs finite values. Received: {values}")
    return float(values.mean()), _half_width(values.std(ddof=1), len(values), level)


def _half_width(deviation: Any, n: int, level: float) -> Any:
    return stats.t.ppf((1 + level) / 2, n - 1) * deviation / np.sqrt(n)


def share(name: str, percent: float, size: int) -> dict[str, Any]:
    """Return a share of so many independent cases with its 90 % interval by Wilson, all in percent."""
    lower, upper = _wilson(round(percent / 100 * size), size, LEVEL)
    return {"name": name, "value": percent, "interval_90_percent": [100 * lower, 100 * upper], "cases": size}


def paired(differences: Any, margin: float = 0.0, level: float = LEVEL) -> Evidence:
    """Judge that the paired differences are above 0 and, in the mean, no less than the margin.

    The power is the probability of confirming a true difference of twice the margin.
    """
    mean, half = interval(differences, level)
    lower, upper = mean - half, mean + half
    if lower > 0 and mean >= margin:
        verdict = CONFIRMED
    elif upper < margin:
        verdict = REFUTED if upper < 0 else Verdict.TOO_SMALL
    else:
        verdict = INCONCLUSIVE
    n, deviation = len(differences), np.std(differences, ddof=1)
    power = power_of_paired(2 * margin, deviation, n, margin, level) if margin else None
    return Evidence(verdict, n, mean, lower, upper, margin, p_of_no_effect(differences), power=power)


def power_of_paired(effect: float, deviation: float, n: int, margin: float, level: float = LEVEL) -> float:
    """Return how often `paired` confirms a true difference of normal pairs with this standard deviation."""
    error = deviation / np.sqrt(n)
    if not error:
        return float(effect >= margin and effect > 0)
    least = np.maximum(margin, _half_width(_deviations(deviation, n), n, level))
    return float(stats.norm.sf((least - effect) / error).mean())


def _deviations(deviation: float, n: int) -> np.ndarray:
    """Return what standard deviation a sample of n finds, at evenly spaced probabilities."""
    return deviation * np.sqrt(stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, n - 1) / (n - 1))


def p_of_no_effect(differences: Any) -> float:
    """Return the one-sided probability of so large a mean, by Student's t, if there were no effect."""
    differences = np.asarray(differences, float)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return (
        float(stats.t.sf(differences.mean() / error, len(differences) - 1)) if error else float(differences.mean() <= 0)
    )


def holm(ps: Sequence[float]) -> list[float]:
    """Return each p adjusted for all of them by Holm's step-down rule."""
    order = np.argsort(ps)
    steps = np.maximum.accumulate(np.asarray(ps)[order] * (len(ps) - np.arange(len(ps))))
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(steps, 1)
    return adjusted.tolist()


def equivalent(differences: Any, margin: float, level: float = LEVEL) -> Evidence:
    """Judge that the paired differences are, in the mean, between minus the margin and the margin.

    The power is the probability of confirming it where there is no difference.
    """
    mean, half = interval(differences, level)
    lower, upper = mean - half, mean + half
    inside, outside = -margin < lower and upper < margin, upper < -margin or margin < lower
    n, deviation = len(differences), np.std(differences, ddof=1)
    room = np.maximum(margin - _half_width(_deviations(deviation, n), n, level), 0)
    power = float((2 * stats.norm.cdf(room * np.sqrt(n) / deviation) - 1).mean()) if deviation else 1.0
    return Evidence(_verdict(inside, outside), n, mean, lower, upper, margin, power=power)


def not_worse(differences: Any, margin: float, level: float = LEVEL) -> Evidence:
    """Judge that the paired differences are, in the mean, above minus the margin.

    The power is the probability of confirming it where there is no difference.
    """
    mean, half = interval(differences, level)
    lower, upper = mean - half, mean + half
    n, deviation = len(differences), np.std(differences, ddof=1)
    power = power_of_paired(margin, deviation, n, 0.0, level)
    return Evidence(_verdict(lower > -margin, upper < -margin), n, mean, lower, upper, margin, power=power)


def ratio(
    slower: Sequence[float | None],
    faster: Sequence[float | None],
    cap: float,
    least: float,
    refuted_below: float,
    level: float = LEVEL,
) -> Evidence:
    """Judge that `slower` takes at least `least` times as long as `faster`, by the geometric mean of paired ratios.

    None is a run that had not arrived at the cap: the cap stands in for it, as a bound. With such a run of `slower`
    every ratio is at least what is found, so nothing can be refuted, and only a least ratio above `least` confirms, for
    the spread is not known; with one of `faster` it is the other way round.
    """
    pairs = list(zip(slower, faster, strict=True))
    times = np.array([[cap if time is None else time for time in pair] for pair in pairs], float)
    if (times <= 0).any() or (times > cap).any():
        raise ValueError(f"Times must lie above 0 and not above the cap, {cap}. Received: {pairs}")
    mean, half = interval(np.log(times[:, 0] / times[:, 1]), level)
    lower, upper = np.exp(mean - half), np.exp(mean + half)
    # A bound on the times is a bound on the ratio on one side only, and the interval's width is then none.
    ratios, known = times[:, 0] / times[:, 1], not any(None in pair for pair in pairs)
    confirmed = lower > least and None not in faster and (known or ratios.min() > least)
    refuted = upper < refuted_below and None not in slower and (known or ratios.max() < refuted_below)
    censored = sum(None in pair for pair in pairs)
    return Evidence(
        _verdict(confirmed, refuted), len(pairs), float(np.exp(mean)), lower, upper, least, censored=censored
    )


def _verdict(confirmed: bool, refuted: bool) -> Verdict:
    return CONFIRMED if confirmed else REFUTED if refuted else INCONCLUSIVE


TRUE_SHARE = 0.95  # at which the power of a share is told


def proportion(holds: Any, least: float, level: float = LEVEL) -> Evidence:
    """Judge that a claim about single runs holds in a share of at least `least` of them.

    [L, U] is Wilson's interval of the share: confirmed if L > 1/2 and the share is at least `least`, refuted if
    U < `least`. The power is the probability of confirming it where the true share is 95 %.
    """
    holds = np.asarray(holds, bool)
    n, count = len(holds), int(holds.sum())
    lower, upper = _wilson(count, n, level)
    enough = [k for k in range(n + 1) if k / n >= least and _wilson(k, n, level)[0] > 0.5]
    verdict = _verdict(count in enough, upper < least)
    p = float(stats.binomtest(count, n, alternative="greater").pvalue)
    power = float(sum(stats.binom.pmf(enough, n, TRUE_SHARE)))
    return Evidence(verdict, n, count / n, lower, upper, least, p, power=power)


def _wilson(count: int, n: int, level: float) -> tuple[float, float]:
    found = stats.binomtest(count, n).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


RULES: dict[Rule, Callable[..., Evidence]] = {
    Rule.DIFFERENCE: paired,
    Rule.EQUIVALENCE: equivalent,
    Rule.NOT_WORSE: not_worse,
    Rule.SHARE: proportion,
}


def decide(claim: Claim, values: Any, unit: str = "") -> Judgement:
    """Judge a claim by its own rule, margin and level; a pair that is not finite is of a run that diverged."""
    values = np.asarray(values, float)
    if lost := int(np.sum(~np.isfinite(values))):
        return Judgement(claim, INCONCLUSIVE, f"in {lost} of {len(values)} pairs a run diverged")
    return by_evidence(claim, RULES[claim.rule](values, claim.margin, claim.level), unit)


def never(claim: Claim, cases: Any) -> Judgement:
    """Judge a claim that one case above 0 refutes; where a run diverged, its absence is not known."""
    contrary, lost = int(np.sum(np.asarray(cases) > 0)), int(np.isnan(cases).sum())
    told = f"{contrary} contrary" + (f", {lost} lost to runs that diverged" if lost else "")
    return Judgement(claim, REFUTED if contrary else INCONCLUSIVE if lost else CONFIRMED, told)


def times(ratios: Any, limit: float) -> Evidence:
    """Judge that a time is at most `limit` times another, by the geometric mean of the ratios over processes."""
    logarithms = np.log(np.asarray(ratios, float))
    mean, half = interval(logarithms)
    lower, upper = float(np.exp(mean - half)), float(np.exp(mean + half))
    return Evidence(_verdict(upper <= limit, lower > limit), len(logarithms), float(np.exp(mean)), lower, upper, limit)


def together(claim: Claim, found: dict[str, Evidence]) -> Judgement:
    """Judge a claim about several quantities: confirmed if all are, refuted if one is."""
    of_all = [evidence.verdict for evidence in found.values()]
    met = of_all.count(CONFIRMED)
    fewest = min(evidence.n for evidence in found.values())
    told = f"{met} of {len(found)}, n = {fewest}"
    return Judgement(claim, _verdict(met == len(found), REFUTED in of_all), told)
