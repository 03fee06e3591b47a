"""How the pages judge: intervals over seeds, and rules that are fixed before the runs.

Runs are paired: one seed gives the same order of the data and, where shapes allow, the same initial weights. Let m be
the mean of the paired differences in the claimed direction, [L, U] its two-sided 90 % interval by Student's t, and M
the least difference that would matter. A claim is confirmed if L > 0 and m >= M, refuted if U < 0, its effect is too
small if 0 <= U < M, and otherwise nothing is known.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from reruns.claims import Claim, Evidence, Judgement, Verdict, by_evidence

LEVEL = 0.90
CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE


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


def paired(differences: Any, margin: float = 0.0) -> Evidence:
    """Judge that the paired differences are above 0 and, in the mean, no less than the margin."""
    mean, half = interval(differences)
    lower, upper = mean - half, mean + half
    if lower > 0 and mean >= margin:
        verdict = CONFIRMED
    elif upper < margin:
        verdict = REFUTED if upper < 0 else Verdict.TOO_SMALL
    else:
        verdict = INCONCLUSIVE
    return Evidence(verdict, len(differences), mean, lower, upper, margin, p_of_no_effect(differences))


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


def equivalent(differences: Any, margin: float) -> Evidence:
    """Judge that the paired differences are, in the mean, between minus the margin and the margin."""
    mean, half = interval(differences)
    lower, upper = mean - half, mean + half
    inside, outside = -margin < lower and upper < margin, upper < -margin or margin < lower
    return Evidence(_verdict(inside, outside), len(differences), mean, lower, upper, margin)


def not_worse(differences: Any, margin: float) -> Evidence:
    """Judge that the paired differences are, in the mean, above minus the margin."""
    mean, half = interval(differences)
    lower, upper = mean - half, mean + half
    return Evidence(_verdict(lower > -margin, upper < -margin), len(differences), mean, lower, upper, margin)


def ratio(
    slower: Sequence[float | None], faster: Sequence[float | None], cap: float, least: float, refuted_below: float
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
    mean, half = interval(np.log(times[:, 0] / times[:, 1]))
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


def proportion(holds: Any, least: float) -> Evidence:
    """Judge that a claim about single runs holds in a share of at least `least` of them.

    [L, U] is Wilson's 90 % interval of the share: confirmed if L > 1/2 and the share is at least `least`, refuted if
    U < `least`.
    """
    holds = np.asarray(holds, bool)
    found = stats.binomtest(int(holds.sum()), len(holds)).proportion_ci(LEVEL, method="wilson")
    verdict = _verdict(found.low > 0.5 and holds.mean() >= least, found.high < least)
    p = float(stats.binomtest(int(holds.sum()), len(holds), alternative="greater").pvalue)
    return Evidence(verdict, len(holds), float(holds.mean()), float(found.low), float(found.high), least, p)


def unless_diverged(claim: Claim, differences: Any, margin: float = 0.0) -> Judgement:
    """Judge paired differences; where one is not finite a run diverged, and nothing is known."""
    differences = np.asarray(differences, float)
    diverged = int(np.sum(~np.isfinite(differences)))
    if diverged:
        return Judgement(claim, INCONCLUSIVE, f"in {diverged} of {len(differences)} pairs a run diverged")
    return by_evidence(claim, paired(differences, margin))


def never(claim: Claim, cases: Any) -> Judgement:
    """Judge a claim that one case above 0 refutes; where a run diverged, its absence is not known."""
    contrary, lost = int(np.sum(np.asarray(cases) > 0)), int(np.isnan(cases).sum())
    told = f"{contrary} contrary" + (f", {lost} lost to runs that diverged" if lost else "")
    return Judgement(claim, REFUTED if contrary else INCONCLUSIVE if lost else CONFIRMED, told)


def times(ratios: Any, limit: float) -> Evidence:
    """Judge that a time is at most `limit` times another, by the geometric mean of the ratios over processes.

    Of a single process there is no interval: its ratio alone decides, and n = 1 says so.
    """
    logarithms = np.log(np.asarray(ratios, float))
    mean, half = interval(logarithms) if len(logarithms) > 1 else (float(logarithms[0]), 0.0)
    lower, upper = float(np.exp(mean - half)), float(np.exp(mean + half))
    return Evidence(_verdict(upper <= limit, lower > limit), len(logarithms), float(np.exp(mean)), lower, upper, limit)


def together(claim: Claim, found: dict[str, Evidence]) -> Judgement:
    """Judge a claim about several quantities: confirmed if all are, refuted if one is."""
    of_all = [evidence.verdict for evidence in found.values()]
    met = of_all.count(CONFIRMED)
    fewest = min(evidence.n for evidence in found.values())
    told = f"{met} of {len(found)}, n = {fewest}"
    return Judgement(claim, _verdict(met == len(found), REFUTED in of_all), told)
