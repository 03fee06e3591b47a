"""What the chapter on CReLU claims, and how the recorded trials decide it."""

from typing import Any

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.results import Results

# Fixed before the recorded runs.
PAIRED, SEEDS_PAIRED, LEAST_EXCESS = -3.0, 0.8, 0.1
NOT_WORSE, BETTER = 0.3, 0.4  # points of error
MIRRORED = 0.8
EXACT, KEPT, LOST = 1e-6, 1e-4, 0.1  # relative errors

PAPER = "Shang, Sohn, Almeida and Lee 2016"
SMALLER = "a third and a quarter of the widths, 5,000 images without flips, fixed dropout"
FILTERS = "the paper's histograms are AlexNet's, of ImageNet"
CONFIRMED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.INCONCLUSIVE

IDENTITIES = Claim(
    "C-1",
    "CReLU keeps its input, its norm, and lengths through its Jacobian; a gradient gets no longer",
    f"x, norms and JᵀJ = I to {EXACT:g}; ‖Jᵀg‖ ≤ ‖g‖ always; equal to tf.nn.crelu",
    f"{PAPER}, definition 2.1",
    Rule.IDENTITY,
)
RECOVERED = Claim(
    "C-2",
    "what a layer's filters see of an input can be recovered from its CReLU code, not linearly from its ReLU code",
    f"relative error below {KEPT:g} by CReLU, above {LOST:g} by ReLU at the best scale",
    f"{PAPER}, proposition 2.1",
    Rule.IDENTITY,
)


def _claim(id: str, says: str, criterion: str, where: str, unlike: str = SMALLER, **others: Any) -> Claim:
    return Claim(id, says, criterion, f"{PAPER}, {where}", unlike=unlike, **others)


PAIR = _claim(
    "C-3",
    "the first layer's filters of a ReLU network pair up",
    f"z < {PAIRED:g} against random layers in a share of at least {SEEDS_PAIRED:g} of the seeds",
    "figure 2",
    FILTERS,
    rule=Rule.SHARE,
    margin=SEEDS_PAIRED,
    published="mean least cosine about -0.6 against -0.13",
    predicted=CONFIRMED,
)
PAIR_MUCH = _claim(
    "C-3, size",
    "their least cosines lie well below those of random filters",
    f"random less learned mean, L > 0 and mean ≥ {LEAST_EXCESS:g}",
    "figure 2",
    FILTERS,
    margin=LEAST_EXCESS,
    published="about 0.5 below",
    predicted=CONFIRMED,
)
FADES = _claim(
    "C-4, depth",
    "the pairing fades with depth",
    "excess over chance of convolution 3 less that of convolution 1, ReLU, L > 0",
    "figure 2",
    FILTERS,
    published="about 0.5 below chance in layer 1, 0.16 in layer 3",
    predicted=CONFIRMED,
)
VANISHES = _claim(
    "C-4, CReLU",
    "with CReLU in place of ReLU the first layer's filters hardly pair up",
    "half of ReLU's excess less that of CReLU with half the filters, in absolute value, L > 0",
    "figure 3",
    FILTERS,
    published="learned and random histograms coincide",
    predicted=CONFIRMED,
)
HALF = _claim(
    "C-5",
    "at equal neurons and half the weights CReLU is not worse than ReLU",
    f"difference of the test errors, L > -{NOT_WORSE:g} points",
    "table 1",
    rule=Rule.NOT_WORSE,
    margin=NOT_WORSE,
    published="10.20 against 9.44 %",
    predicted=INCONCLUSIVE,
)
HALF_BETTER = _claim(
    "C-5, better",
    "at equal neurons and half the weights CReLU is better than ReLU",
    "difference of the test errors, L > 0",
    "table 1",
    published="10.20 against 9.44 %",
    predicted=INCONCLUSIVE,
)
FULL = _claim(
    "C-6, ReLU",
    "at equal filters CReLU is better than ReLU",
    f"difference of the test errors, L > 0 and mean ≥ {BETTER:g} points",
    "table 1",
    margin=BETTER,
    published="10.20 against 9.39 %",
    predicted=CONFIRMED,
)
BEYOND_CAPACITY = _claim(
    "C-6, double",
    "it is better than ReLU with twice the filters, so than capacity explains",
    "difference of the test errors, L > 0",
    "table 1",
    published="9.87 against 9.39 %",
    predicted=INCONCLUSIVE,
)
OVERFITS = _claim(
    "C-7",
    "CReLU overfits less than ReLU at equal filters",
    "difference of test less training error, L > 0",
    "table 1",
    published="gaps of 8.08 against 4.20 points",
    predicted=INCONCLUSIVE,
)
MODULUS = _claim(
    "C-8",
    "keeping the modulus alone, by AVR, is worse than CReLU at equal neurons",
    "difference of the test errors, L > 0",
    "table 1",
    published="10.26 against 9.44 %",
    predicted=INCONCLUSIVE,
)
NO_MIRROR = _claim(
    "C-9, mirror",
    "the weights on a filter's two phases are no mirror images",
    f"{MIRRORED:g} less their mean absolute cosine in the layer where it is largest, L > 0",
    "table 6",
    published="correlations of 0.131 to 0.462",
    predicted=CONFIRMED,
)
RELATED = _claim(
    "C-9, related",
    "they are more alike than the weights on phases of two filters",
    "difference of the mean absolute cosines in the layer where it is least, L > 0",
    "table 6",
    published="differences of 0.023 to 0.342",
    predicted=INCONCLUSIVE,
)


