"""Are the intervals that the pages print those of the textbooks?"""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import stats

pytestmark = pytest.mark.tensorflow_only

if keras.backend.backend() == "tensorflow":
    sys.path.insert(0, str(Path(__file__).parents[1] / "book"))
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


def test_an_exact_claim_holds_or_is_refuted():
    assert (verdicts.exact(True), verdicts.exact(False)) == ("confirmed", "**refuted**")
