"""ReLU against tanh on CIFAR-10, without regularisation: when does the training error reach a level?"""

import dataclasses
from typing import Any

import keras
import numpy as np

from reruns import training, verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict, by_evidence
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, levels, rows
from reruns.results import Results
from reruns.units import UNITS


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: the start, the network and the unit; and the fastest rate of those in TRIED.
    runs: tuple[tuple[str, str, str, float], ...] = levels(
        ("cuda-convnet", "19pct", "ReLU", 0.003),
        ("cuda-convnet", "19pct", "tanh", 0.03),
        ("Keras", "19pct", "ReLU", 0.03),
        ("Keras", "19pct", "tanh", 0.03),
        ("cuda-convnet", "80sec", "ReLU", 0.001),
        ("cuda-convnet", "80sec", "tanh", 0.03),
        ("cuda-convnet", "perceptron", "ReLU", 0.001),
        ("cuda-convnet", "perceptron", "tanh", 0.0001),
    )
    # Fixed, the same for all.
    threshold: float = 25.0  # training error in percent, as published
    momentum: float = 0.9
    batch: int = 128
    epochs: int = 120  # at most; a run ends where it arrives
    train: int = 5000


# The rates from which one seed that is not counted chose.
TRIED = {
    ("cuda-convnet", "19pct", "ReLU"): (0.001, 0.003, 0.01),
    ("cuda-convnet", "19pct", "tanh"): (0.003, 0.01, 0.03, 0.1),
    ("Keras", "19pct", "ReLU"): (0.01, 0.03, 0.1),
    ("Keras", "19pct", "tanh"): (0.01, 0.03, 0.1),
    ("cuda-convnet", "80sec", "ReLU"): (0.001, 0.003),
    ("cuda-convnet", "80sec", "tanh"): (0.01, 0.03),
    ("cuda-convnet", "perceptron", "ReLU"): (0.0003, 0.001, 0.003, 0.01),
    ("cuda-convnet", "perceptron", "tanh"): (3e-5, 1e-4, 3e-4, 0.001, 0.003, 0.01, 0.03),
}
STARTS = {"cuda-convnet": "centred", "Keras": "standardized"}  # and how each has its pixels
FACTORS = ("start", "network", "unit", "learning_rate")


def data(config: Config) -> dict:
    """Return the record of CIFAR-10, with both starts' pixels."""
    record = pipelines.cifar10(config.batch, 0, config.train).record
    of_starts = [f"with {start}'s start {pipelines.PIXELS[pixels][0]}" for start, pixels in STARTS.items()]
    return {**record, "preprocessing": ", ".join(of_starts)}


def trials(config: Config) -> list[Trial]:
    """Return each run's start, network, unit and learning rate."""
    return rows(FACTORS, config.runs)


def trial(config: Config, seed: int, start: str, network: str, unit: str, learning_rate: float) -> dict[str, Any]:
    """Train one network until it arrives, and return its training error by epoch, and its test error, in percent.

    The training error is that of the epoch's batches, as they come.
    """
    splits = pipelines.cifar10(config.batch, seed, config.train, pixels=STARTS[start])
    model = NETWORKS[network](UNITS[unit], Start(start, seed), splits.train.element_spec[0].shape[1:])
    optimizer = keras.optimizers.SGD(learning_rate, momentum=config.momentum)
    until = [UntilArrived(config.threshold)]
    curves = training.fit(model, splits, optimizer, config.epochs, errors_on=["test"], callbacks=until)
    errors = [100 * (1 - accuracy) for accuracy in curves["train_accuracies"]]
    return {"train_error": errors, "train_loss": curves["train_loss"], "test_error": curves["test_error"]}


