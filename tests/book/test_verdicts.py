"""Are the intervals that the pages print those of the textbooks?"""

import numpy as np
import pytest
from scipy import stats

from reruns import claims, verdicts
from reruns.claims import Claim, Rule, Verdict

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE


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
        (0.0, 0.0, CONFIRMED),
        (0.0, 1.5, CONFIRMED),  # the mean is above the margin, though the lower bound is not
        (0.0, 1.6, INCONCLUSIVE),  # above 0, but too little in the mean
        (0.0, 2.4, Verdict.TOO_SMALL),  # above 0, and certainly too little
        (-1.0, 2.4, Verdict.TOO_SMALL),  # perhaps nothing, and certainly too little
        (-1.0, 0.0, INCONCLUSIVE),
        (-3.0, 0.0, REFUTED),
    ],
)
def test_paired_differences_are_judged_by_the_rule(shift, margin, word):
    verdict = verdicts.paired(np.array(SLEEP) + shift, margin)
    assert verdict.verdict is word
    assert (verdict.n, verdict.mean) == (10, pytest.approx(1.58 + shift))
    assert (verdict.lower, verdict.upper) == pytest.approx((0.867 + shift, 2.293 + shift), abs=1e-3)


@pytest.mark.parametrize(
    ("shift", "margin", "word"),
    [(-1.58, 0.8, CONFIRMED), (-1.58, 0.7, INCONCLUSIVE), (0.0, 0.8, REFUTED), (-3.16, 0.8, REFUTED)],
)
def test_equivalence_needs_the_whole_interval_inside_the_margin(shift, margin, word):
    assert verdicts.equivalent(np.array(SLEEP) + shift, margin).verdict is word


@pytest.mark.parametrize(
    ("shift", "word"), [(-1.58, CONFIRMED), (-2.0, INCONCLUSIVE), (-4.0, REFUTED), (5.0, CONFIRMED)]
)
def test_not_worse_asks_about_the_lower_side_only(shift, word):
    assert verdicts.not_worse(np.array(SLEEP) + shift, 0.8).verdict is word


def test_a_ratio_is_the_geometric_mean_of_the_pairs():
    # ln 2 and ln 8: mean ln 4, s = ln 4 / sqrt(2), and t(1 degree, 5 % above) = 6.314 by the tables.
    verdict = verdicts.ratio([20, 40], [10, 5], cap=100, least=2, refuted_below=1.5)
    assert verdict.mean == pytest.approx(4)
    assert verdict.lower == pytest.approx(4 ** (1 - 6.314 / 2), rel=1e-3)
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.p == pytest.approx(stats.ttest_1samp([np.log(2), np.log(8)], 0, alternative="greater").pvalue)
    assert verdicts.ratio([20, 21], [5, 5], cap=100, least=2, refuted_below=1.5).verdict is CONFIRMED
    assert verdicts.ratio([20, 21], [20, 20], cap=100, least=2, refuted_below=1.5).verdict is REFUTED


def test_a_run_that_never_arrived_is_a_bound_on_one_side():
    stayed = verdicts.ratio([None, None, None], [10, 11, 10], cap=40, least=2, refuted_below=1.5)
    assert (stayed.verdict, stayed.censored) == (CONFIRMED, 3)
    # The same numbers with the cap too low to tell: at least 1.1 times, so neither two times nor less than 1.5 times.
    early = verdicts.ratio([None, None, None], [10, 9, 10], cap=11, least=2, refuted_below=1.5)
    assert early.verdict is INCONCLUSIVE
    # The interval of the caps says nothing of the runs' own spread: each ratio must be above the least.
    uneven = verdicts.ratio([None] * 5, [10, 10, 10, 10, 21], cap=40, least=2, refuted_below=1.5)
    assert (uneven.lower > 2, uneven.verdict) == (True, INCONCLUSIVE)
    fast = verdicts.ratio([30, 31, 30], [None, None, None], cap=40, least=2, refuted_below=1.5)
    assert fast.verdict is REFUTED
    never = verdicts.ratio([None, None], [None, None], cap=40, least=0.5, refuted_below=1.5)
    assert never.verdict is INCONCLUSIVE


@pytest.mark.parametrize("times", [[0.0, 1.0], [-1.0, 1.0], [1.0, 41.0]])
def test_times_beyond_the_cap_are_refused(times):
    with pytest.raises(ValueError, match="not above the cap.*Received"):
        verdicts.ratio(times, [1.0, 1.0], cap=40, least=2, refuted_below=1.5)


