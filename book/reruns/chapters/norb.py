"""Noisy rectified units against binary ones on NORB: errors with and without pre-training, and what the features do."""

import dataclasses
import functools
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_rectifiers import rbm
from reruns import exports, training, verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, levels
from reruns.results import Results


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared; a stack is how many hidden layers there are and how many of them are pre-trained.
    units: tuple[str, ...] = levels("NReLU", "binary")
    stacks: tuple[tuple[int, int], ...] = levels((1, 0), (1, 1), (2, 0), (2, 1), (2, 2))
    # Fixed, as published.
    batch: int = 100
    # Fixed, ours, for the paper gives no values, or larger ones.
    widths: tuple[int, ...] = (500, 250)
    momentum: float = 0.9
    initial_deviation: float = 0.01  # of the weights of machines
    machine_rate: float = 0.001
    machine_epochs: int = 30
    # Fixed, ours: of three tried ones each that by which a unit validated best, with a seed that is not counted. NReLU
    # did alike at 0.03, where it may run away sooner.
    tried_rates: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)
    nrelu_rate: float = 0.01
    binary_rate: float = 0.1
    epochs: int = 30
    train: int | None = 20_000


def trials(config: Config) -> list[Trial]:
    """Return a network of each stack of each unit."""
    return [
        {"unit": unit, "layers": layers, "pretrained": pretrained}
        for unit in config.units
        for layers, pretrained in config.stacks
    ]


def trial(config: Config, seed: int, unit: str, layers: int, pretrained: int) -> dict[str, Any]:
    """Train one network; return its errors in percent and, where it was pre-trained, how often its features are on."""
    return trained(config, seed, unit, layers, pretrained)[1]


def trained(
    config: Config, seed: int, unit: str, layers: int, pretrained: int
) -> tuple[keras.Sequential, dict[str, Any]]:
    """Train the machines, then the network that begins with their weights, and keep the epoch that validated best."""
    machines = stack(config, unit, seed, layers, pretrained)
    found: dict[str, Any] = {}
    if pretrained:
        # Of its own pipeline, so that all networks of a seed see the same order afterwards.
        pairs = data(config, seed).train
        parts = [keras.layers.Flatten(), *machines[:pretrained]]
        with warnings.catch_warnings():
            # The ratio is recorded. From 1 on long chains run away; the one sweep of these machines starts at data.
            warnings.filterwarnings("ignore", "The norm ratio")
            first, *_ = rbm.pretrained(parts, pairs, epochs=config.machine_epochs, shuffle=False, verbose=0)
        found = {
            "reconstruction_error": first.history.history["reconstruction_error"],
            "norm_ratio": rbm.norm_ratio(first.kernel, first.visible, first.hidden),
            **activity(first, pairs),
        }
    splits = data(config, seed)
    network = of_machines(machines, seed)
    best = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=config.epochs, restore_best_weights=True)
    curves = training.fit(
        network,
        splits,
        keras.optimizers.SGD(rate(config, unit), momentum=config.momentum),
        config.epochs,
        validates_on="validation",
        errors_on=["train", "validation", "test"],
        callbacks=[best],
    )
    kept = ("train_loss", "validation_accuracies", "train_error", "validation_error", "test_error")
    return network, {**found, **{name: curves[name] for name in kept}}


def data(config: Config, seed: int) -> pipelines.Splits:
    return pipelines.norb(config.batch, seed, train=config.train)


def rate(config: Config, unit: str) -> float:
    """Return the learning rate of backpropagation."""
    return config.binary_rate if unit == "binary" else config.nrelu_rate


PIXELS = (32, 32, 2)
CLASSES = 6
UNITS: dict[str, Any] = {"NReLU": rbm.NReLU(), "binary": rbm.Binary()}


def stack(config: Config, unit: str, seed: int, layers: int, pretrained: int) -> list[rbm.RBM]:
    """Return the machines of the paper's tables 1 and 2, one or two, compiled where they are to be trained.

    The others only give a network its initial weights: of the deviation by which a layer neither shrinks nor swells.
    """
    machines, inputs = [], int(np.prod(PIXELS))
    for number in range(layers):
        trains = number < pretrained
        machine = rbm.RBM(
            config.widths[number],
            visible=rbm.Gaussian() if number == 0 else UNITS[unit],
            hidden=UNITS[unit],
            kernel_scale=config.initial_deviation if trains else inputs**-0.5,
            seed=1000 * seed + number,
        )
        if trains:
            machine.compile(keras.optimizers.SGD(config.machine_rate, momentum=config.momentum))
        else:
            machine.build((None, inputs))
        machines.append(machine)
        inputs = machine.units
    return machines