CLAIMS = (
    *(IDENTITIES, RECOVERED, PAIR, PAIR_MUCH, FADES, VANISHES, HALF, HALF_BETTER, FULL),
    *(BEYOND_CAPACITY, OVERFITS, MODULUS, NO_MIRROR, RELATED),
)


def excess(results: Results, unit: str, when: str = "after") -> np.ndarray:
    """Return how far the mean least cosine lies above chance, a row a seed, a column a convolution."""
    return results.of(f"cosine_{when}", unit=unit) - results.of("cosine_by_chance", unit=unit)


def gap(results: Results, unit: str) -> np.ndarray:
    """Return test less training error."""
    return results.of("test_error", unit=unit) - results.of("train_error", unit=unit)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    relu, half = excess(results, "ReLU"), excess(results, "CReLU, half")
    z = relu[:, 0] / results.of("deviation_by_chance", unit="ReLU")[:, 0]
    errors = {unit: results.of("test_error", unit=unit) for unit in results.levels("unit")}
    paired, others = (results.of(name, unit="CReLU") for name in ("pair_absolute", "others_absolute"))
    # By the layer that is furthest from a claim about each of them the claim stands or falls.
    most, least = np.argmax(paired.mean(axis=0)), np.argmin((paired - others).mean(axis=0))
    return [
        verdicts.decide(PAIR, verdicts.known(z < PAIRED, z)),
        verdicts.decide(PAIR_MUCH, -relu[:, 0]),
        verdicts.decide(FADES, relu[:, 2] - relu[:, 0]),
        verdicts.decide(VANISHES, np.abs(relu[:, 0]) / 2 - np.abs(half[:, 0])),
        verdicts.decide(HALF, errors["ReLU"] - errors["CReLU, half"], "points"),
        verdicts.decide(HALF_BETTER, errors["ReLU"] - errors["CReLU, half"], "points"),
        verdicts.decide(FULL, errors["ReLU"] - errors["CReLU"], "points"),
        verdicts.decide(BEYOND_CAPACITY, errors["ReLU, double"] - errors["CReLU"], "points"),
        verdicts.decide(OVERFITS, gap(results, "ReLU") - gap(results, "CReLU"), "points"),
        verdicts.decide(MODULUS, errors["AVR"] - errors["CReLU, half"], "points"),
        verdicts.decide(NO_MIRROR, MIRRORED - paired[:, most], f"in layer {most + 1}"),
        verdicts.decide(RELATED, (paired - others)[:, least], f"in layer {least + 1}"),
    ]