def test_a_p_is_the_textbooks_and_holms_adjustment_too():
    # Student's data again: t = 1.58 / (1.23 / sqrt(10)) = 4.062 with 9 degrees, one-sided p = 0.00142.
    assert verdicts.paired(SLEEP).p == pytest.approx(0.00142, abs=1e-5)
    # By hand: 0.01 * 4, 0.02 * 3, then 0.03 * 2 and 0.04 * 1, which may not fall below those before.
    assert verdicts.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert verdicts.holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [(5, CONFIRMED), (4, INCONCLUSIVE), (3, INCONCLUSIVE), (2, REFUTED), (0, REFUTED)],
)
def test_a_share_of_five_seeds_has_an_interval(holds, verdict):
    # Wilson's 90 % interval by its formula, with z = 1.6449: 5 of 5 is [0.649, 1], 2 of 5 is [0.151, 0.714].
    found = verdicts.proportion([True] * holds + [False] * (5 - holds), 0.8)
    z, n, p = 1.6448536, 5, holds / 5
    centre, half = (p + z * z / (2 * n)), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (found.lower, found.upper) == pytest.approx(
        ((centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)), abs=1e-6
    )
    assert found.verdict is verdict


def test_times_over_processes_are_judged_by_the_geometric_mean():
    # As above: the interval of ln 2 and ln 8 with t = 6.314 contains 0.
    found = verdicts.times([2, 8], 1.0)
    assert (found.mean, found.verdict) == (pytest.approx(4), INCONCLUSIVE)
    assert [verdicts.times([r, r, r], 1.1).verdict for r in (1.0, 1.2)] == [CONFIRMED, REFUTED]


def test_a_claim_about_several_quantities_needs_all_of_them():
    claim = Claim("X-1", "it is fast", "all", "ours")

    def word(*ratios):
        return verdicts.together(claim, {str(n): verdicts.Limit(r, 1.0) for n, r in enumerate(ratios)}).verdict

    assert word([0.5, 0.5], [0.6, 0.6]) is CONFIRMED
    assert word([0.5, 0.5], [1.6, 1.6]) is REFUTED
    assert word([0.5, 0.5], [0.5, 2.0]) is INCONCLUSIVE


# How often the textbook's interval, of samples drawn here, says what the rule wants: no code of ours takes part.
SAMPLES = np.random.default_rng(1908).normal(size=(40_000, 5))


def textbook(samples, level=0.9):
    test = stats.ttest_1samp(samples, 0, axis=1)
    found = test.confidence_interval(level)
    return found.low, found.high


@pytest.mark.parametrize(("times", "level"), [(2, 0.9), (1, 0.9), (2, 0.95), (0.5, 0.9)])
def test_the_power_of_paired_differences_is_how_often_samples_confirm(times, level):
    samples, margin = SAMPLES + times, 1.0
    confirmed = (textbook(samples, level)[0] > 0) & (samples.mean(axis=1) >= margin)
    assert verdicts.power_of_paired(times * margin, 1.0, 5, margin, level) == pytest.approx(confirmed.mean(), abs=0.01)


def test_the_power_that_is_printed_is_that_of_twice_the_margin_at_the_observed_spread():
    # By the audit that asked for it: a true effect of twice the margin is confirmed in 97 % of cases, of five pairs
    # with a spread of the margin's size.
    differences = np.array([1, 2, 3, 4, 5.0]) / np.std([1, 2, 3, 4, 5], ddof=1)
    assert verdicts.paired(differences, 1.0).power == pytest.approx(0.97, abs=0.01)
    assert verdicts.paired(differences).power is None


def test_the_power_of_an_equivalence_is_how_often_no_difference_is_confirmed():
    spread = np.std([1, 2, 3, 4, 5], ddof=1)
    differences = (np.array([1, 2, 3, 4, 5.0]) - 3) / spread
    for margin in (0.8, 1.2, 2.0):
        low, high = textbook(SAMPLES)
        inside = ((low > -margin) & (high < margin)).mean()
        assert verdicts.equivalent(differences, margin).power == pytest.approx(inside, abs=0.01)
        assert verdicts.not_worse(differences, margin).power == pytest.approx((low > -margin).mean(), abs=0.01)


def test_the_power_of_a_share_is_that_of_the_counts_that_confirm():
    # Of five seeds only all five do (Wilson's bound of four is 0.43): 0.95 to the fifth.
    assert verdicts.proportion([True] * 5, 0.8).power == pytest.approx(0.95**5)


def test_a_p_is_that_of_the_hypothesis_that_the_rule_would_reject():
    two_one_sided = [
        stats.ttest_1samp(SLEEP, bound, alternative=side).pvalue for bound, side in ((-2.4, "greater"), (2.4, "less"))
    ]
    assert verdicts.equivalent(SLEEP, 2.4).p == pytest.approx(max(two_one_sided))
    assert verdicts.not_worse(SLEEP, 0.1).p == pytest.approx(
        stats.ttest_1samp(SLEEP, -0.1, alternative="greater").pvalue
    )