class UntilArrived(keras.callbacks.Callback):
    """End a training after the epoch whose error, in percent, is at or below a threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = 100 * (1 - logs["accuracy"]) <= self.threshold


class Start:
    """Draws one layer's initial weights after another: Gaussians of given deviations, or Keras's own."""

    def __init__(self, name: str, seed: int) -> None:
        self.gaussian, self.next = name == "cuda-convnet", 1000 * seed

    def __call__(self, deviation: float) -> keras.Initializer:
        self.next += 1
        if self.gaussian:
            return keras.initializers.RandomNormal(stddev=deviation, seed=self.next)
        return keras.initializers.GlorotUniform(seed=self.next)


def small_convnet(unit: Any, start: Start, inputs: tuple, hidden: bool = False) -> keras.Sequential:
    """Return cuda-convnet's layers-19pct: three convolutions and the classes; layers-80sec has 64 hidden units more."""

    def convolution(filters: int, deviation: float) -> keras.layers.Layer:
        return keras.layers.Conv2D(filters, 5, padding="same", kernel_initializer=start(deviation))

    def average() -> keras.layers.Layer:
        return keras.layers.AveragePooling2D(3, 2, padding="same")

    layers = [
        *(keras.Input(inputs), convolution(32, 1e-4), keras.layers.MaxPooling2D(3, 2, padding="same"), *unit(0)),
        *(convolution(32, 0.01), *unit(1), average()),
        *(convolution(64, 0.01), *unit(2), average(), keras.layers.Flatten()),
    ]
    if hidden:
        layers += [keras.layers.Dense(64, kernel_initializer=start(0.1)), *unit(3)]
    classes = keras.layers.Dense(10, kernel_initializer=start(0.1 if hidden else 0.01))
    return keras.Sequential([*layers, classes])


def perceptron(unit: Any, start: Start, inputs: tuple) -> keras.Sequential:
    """Return two hidden layers of 256 units; it is ours, with the deviations of the small convnet."""
    layers: list[keras.layers.Layer] = [keras.Input(inputs), keras.layers.Flatten()]
    for number, deviation in enumerate((1e-4, 0.01)):
        layers += [keras.layers.Dense(256, kernel_initializer=start(deviation)), *unit(number)]
    return keras.Sequential([*layers, keras.layers.Dense(10, kernel_initializer=start(0.01))])


NETWORKS = {
    "19pct": small_convnet,
    "80sec": lambda unit, start, inputs: small_convnet(unit, start, inputs, hidden=True),
    "perceptron": perceptron,
}


def arrival(errors: Any, threshold: float) -> float | None:
    """Return after how many epochs a curve is at the threshold, between two epochs by a straight line, if ever."""
    errors = np.asarray(errors, float)
    there = np.flatnonzero(errors <= threshold)
    if not len(there):
        return None
    first = int(there[0])
    if first == 0:
        return 1.0
    return first + float((errors[first - 1] - threshold) / (errors[first - 1] - errors[first]))


# Fixed before the recorded runs.
SEVERAL, NOT_SEVERAL = 2.0, 1.5  # times as many epochs
PUBLISHED = 6.0
ABOUT = 1.5  # within this factor of six

