"""What the chapter on few labels claims, and how the recorded trials decide it."""

import functools

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.results import Results

GLOROT = "Glorot, Bordes and Bengio 2011"
BONDARENKO = "Bondarenko 2017"
# Figure 4, read off, about 0.2 points: test errors by share of labels, in percent, without pre-training and with it.
SHARES = (4.3, 21.4, 42.9, 64.3, 100.0)
FIGURE_4 = {
    ("tanh", False): (44.4, 25.8, 22.3, 20.5, 19.3),
    ("tanh", True): (41.5, 24.4, 21.1, 19.5, 17.7),
    ("rectifier", False): (44.7, 25.2, 20.9, 18.6, 16.4),
    ("rectifier", True): (38.1, 23.8, 20.1, 18.0, 16.5),
}
# Of a Boltzmann machine of 1,024 binary units on MNIST: accuracy in percent by labels, drawn at random and fine-tuned.
MACHINE = {100: (76.0, 81.7), 1000: (88.7, 93.7), 10_000: (94.7, 97.3), 60_000: (98.2, 98.7)}

# Fixed before the recorded runs, in points.
SHRINKS, NOTHING, REMAINS, HELPS = 1.0, 0.6, 0.6, 2.0

of_norb = functools.partial(
    Claim,
    unlike="a generated stand-in for NORB, 20,000 of 233,172 pairs, three layers of 500, 10 epochs",
)
FEWEST = of_norb(
    "G-9",
    "pre-training helps rectifiers more when a twentieth of the labels are there than when all are",
    f"difference of its gains, L > 0 and mean ≥ {SHRINKS:g} point",
    f"{GLOROT}, figure 4",
    margin=SHRINKS,
    published="6.6 points against -0.1",
    predicted=Verdict.CONFIRMED,
)
ALL = of_norb(
    "G-9, all labels",
    "with all labels rectifiers gain nothing",
    f"its whole interval within {NOTHING:g} points of 0",
    f"{GLOROT}, figure 4",
    Rule.EQUIVALENCE,
    margin=NOTHING,
    published="-0.1 points",
    predicted=Verdict.INCONCLUSIVE,
)
TANH = of_norb(
    "G-9, tanh",
    "tanh gains with all labels too",
    f"its gain, L > 0 and mean ≥ {REMAINS:g} points",
    f"{GLOROT}, figure 4",
    margin=REMAINS,
    published="1.6 points",
    predicted=Verdict.INCONCLUSIVE,
)
MORE = of_norb(
    "G-9, more",
    "labels shrink the gain of rectifiers more than that of tanh",
    "difference of the two differences, L > 0",
    f"{GLOROT}, figure 4",
    published="6.7 points against 1.3",
    predicted=Verdict.INCONCLUSIVE,
)
HUNDRED = Claim(
    "B-1",
    "with 100 labels of MNIST pre-training helps",
    f"gain of the rectifier networks, L > 0 and mean ≥ {HELPS:g} points",
    f"{BONDARENKO}, read-me file",
    margin=HELPS,
    unlike="three autoencoders of 500 rectifiers, not a Boltzmann machine of 1,024 units; there a tenth validates",
    published="81.7 against 76.0 % right",
    predicted=Verdict.CONFIRMED,
)
CLAIMS = (FEWEST, ALL, TANH, MORE, HUNDRED)


def errors(results: Results, data: str, unit: str, pretrained: bool) -> np.ndarray:
    """Return the test errors in percent, a row a seed and a column a number of labels."""
    return results.of("test_errors", data=data, unit=unit, pretrained=pretrained)


def gains(results: Results, data: str, unit: str) -> np.ndarray:
    """Return by how many points pre-training lowers the test error, a row a seed and a column a number of labels."""
    return errors(results, data, unit, False) - errors(results, data, unit, True)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    rectifier, tanh = (gains(results, "NORB", unit) for unit in ("rectifier", "tanh"))
    shrinks = {unit: of[:, 0] - of[:, -1] for unit, of in (("rectifier", rectifier), ("tanh", tanh))}
    return [
        verdicts.decide(FEWEST, shrinks["rectifier"], "points"),
        verdicts.decide(ALL, rectifier[:, -1], "points"),
        verdicts.decide(TANH, tanh[:, -1], "points"),
        verdicts.decide(MORE, shrinks["rectifier"] - shrinks["tanh"], "points"),
        verdicts.decide(HUNDRED, gains(results, "MNIST", "rectifier")[:, 0], "points"),
    ]
