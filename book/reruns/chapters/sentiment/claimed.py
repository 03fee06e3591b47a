"""What the chapter on film reviews claims, and how the recorded trials decide it."""

import functools

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.results import Results

GLOROT = "Glorot, Bordes and Bengio 2011"
# Table 2: root mean squared error of the rating, from 1 to 5 stars, and the share of zeros in percent.
NETWORKS = {
    "no hidden layer": {"unit": "none", "layers": 0, "pretrained": False},
    "rectifier, 1 layer": {"unit": "rectifier", "layers": 1, "pretrained": True},
    "rectifier, 3 layers": {"unit": "rectifier", "layers": 3, "pretrained": True},
    "tanh, 3 layers": {"unit": "tanh", "layers": 3, "pretrained": True},
    "rectifier, 3 layers, not pre-trained": {"unit": "rectifier", "layers": 3, "pretrained": False},
}
RMSE = dict(zip(NETWORKS, ("0.885", "0.807", "0.746", "0.774", "≥ 0.833"), strict=True))
ZEROS = {"no hidden layer": 99.4, "rectifier, 1 layer": 28.9, "rectifier, 3 layers": 53.9, "tanh, 3 layers": 0.0}
LINEAR, SHALLOW, DEEP, TANH, COLD = NETWORKS

of_table = functools.partial(
    Claim,
    criterion="difference of the test errors, L > 0",
    source=f"{GLOROT}, table 2",
    unlike="praise or blame of films, not stars of restaurants; no reviews without labels; 2,000 terms, layers of 500",
)
HIDDEN = of_table(
    "G-11, one layer",
    "a hidden layer errs less than none",
    published=f"{RMSE[SHALLOW]} against {RMSE[LINEAR]} stars",
    predicted=Verdict.INCONCLUSIVE,
)
DEPTH = of_table(
    "G-11, depth",
    "three hidden layers err less than one",
    published=f"{RMSE[DEEP]} against {RMSE[SHALLOW]} stars",
    predicted=Verdict.INCONCLUSIVE,
)
UNIT = of_table(
    "G-11, tanh",
    "three layers of rectifiers err less than three of tanh",
    published=f"{RMSE[DEEP]} against {RMSE[TANH]} stars",
    predicted=Verdict.INCONCLUSIVE,
)
PRETRAINED = of_table(
    "G-11, pre-training",
    "three layers of rectifiers err less with pre-training than without",
    published=f"{RMSE[DEEP]} against {RMSE[COLD].removeprefix('≥ ')} stars or more",
    predicted=Verdict.INCONCLUSIVE,
)
FEWEST = 20.0  # percent
DENSER = Claim(
    "G-11, zeros",
    "what three layers of rectifiers make of the words is sparse, though less so than the words",
    f"no network whose mean share of zeros is below {FEWEST:g} % or above that of the words",
    f"{GLOROT}, table 2",
    Rule.NEVER,
    published="53.9 % against 99.4 %",
    predicted=Verdict.CONFIRMED,
)
CLAIMS = (HIDDEN, DEPTH, UNIT, PRETRAINED, DENSER)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    error = {name: results.of("test_error", **factors) for name, factors in NETWORKS.items()}
    zeros = results.of("zeros", **NETWORKS[DEEP]).mean(axis=1)
    of_words = results.of("zeros_of_words", **NETWORKS[DEEP])
    contrary = verdicts.known((zeros < FEWEST) | (zeros > of_words), np.stack([zeros, of_words], axis=1))
    return [
        verdicts.decide(HIDDEN, error[LINEAR] - error[SHALLOW], "points"),
        verdicts.decide(DEPTH, error[SHALLOW] - error[DEEP], "points"),
        verdicts.decide(UNIT, error[TANH] - error[DEEP], "points"),
        verdicts.decide(PRETRAINED, error[COLD] - error[DEEP], "points"),
        verdicts.never(DENSER, contrary),
    ]
