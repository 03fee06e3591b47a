"""Are the intervals that the pages print those of the textbooks?"""

import numpy as np
import pytest
from scipy import stats

from reruns import verdicts


def test_an_interval_is_students():
    # Student's own sleep data (1908): the differences of ten patients, mean 1.58.
    differences = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    mean, half = verdicts.interval(differences)
    assert mean == pytest.approx(1.58)
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.90)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_an_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(1908).normal(size=(4000, 5))
    covered = np.mean([abs(mean) <= half for mean, half in map(verdicts.interval, draws)])
    assert abs(covered - verdicts.LEVEL) < 4 * np.sqrt(0.9 * 0.1 / 4000)


@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0]]])
def test_too_few_values_are_refused(values):
    with pytest.raises(ValueError, match="at least two values.*Received"):
        verdicts.interval(values)


def test_a_run_that_diverged_is_refused_rather_than_averaged():
    with pytest.raises(ValueError, match="finite values.*Received"):
        verdicts.interval([1.0, np.nan])


# Student's sleep data again. From tables: s = 1.2300, t(9 degrees, 5 % above) = 1.833, so half the interval is 0.713.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


@pytest.mark.parametrize(
    ("shift", "margin", "word"),
    [
        (0.0, 0.0, "confirmed"),
        (0.0, 1.5, "confirmed"),  # the mean is above the margin, though the lower bound is not
        (0.0, 1.6, "inconclusive"),  # above 0, but too little in the mean
        (0.0, 2.4, "**refuted**"),  # above 0, and certainly too little
        (-1.0, 0.0, "inconclusive"),
        (-3.0, 0.0, "**refuted**"),
    ],
)
def test_paired_differences_are_judged_by_the_rule(shift, margin, word):
    verdict = verdicts.paired(np.array(SLEEP) + shift, margin)
    assert verdict.word == word
    assert (verdict.n, verdict.mean) == (10, pytest.approx(1.58 + shift))
    assert (verdict.lower, verdict.upper) == pytest.approx((0.867 + shift, 2.293 + shift), abs=1e-3)


@pytest.mark.parametrize(
    ("shift", "margin", "word"),
    [(-1.58, 0.8, "confirmed"), (-1.58, 0.7, "inconclusive"), (0.0, 0.8, "**refuted**"), (-3.16, 0.8, "**refuted**")],
)
def test_equivalence_needs_the_whole_interval_inside_the_margin(shift, margin, word):
    assert verdicts.equivalent(np.array(SLEEP) + shift, margin).word == word


@pytest.mark.parametrize(
    ("shift", "word"), [(-1.58, "confirmed"), (-2.0, "inconclusive"), (-4.0, "**refuted**"), (5.0, "confirmed")]
)
def test_not_worse_asks_about_the_lower_side_only(shift, word):
    assert verdicts.not_worse(np.array(SLEEP) + shift, 0.8).word == word


def test_a_ratio_is_the_geometric_mean_of_the_pairs():
    # ln 2 and ln 8: mean ln 4, s = ln 4 / sqrt(2), and t(1 degree, 5 % above) = 6.314 by the tables.
    verdict = verdicts.ratio([20, 40], [10, 5], cap=100, least=2, refuted_below=1.5)
    assert verdict.mean == pytest.approx(4)
    assert verdict.lower == pytest.approx(4 ** (1 - 6.314 / 2), rel=1e-3)
    assert verdict.word == "inconclusive"
    assert verdicts.ratio([20, 21], [5, 5], cap=100, least=2, refuted_below=1.5).word == "confirmed"
    assert verdicts.ratio([20, 21], [20, 20], cap=100, least=2, refuted_below=1.5).word == "**refuted**"


def test_a_run_that_never_arrived_is_a_bound_on_one_side():
    stayed = verdicts.ratio([None, None, None], [10, 11, 10], cap=40, least=2, refuted_below=1.5)
    assert (stayed.word, stayed.censored) == ("confirmed", 3)
    # The same numbers with the cap too low to tell: at least 1.1 times, so neither two times nor less than 1.5 times.
    early = verdicts.ratio([None, None, None], [10, 9, 10], cap=11, least=2, refuted_below=1.5)
    assert early.word == "inconclusive"
    # The interval of the caps says nothing of the runs' own spread: each ratio must be above the least.
    uneven = verdicts.ratio([None] * 5, [10, 10, 10, 10, 21], cap=40, least=2, refuted_below=1.5)
    assert (uneven.lower > 2, uneven.word) == (True, "inconclusive")
    fast = verdicts.ratio([30, 31, 30], [None, None, None], cap=40, least=2, refuted_below=1.5)
    assert fast.word == "**refuted**"
    never = verdicts.ratio([None, None], [None, None], cap=40, least=0.5, refuted_below=1.5)
    assert never.word == "inconclusive"


@pytest.mark.parametrize("times", [[0.0, 1.0], [-1.0, 1.0], [1.0, 41.0]])
def test_times_beyond_the_cap_are_refused(times):
    with pytest.raises(ValueError, match="not above the cap.*Received"):
        verdicts.ratio(times, [1.0, 1.0], cap=40, least=2, refuted_below=1.5)


def test_an_exact_claim_holds_or_is_refuted():
    assert (verdicts.exact(True), verdicts.exact(False)) == ("confirmed", "**refuted**")
