"""What the chapter on ELU in a convnet claims, and how the recorded trials decide it."""

import itertools

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Judgement, Verdict
from reruns.results import Results

# In percent, as means of ten runs on CIFAR-100: section 4.2, and figure 5, read off, with batch normalization.
PUBLISHED_ERRORS = {
    **{"ELU": 28.75, "SReLU": 29.35, "LReLU": 30.59, "ReLU": 31.56},
    **{"ELU, BN": 29.25, "ReLU, BN": 29.85},
}
ORDER = ("ELU", "SReLU", "LReLU", "ReLU")  # from the least error to the largest
PUBLISHED_LOSSES = {"ELU": 0.35, "SReLU": 0.39, "LReLU": 0.49, "ReLU": 0.53}  # figure 4c, read off

# Fixed before the recorded runs.
LEAST_GAIN = 1.0  # points
# One of the six pairs in the wrong order leaves 2/3. A mean of exactly that is to count, whatever its last digit.
LEAST_TAU = 0.666
LEAST_SHARE = 0.8  # of layers

PAPER = "Clevert, Unterthiner and Hochreiter 2016"
SMALLER = "CIFAR-10 instead of CIFAR-100, a quarter of the filters, 5,000 images as they are, a hundredth of the steps"
BETTER = Claim(
    "E-5",
    "ELU has a lower test error than ReLU",
    f"difference of the test errors, L > 0 and mean ≥ {LEAST_GAIN:g} point",
    f"{PAPER}, section 4.2",
    margin=LEAST_GAIN,
    unlike=SMALLER,
    published="31.56 against 28.75 %",
    predicted=Verdict.CONFIRMED,
)
ORDERED = Claim(
    "E-5, order",
    "the test errors grow from ELU over SReLU and LReLU to ReLU",
    "Kendall's tau of a seed's four errors and that order, L > 0 and mean ≥ 2/3, which is one pair of six swapped",
    f"{PAPER}, section 4.2",
    margin=LEAST_TAU,
    unlike=SMALLER,
    published="28.75, 29.35, 30.59 and 31.56 %",
    predicted=Verdict.INCONCLUSIVE,
)
INTERACTION = Claim(
    "E-6",
    "batch normalization lowers ReLU's test error by more than ELU's",
    "ReLU's gain by it less ELU's, L > 0",
    f"{PAPER}, section 4.2 and figure 5",
    unlike=SMALLER,
    published="a gain of 1.7 points against a loss of 0.5",
    predicted=Verdict.CONFIRMED,
)
WANDERS = Claim(
    "E-7",
    "while it is trained, the medians of the activations vary more with ReLU than with ELU",
    f"share of the layers whose variance is larger, minus {LEAST_SHARE:g}, L > 0",
    f"{PAPER}, appendix C",
    unlike=SMALLER,
    published="larger with ReLU",
    predicted=Verdict.INCONCLUSIVE,
)
CLAIMS = (BETTER, ORDERED, INTERACTION, WANDERS)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    error = {unit: results.of("test_error", unit=unit) for unit in PUBLISHED_ERRORS}
    return [
        verdicts.decide(BETTER, error["ReLU"] - error["ELU"], "points"),
        verdicts.decide(ORDERED, taus([error[unit] for unit in ORDER])),
        verdicts.decide(INTERACTION, gain(results, "ReLU") - gain(results, "ELU"), "points"),
        verdicts.decide(WANDERS, wandering(results) - LEAST_SHARE),
    ]


def taus(errors: list[np.ndarray]) -> np.ndarray:
    """Return Kendall's tau of each seed: the share of the pairs of units that are in order less that of the others.

    A pair of equal errors is neither; NaN where a run diverged.
    """
    return np.mean([np.sign(later - earlier) for earlier, later in itertools.combinations(errors, 2)], axis=0)


def gain(results: Results, unit: str) -> np.ndarray:
    """Return by how much batch normalization lowers the test error of each seed."""
    return results.of("test_error", unit=unit) - results.of("test_error", unit=f"{unit}, BN")


def wandering(results: Results) -> np.ndarray:
    """Return each seed's share of the layers in which ReLU's medians vary more than ELU's, NaN where a run diverged."""
    relu, elu = (results.of("median_variances", unit=unit) for unit in ("ReLU", "ELU"))
    return verdicts.known((relu > elu).mean(axis=1), relu + elu)
