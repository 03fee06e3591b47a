"""How the pages judge: intervals over seeds, and rules that are fixed before the runs.

Runs are paired: one seed gives the same order of the data and, where shapes allow, the same initial weights. Let m be
the mean of the paired differences in the claimed direction, [L, U] its two-sided 90 % interval by Student's t, and M
the least difference that would matter. A claim is confirmed if L > 0 and m >= M, refuted if U < 0, its effect is too
small if 0 <= U < M, and otherwise nothing is known. A plan that allows several looks divides the 10 % by their number.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

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

    The power is the probability of confirming a true difference of twice the margin; without a margin the difference
    is told that would be confirmed four times in five.
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
    p = p_above(differences)
    if margin:
        power = power_of_paired(2 * margin, deviation, n, margin, level)
        return Evidence(verdict, n, mean, lower, upper, margin, p, power=power)
    return Evidence(verdict, n, mean, lower, upper, margin, p, detected=detected(deviation, n, level))


def power_of_paired(effect: float, deviation: float, n: int, margin: float, level: float = LEVEL) -> float:
    """Return how often `paired` confirms a true difference of normal pairs with this standard deviation."""
    error = deviation / np.sqrt(n)
    if not error:
        return float(effect >= margin and effect > 0)
    least = np.maximum(margin, _half_width(_deviations(deviation, n), n, level))
    return float(stats.norm.sf((least - effect) / error).mean())


OFTEN = 0.8


def detected(deviation: float, n: int, level: float = LEVEL) -> float:
    """Return the true difference that `paired` confirms, without a margin, four times in five."""
    if not deviation:
        return 0.0
    most = 20.0 * deviation
    return float(optimize.brentq(lambda d: power_of_paired(d, deviation, n, 0.0, level) - OFTEN, 0.0, most))


def _deviations(deviation: float, n: int) -> np.ndarray:
    """Return what standard deviation a sample of n finds, at evenly spaced probabilities."""
    return deviation * np.sqrt(stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, n - 1) / (n - 1))


def p_above(differences: Any, least: float = 0.0) -> float:
    """Return the one-sided probability of so large a mean, by Student's t, if the true one were this least."""
    differences = np.asarray(differences, float) - least
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
    p = max(p_above(differences, -margin), p_above(-np.asarray(differences, float), -margin))
    return Evidence(_verdict(inside, outside), n, mean, lower, upper, margin, p, power=power)


def not_worse(differences: Any, margin: float, level: float = LEVEL) -> Evidence:
    """Judge that the paired differences are, in the mean, above minus the margin.

    The power is the probability of confirming it where there is no difference.
    """
    mean, half = interval(differences, level)
    lower, upper = mean - half, mean + half
    n, deviation = len(differences), np.std(differences, ddof=1)
    power, p = power_of_paired(margin, deviation, n, 0.0, level), p_above(differences, -margin)
    return Evidence(_verdict(lower > -margin, upper < -margin), n, mean, lower, upper, margin, p, power=power)


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
    p = p_above(np.log(ratios)) if known else None
    return Evidence(
        _verdict(confirmed, refuted), len(pairs), float(np.exp(mean)), lower, upper, least, p, censored=censored
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


def bounded(claim: Claim, least: Any, most: Any, unit: str = "") -> Judgement:
    """Judge a claim about differences of which only bounds are known: by the one that makes it harder to decide.

    It is confirmed if the lower bounds confirm it, refuted, or too small, if the upper ones do, and otherwise open.
    """
    low, high = decide(claim, least, unit), decide(claim, most, unit)
    if low.verdict is CONFIRMED or high.verdict in (REFUTED, Verdict.TOO_SMALL):
        return low if low.verdict is CONFIRMED else high
    return Judgement(claim, INCONCLUSIVE, f"at least {low.found}; at most {high.found}")


def of_folds(values: Any, tested: int, trained: int) -> np.ndarray:
    """Return the values of folds, spread as far about their mean as their interval must be wider.

    The trainings of two folds share most of their cases. Nadeau and Bengio 2003 put 1/n + tested/trained in the place
    of 1/n in the variance of the mean.
    """
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        return values
    return values.mean() + (values - values.mean()) * np.sqrt(1 + len(values) * tested / trained)


def known(found: Any, of: np.ndarray) -> np.ndarray:
    """Return what was found of each run by these numbers of it, a row a run, and NaN where one of them is lost.

    Compared with anything, a lost number is neither less nor more, and would count as such.
    """
    there = np.isfinite(of).reshape(len(of), -1).all(axis=1)
    return np.where(there, found, np.nan)


def furthest(columns: np.ndarray) -> np.ndarray:
    """Return the column by which a claim about each stands or falls: furthest from 0 in its mean, or lost."""
    # NaN, the mean of what is lost, counts as the largest.
    return columns[:, np.argmax(np.abs(columns.mean(axis=0)))]


def never(claim: Claim, cases: Any) -> Judgement:
    """Judge a claim that one case above 0 refutes; where a run diverged, its absence is not known."""
    contrary, lost = int(np.sum(np.asarray(cases) > 0)), int(np.isnan(cases).sum())
    told = f"{contrary} contrary" + (f", {lost} lost to runs that diverged" if lost else "")
    return Judgement(claim, REFUTED if contrary else INCONCLUSIVE if lost else CONFIRMED, told)


def times(ratios: Any, limit: float, level: float = LEVEL) -> Evidence:
    """Judge that a time is at most `limit` times another, by the geometric mean of the ratios over processes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = at_most(np.log(np.asarray(ratios, float)), float(np.log(limit)), level)
    return found._replace(
        mean=float(np.exp(found.mean)), lower=float(np.exp(found.lower)), upper=float(np.exp(found.upper)), margin=limit
    )


def at_most(values: Any, limit: float, level: float = LEVEL) -> Evidence:
    """Judge that a quantity is at most `limit`, by its mean over processes; of a lost one nothing is known."""
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        return Evidence(INCONCLUSIVE, len(values), np.nan, np.nan, np.nan, limit)
    mean, half = interval(values, level)
    lower, upper = mean - half, mean + half
    return Evidence(_verdict(upper <= limit, lower > limit), len(values), mean, lower, upper, limit)


class Limit(NamedTuple):
    """What was measured of one thing in each process, the most that it may be, and how it is judged."""

    values: Any
    most: float
    rule: Callable[..., Evidence] = times

    def evidence(self, level: float = LEVEL) -> Evidence:
        return self.rule(self.values, self.most, level)


def together(claim: Claim, limits: dict[str, Limit]) -> Judgement:
    """Judge a claim about several limits: confirmed if each is kept, refuted if one certainly is not.

    That one of many is broken by chance is likelier than that this one is, so the errors are divided by their number.
    """
    found = [limit.evidence(claim.level) for limit in limits.values()]
    strictly = 1 - (1 - claim.level) / len(limits)
    broken = [what for what, limit in limits.items() if limit.evidence(strictly).verdict is REFUTED]
    met = [evidence.verdict for evidence in found].count(CONFIRMED)
    told = f"{met} of {len(limits)} limits kept, {len(broken)} broken, n = {min(evidence.n for evidence in found)}"
    return Judgement(claim, _verdict(met == len(limits), bool(broken)), told)