PAPER = "Krizhevsky, Sutskever and Hinton 2012"
UNKNOWN = "the paper's network and rates are not known; 5,000 of 50,000 images"
SOONER = Claim(
    "K-1",
    "ReLU reaches a training error of 25 % several times sooner than tanh",
    f"geometric mean of the ratios of epochs, L > {SEVERAL:g}; refuted if U < {NOT_SEVERAL:g}",
    f"{PAPER}, section 3.1",
    Rule.RATIO,
    margin=SEVERAL,
    unlike=UNKNOWN,
    published="six times faster",
    predicted=Verdict.INCONCLUSIVE,
)
SIXFOLD = Claim(
    "K-1, six",
    "ReLU reaches it six times sooner",
    f"the ratio's whole interval within a factor of {ABOUT:g} of {PUBLISHED:g}, by logarithms",
    f"{PAPER}, figure 1",
    Rule.EQUIVALENCE,
    margin=float(np.log(ABOUT)),
    unlike=UNKNOWN,
    published="about 36 epochs against 6",
    predicted=Verdict.REFUTED,
)
BY_START = Claim(
    "K-1b",
    "the advantage is larger from cuda-convnet's start than from Keras's",
    "difference of the logarithms of both ratios, L > 0",
    "ours, with the paper's network left open",
    predicted=Verdict.CONFIRMED,
)
ELSEWHERE = {
    network: Claim(
        f"K-2, {network}",
        f"ReLU is sooner in another network: {network}",
        "geometric mean of the ratios of epochs, L > 1",
        f"{PAPER}, section 3.1",
        Rule.RATIO,
        margin=1.0,
        unlike=UNKNOWN,
        published="the effect varies with the network and keeps its sign",
        predicted=Verdict.CONFIRMED,
    )
    for network in ("80sec", "perceptron")
}


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    cap = results.config["epochs"]
    convnet, keras_start = times(results, "cuda-convnet", "19pct"), times(results, "Keras", "19pct")
    elsewhere = [_sooner(claim, times(results, "cuda-convnet", net), cap, 1.0) for net, claim in ELSEWHERE.items()]
    return [
        _sooner(SOONER, convnet, cap, NOT_SEVERAL),
        _sixfold(convnet),
        _by_start(convnet, keras_start, cap),
        *elsewhere,
    ]


Times = dict[str, list[float | None]]


def times(results: Results, start: str, network: str) -> Times:
    """Return by unit the epochs after which each seed arrived; None where it had not, NaN where it diverged."""

    def of(curve: np.ndarray) -> float | None:
        return float("nan") if np.isnan(curve).all() else arrival(curve, results.config["threshold"])

    of_network = {"start": start, "network": network}
    return {unit: [of(c) for c in results.of("train_error", unit=unit, **of_network)] for unit in ("ReLU", "tanh")}


def _lost(claim: Claim, *of_networks: Times) -> Judgement | None:
    lost = sum(time is not None and np.isnan(time) for of in of_networks for unit in of.values() for time in unit)
    return Judgement(claim, Verdict.INCONCLUSIVE, f"{lost} runs diverged") if lost else None


def _sooner(claim: Claim, of: Times, cap: float, refuted_below: float) -> Judgement:
    if lost := _lost(claim, of):
        return lost
    return by_evidence(
        claim, verdicts.ratio(of["tanh"], of["ReLU"], cap, claim.margin, refuted_below, claim.level), "times"
    )


def _sixfold(of: Times) -> Judgement:
    late = sum(unit.count(None) for unit in of.values())
    if late:
        return Judgement(SIXFOLD, Verdict.INCONCLUSIVE, f"{late} runs had not arrived")
    return verdicts.decide(SIXFOLD, np.log(_ratios(of, 1.0) / PUBLISHED), "in logarithms")


def _by_start(convnet: Times, keras_start: Times, cap: float) -> Judgement:
    if lost := _lost(BY_START, convnet, keras_start):
        return lost
    # A late tanh run of the first, or ReLU run of the second, makes the difference a lower bound; others say nothing.
    if None in (*convnet["ReLU"], *keras_start["tanh"]):
        return Judgement(BY_START, Verdict.INCONCLUSIVE, "runs that had not arrived bound the difference on no side")
    return verdicts.decide(BY_START, np.log(_ratios(convnet, cap) / _ratios(keras_start, cap)), "in logarithms")


def _ratios(of: Times, cap: float) -> np.ndarray:
    slower, faster = (np.array([cap if time is None else time for time in of[unit]]) for unit in ("tanh", "ReLU"))
    return slower / faster


EXPERIMENT = Experiment(
    name="six_times_faster",
    live=Scale(Config(epochs=4, train=2000), range(1)),
    paper=Scale(Config(), range(5)),
    data=data,
    trials=trials,
    trial=trial,
    claims=(SOONER, SIXFOLD, BY_START, *ELSEWHERE.values()),
    judge=judge,
)
