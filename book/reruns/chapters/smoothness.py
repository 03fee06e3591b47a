"""From softplus to the rectifier: what a sharper bend changes, on NORB or what stands in for it."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from scipy import stats

import keras_rectifiers as kr
from reruns import networks, training, verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, levels, rows
from reruns.results import Results
from reruns.units import Unit


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: the sharpness; and the best rate of TRIED.
    runs: tuple[tuple[str, float], ...] = levels(
        ("1", 0.1), ("1.3", 0.1), ("2", 0.1), ("3", 0.1), ("6", 0.1), ("rectifier", 0.1)
    )
    # Fixed, the same for all.
    widths: tuple[int, ...] = (300, 300, 300)
    batch: int = 20
    epochs: int = 15
    train: int | None = 20_000


# For the softplus and the rectifier, with one seed that is not counted; the paper's grid goes down to 0.0001.
TRIED = (0.1, 0.01)
ORDER = ("1", "1.3", "2", "3", "6", "rectifier")
ERRORS = ("train", "validation", "test")


def sharpness(name: str) -> float:
    """Return the number that a level names."""
    return math.inf if name == "rectifier" else float(name)


def unit(name: str) -> Unit:
    """Return the scaled softplus of this sharpness, or the rectifier that it becomes."""
    if name == "rectifier":
        return lambda seed: [keras.layers.ReLU()]
    return lambda seed: [kr.ScaledSoftplus(sharpness=sharpness(name))]


def splits(config: Config, seed: int) -> pipelines.Splits:
    return pipelines.norb(config.batch, seed, train=config.train, pixels="symmetric")


def data(config: Config) -> dict:
    """Return the record of NORB, or of what stands in for it."""
    return splits(config, 0).record


def trials(config: Config) -> list[Trial]:
    """Return a network of each sharpness, with its learning rate."""
    return rows(("sharpness", "rate"), config.runs)


def trial(config: Config, seed: int, sharpness: str, rate: float) -> dict[str, Any]:
    """Train one network, and return its training loss and validation error by epoch, and its errors, in percent."""
    pairs = splits(config, seed)
    shape = pairs.train.element_spec[0].shape[1:]
    uniform = keras.initializers.GlorotUniform
    model = networks.perceptron(unit(sharpness), config.widths, seed, inputs=shape, classes=6, initializer=uniform)
    curves = training.fit(
        model,
        pairs,
        keras.optimizers.SGD(rate),
        config.epochs,
        validates_on="validation",
        errors_on=ERRORS,
        steps_a_call=10,
    )
    return {
        "train_loss": curves["train_loss"],
        "validation_errors": [100 * (1 - accuracy) for accuracy in curves["validation_accuracies"]],
        **{f"{split}_error": curves[f"{split}_error"] for split in ERRORS},
    }


# Fixed before the recorded runs. Errors in percent, of NORB.
PUBLISHED = {"1": 17.68, "1.3": 17.53, "2": 16.9, "3": 16.66, "6": 16.54, "rectifier": 16.40}
EXACT = 1e-6
FALLS, BETTER_BY = 0.5, 0.6

PAPER = "Glorot, Bordes and Bengio 2011"
SMALLER = "a generated stand-in for NORB, three layers of 300, 15 epochs, no penalty on the units"
NEAREST = Claim(
    "G-3",
    "a scaled softplus lies above the rectifier by no more than ln 2 over its sharpness, and by that much at 0",
    f"largest gap over a grid equals ln 2 / s within {EXACT:g}, for each sharpness",
    f"{PAPER}, section 4.1",
    Rule.IDENTITY,
    published="shown by the formula",
)
FALLING = Claim(
    "G-5",
    "the sharper the bend, the lower the error",
    f"Spearman's rank correlation of sharpness and test error by seed, negated: L > 0 and mean ≥ {FALLS:g}",
    f"{PAPER}, section 4.1",
    margin=FALLS,
    unlike=SMALLER,
    published="1: each step lowers the error",
    predicted=Verdict.INCONCLUSIVE,
)
ENDS = Claim(
    "G-5, ends",
    "the rectifier errs less than the softplus",
    f"difference of the test errors, L > 0 and mean ≥ {BETTER_BY:g} points",
    f"{PAPER}, section 4.1 and table 1",
    margin=BETTER_BY,
    unlike=SMALLER,
    published="by 1.28 points",
    predicted=Verdict.CONFIRMED,
)


def errors(results: Results) -> np.ndarray:
    """Return the test errors, a row a seed, from the softplus to the rectifier."""
    return np.stack([results.of("test_error", sharpness=name) for name in ORDER], axis=1)


def falls(of: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of sharpness and error for each row, negated; NaN where one is lost."""
    places = np.arange(of.shape[1])
    found = [-stats.spearmanr(places, row).statistic if np.ptp(row) else 0.0 for row in np.nan_to_num(of)]
    return verdicts.known(np.array(found), of)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    of = errors(results)
    return [
        verdicts.decide(FALLING, falls(of), "of rank correlation, negated"),
        verdicts.decide(ENDS, of[:, 0] - of[:, -1], "points"),
    ]


EXPERIMENT = Experiment(
    name="smoothness",
    live=Scale(Config(runs=(("1", 0.1), ("3", 0.1), ("rectifier", 0.1)), train=2000, epochs=6), range(1)),
    paper=Scale(Config(), range(10)),
    data=data,
    trials=trials,
    trial=trial,
    claims=(NEAREST, FALLING, ENDS),
    judge=judge,
)