def test_without_a_margin_the_effect_is_told_that_is_found_four_times_in_five():
    differences = np.array([1, 2, 3, 4, 5.0]) / np.std([1, 2, 3, 4, 5], ddof=1)
    found = verdicts.paired(differences)
    assert (textbook(SAMPLES + found.detected)[0] > 0).mean() == pytest.approx(0.8, abs=0.01)
    assert found.sensitivity == f"80% at {found.detected:.2g}"
    assert verdicts.paired(differences, 1.0).sensitivity == "97%"


def test_a_lost_measurement_decides_nothing():
    assert verdicts.times([1.0, None, 0.5], 2.0).verdict is INCONCLUSIVE
    assert verdicts.at_most([1.0, np.nan], 2.0).verdict is INCONCLUSIVE


def test_three_looks_share_the_errors_of_one():
    level = claims.level((5, 10, 20))
    assert level == pytest.approx(1 - 0.1 / 3)
    assert claims.level((5,)) == pytest.approx(0.9)
    draws = np.random.default_rng(7).normal(size=(20_000, 20))
    above = [textbook(draws[:, :n], level)[0] > 0 for n in (5, 10, 20)]
    assert np.any(above, axis=0).mean() < 0.05
    wider, usual = verdicts.paired(SLEEP, level=level), verdicts.paired(SLEEP)
    assert (wider.lower, wider.upper) == pytest.approx(stats.ttest_1samp(SLEEP, 0).confidence_interval(level))
    assert wider.lower < usual.lower


@pytest.mark.parametrize(
    ("rule", "margin", "values", "word"),
    [
        (Rule.DIFFERENCE, 1.6, SLEEP, INCONCLUSIVE),
        (Rule.EQUIVALENCE, 2.4, SLEEP, CONFIRMED),
        (Rule.NOT_WORSE, 0.1, SLEEP, CONFIRMED),
        (Rule.SHARE, 0.8, [True] * 5, CONFIRMED),
        (Rule.DIFFERENCE, 0.0, [1.0, np.nan, 2.0], INCONCLUSIVE),
    ],
)
def test_a_claim_is_decided_by_its_own_rule_and_margin(rule, margin, values, word):
    claim = Claim("X-1", "it is so", "if it is", "ours", rule, margin)
    found = verdicts.decide(claim, values)
    assert found.verdict is word
    assert found.evidence is None or found.evidence.margin == margin


def test_of_several_columns_the_furthest_from_zero_on_either_side_decides_and_a_lost_one_before_it():
    columns = np.array([[1.0, -4.0, 2.0, 0.0], [2.0, -2.0, 3.0, 5.0]])  # means 1.5, -3, 2.5 and 2.5
    np.testing.assert_array_equal(verdicts.furthest(columns), [-4, -2])
    np.testing.assert_array_equal(verdicts.furthest(-columns), [4, 2])
    columns[1, 2] = np.nan
    np.testing.assert_array_equal(verdicts.furthest(columns), [2, np.nan])


def test_of_a_run_nothing_is_known_if_one_of_its_numbers_is_lost():
    layers = np.array([[1.0, 2.0], [np.nan, 2.0], [1.0, np.inf], [3.0, 4.0]])
    np.testing.assert_array_equal(verdicts.known((layers < 3).mean(axis=1), layers), [1, np.nan, np.nan, 0])
    np.testing.assert_array_equal(verdicts.known(layers[:, 0] < 2, layers[:, 0]), [True, np.nan, True, False])


@pytest.mark.parametrize(
    ("least", "most", "word"),
    [
        ([1.0, 1.1, 0.9], [3.0, 3.1, 2.9], Verdict.CONFIRMED),
        ([-3.0, -3.1, -2.9], [2.0, 2.1, 1.9], Verdict.INCONCLUSIVE),
        ([-3.0, -3.1, -2.9], [0.2, 0.3, 0.1], Verdict.TOO_SMALL),
        ([-3.0, -3.1, -2.9], [-1.0, -1.1, -0.9], Verdict.REFUTED),
        ([1.0, 1.1, np.nan], [3.0, 3.1, np.nan], Verdict.INCONCLUSIVE),
    ],
)
def test_bounds_decide_only_where_the_truth_between_them_cannot_matter(least, most, word):
    claim = claims.Claim("B", "", "", "", margin=0.5)
    assert verdicts.bounded(claim, least, most).verdict is word


def test_the_interval_of_folds_is_that_of_nadeau_and_bengio():
    values = np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    widened = verdicts.of_folds(values, 1200, 4200)
    mean, half = verdicts.interval(widened)
    assert mean == pytest.approx(3.0)
    variance = (1 / 5 + 1200 / 4200) * values.var(ddof=1)
    assert half == pytest.approx(stats.t.ppf(0.95, 4) * np.sqrt(variance))
    assert np.isnan(verdicts.of_folds([1.0, np.nan], 1, 2)).tolist() == [False, True]
