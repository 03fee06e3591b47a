"""What the chapter on rectified features of NORB claims, and how the recorded trials decide it."""

import functools

from reruns import verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.results import Results

# Test errors in percent by layers, layers pre-trained and unit; tables 1 and 2.
PUBLISHED = {
    (1, 0): {"NReLU": 17.8, "binary": 23.0},
    (1, 1): {"NReLU": 16.5, "binary": 18.7},
    (2, 0): {"NReLU": 17.6, "binary": 23.6},
    (2, 1): {"NReLU": 16.5, "binary": 18.8},
    (2, 2): {"NReLU": 15.2, "binary": 18.8},
}
# Of other methods, as the paper quotes them in section 5; all but the first are from Bengio and LeCun 2007.
PUBLISHED_OTHERS = {
    "softmax of the pixels": 49.9,
    "support vector machine, Gaussian kernel": 43.3,
    "convolutional network": 7.2,
    "convolutional network, support vector machine on top": 5.9,
}

# Fixed before the recorded runs.
NOT_WORSE_BY = 0.5  # points
# Of a second layer's pre-training: half of the relative gain that it brought NReLU in the paper.
HALF_THE_GAIN = round((1 - PUBLISHED[2, 2]["NReLU"] / PUBLISHED[2, 1]["NReLU"]) / 2, 3)
FEW = 1.0  # percent of the units
ALWAYS = 0.95  # of the training pairs: a feature that is on more often counts as always on

UNITS = ("NReLU", "binary")
PAPER = "Nair and Hinton 2010"
of_paper = functools.partial(
    Claim, unlike="fewer units, pairs and steps, and where NORB is not at hand a toy NORB of our own"
)


def better(name: str, says: str, layers: int, pretrained: int) -> Claim:
    """Return the claim that NReLU errs less than binary units in a stack of the paper's tables."""
    ours, theirs = (PUBLISHED[layers, pretrained][unit] for unit in ("NReLU", "binary"))
    margin = round((1 - ours / theirs) / 2, 3)  # half of what the paper found, relative to the binary units' error
    return of_paper(
        name,
        f"NReLU has a lower test error than binary units {says}",
        f"relative difference of the test errors, L > 0 and mean ≥ {margin:g}",
        f"{PAPER}, table {layers}",
        margin=margin,
        published=f"{theirs} against {ours} %, relatively {1 - ours / theirs:.3f}",
        predicted=Verdict.CONFIRMED,
    )


BETTER = {
    (1, 0): better("N-4", "without pre-training", 1, 0),
    (2, 0): better("N-4, two layers", "without pre-training, in two layers", 2, 0),
    (1, 1): better("N-5", "after pre-training", 1, 1),
    (2, 1): better("N-5, first of two", "after pre-training of the first of two layers", 2, 1),
    (2, 2): better("N-5, two layers", "after pre-training of two layers", 2, 2),
}
HELPS = of_paper(
    "N-6",
    "pre-training helps binary units more than NReLU",
    "difference of the gains in test error, L > 0",
    f"{PAPER}, table 1",
    published="4.3 against 1.3 points",
    predicted=Verdict.REFUTED,
)
WITHOUT = of_paper(
    "N-7",
    "NReLU without pre-training does no worse than binary units with it",
    f"difference of the test errors, L > -{NOT_WORSE_BY:g} points",
    f"{PAPER}, table 1",
    Rule.NOT_WORSE,
    margin=NOT_WORSE_BY,
    published="17.8 against 18.7 %",
    predicted=Verdict.CONFIRMED,
)
SECOND = of_paper(
    "N-8, NReLU",
    "pre-training the second layer too lowers NReLU's test error",
    f"relative difference of the test errors, L > 0 and mean ≥ {HALF_THE_GAIN:g}",
    f"{PAPER}, table 2",
    margin=HALF_THE_GAIN,
    published="16.5 against 15.2 %",
    predicted=Verdict.INCONCLUSIVE,
)
SECOND_OF_BINARY = of_paper(
    "N-8, binary",
    "pre-training the second layer too changes nothing for binary units",
    f"relative difference of the test errors, whole interval within {HALF_THE_GAIN:g}",
    f"{PAPER}, table 2",
    Rule.EQUIVALENCE,
    margin=HALF_THE_GAIN,
    published="18.8 against 18.8 %",
    predicted=Verdict.INCONCLUSIVE,
)
ALWAYS_ON = of_paper(
    "N-9",
    f"after pre-training hardly an NReLU is on for more than {ALWAYS:.0%} of the training pairs",
    f"in no seed more than {FEW:g} % of the units",
    f"{PAPER}, section 5",
    Rule.NEVER,
    published="none of 4,000",
    predicted=Verdict.CONFIRMED,
)


CLAIMS = (*BETTER.values(), HELPS, WITHOUT, SECOND, SECOND_OF_BINARY, ALWAYS_ON)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    error = {
        (unit, *stack): results.of("test_error", unit=unit, layers=stack[0], pretrained=stack[1])
        for unit in UNITS
        for stack in PUBLISHED
    }
    gain = {unit: error[unit, 1, 0] - error[unit, 1, 1] for unit in UNITS}
    second = {unit: 1 - error[unit, 2, 2] / error[unit, 2, 1] for unit in UNITS}
    always_on = results.of("always_on", unit="NReLU", layers=1, pretrained=1)
    return [
        *(verdicts.decide(claim, 1 - error["NReLU", *of] / error["binary", *of]) for of, claim in BETTER.items()),
        verdicts.decide(HELPS, gain["binary"] - gain["NReLU"], "points"),
        verdicts.decide(WITHOUT, error["binary", 1, 1] - error["NReLU", 1, 0], "points"),
        verdicts.decide(SECOND, second["NReLU"]),
        verdicts.decide(SECOND_OF_BINARY, second["binary"]),
        verdicts.never(ALWAYS_ON, always_on - FEW),
    ]