def of_machines(machines: list[rbm.RBM], seed: int) -> keras.Sequential:
    """Return the network of machines, max(0, x) or the logistic function, with a softmax of the classes on top."""
    return rbm.stacked([keras.layers.Flatten(), *machines], CLASSES, shape=PIXELS, seed=1000 * seed + len(machines))


BINS = 20
ALWAYS = 0.95  # of the training pairs: a feature that is on more often counts as always on


def activity(machine: rbm.RBM, pairs: Any) -> dict[str, Any]:
    """Return a histogram of the share of these pairs on which each unit has an input above 0, and how many are always.

    Counts are of bins of equal width from 0 to 1; units that are always on in percent.
    """
    kernel, biases = (np.asarray(weight) for weight in (machine.kernel, machine.hidden_biases))
    on, cases = np.zeros(machine.units), 0
    for images, _ in pairs:
        inputs = images.numpy().reshape(len(images), -1) @ kernel + biases
        on, cases = on + (inputs > 0).sum(axis=0), cases + len(inputs)
    counts, _ = np.histogram(on / cases, BINS, (0, 1))
    return {"activity": counts.tolist(), "always_on": float(100 * (on / cases > ALWAYS).mean())}


def best(results: Results) -> tuple[Trial, int]:
    """Return factors and seed of the network that validated best; the test pairs take no part."""
    whole = [row for row in results.rows if row["metrics"]["validation_error"] is not None]
    found = min(whole, key=lambda row: row["metrics"]["validation_error"])
    return found["factors"], found["seed"]


def export(config: Config, results: Results) -> Path:
    """Train the best network again and write it to savedmodels/norb."""
    factors, seed = best(results)
    keras.utils.set_random_seed(seed)
    network, metrics = trained(config, seed, **factors)
    card = {
        "model": f"hidden layers of {config.widths[: factors['layers']]} units, of all networks best in validation",
        "command": "python -m reruns norb --scale paper, from book/",
        **factors,
        "seed": seed,
    }
    return exports.of_norb(network, "norb", data(config, seed), 100 - metrics["test_error"], card)


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

# Fixed before the recorded runs. Relative to the binary units' error, about half of what the paper found.
LEAST_GAIN = {0: 0.10, 1: 0.05}
NOT_WORSE_BY = 0.5  # points
# Of a second layer's pre-training: half of the relative gain that it brought NReLU in the paper.
HALF_THE_GAIN = round((1 - PUBLISHED[2, 2]["NReLU"] / PUBLISHED[2, 1]["NReLU"]) / 2, 3)
FEW = 1.0  # percent of the units

PAPER = "Nair and Hinton 2010"
of_paper = functools.partial(
    Claim, unlike="fewer units, pairs and steps, and where NORB is not at hand a toy NORB of our own"
)


def better(name: str, says: str, layers: int, pretrained: int) -> Claim:
    """Return the claim that NReLU errs less than binary units in a stack of the paper's tables."""
    ours, theirs = (PUBLISHED[layers, pretrained][unit] for unit in ("NReLU", "binary"))
    margin = LEAST_GAIN[min(pretrained, 1)]
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
    "relative difference of the test errors, L > 0",
    f"{PAPER}, table 2",
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


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    error = {
        (unit, *stack): results.of("test_error", unit=unit, layers=stack[0], pretrained=stack[1])
        for unit in Config().units
        for stack in PUBLISHED
    }
    gain = {unit: error[unit, 1, 0] - error[unit, 1, 1] for unit in Config().units}
    second = {unit: 1 - error[unit, 2, 2] / error[unit, 2, 1] for unit in Config().units}
    always_on = results.of("always_on", unit="NReLU", layers=1, pretrained=1)
    return [
        *(verdicts.decide(claim, 1 - error["NReLU", *of] / error["binary", *of]) for of, claim in BETTER.items()),
        verdicts.decide(HELPS, gain["binary"] - gain["NReLU"], "points"),
        verdicts.decide(WITHOUT, error["binary", 1, 1] - error["NReLU", 1, 0], "points"),
        verdicts.decide(SECOND, second["NReLU"]),
        verdicts.decide(SECOND_OF_BINARY, second["binary"]),
        verdicts.never(ALWAYS_ON, always_on - FEW),
    ]


def of_norb(config: Config) -> dict:
    """Return the record of the data that a trial sees."""
    return data(config, seed=0).record


LIVE = Config(stacks=((1, 1),), widths=(100, 50), machine_epochs=2, epochs=3, train=2000)
EXPERIMENT = Experiment(
    name="norb",
    live=Scale(LIVE, range(1)),
    paper=Scale(Config(), range(5)),
    data=of_norb,
    trials=trials,
    trial=trial,
    claims=(*BETTER.values(), HELPS, WITHOUT, SECOND, SECOND_OF_BINARY, ALWAYS_ON),
    judge=judge,
    export=export,
)
