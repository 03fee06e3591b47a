"""How the pages judge: intervals over seeds, and the words for what they show."""

from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.90


def interval(values: Any) -> tuple[float, float]:
    """Return the mean and the half-width of its two-sided 90 % interval by Student's t."""
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"An interval needs a row of at least two values. Received: shape {values.shape}")
    quantile = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return float(values.mean()), float(quantile * values.std(ddof=1) / np.sqrt(len(values)))


def exact(holds: bool) -> str:
    """Return the verdict on a claim that either holds to rounding or does not."""
    return "confirmed" if holds else "**refuted**"
