"""Exact zeros in rectifier networks on MNIST: at the start, after training, and with an L1 penalty on the outputs."""

import dataclasses
from typing import Any

import keras
import numpy as np

from reruns import networks, training, verdicts
from reruns.claims import Claim, Judgement, Rule
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid, levels
from reruns.results import Results
from reruns.units import UNITS, Unit


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: what is compared.
    units: tuple[str, ...] = levels("ReLU", "tanh")
    penalties: tuple[float, ...] = levels(0.0, 1e-3)
    # Fixed, the same for all.
    depth: int = 3
    width: int = 300
    learning_rate: float = 0.1
    batch: int = 100
    epochs: int = 10
    measured_images: int = 1000
    train: int | None = None


def trials(config: Config) -> list[Trial]:
    """Return a network of each unit with each penalty."""
    return grid(unit=config.units, penalty=config.penalties)


def trial(config: Config, seed: int, unit: str, penalty: float) -> dict[str, Any]:
    """Train one network, and return its test error and the share of exact zeros in each layer before and after."""
    splits = pipelines.mnist(config.batch, seed, config.train)
    model = networks.perceptron(penalised(UNITS[unit], penalty), config.depth * (config.width,), seed)
    images = next(iter(pipelines.mnist(config.measured_images, None, config.train).test))[0]
    before = zeros(model, images)
    optimizer = keras.optimizers.SGD(config.learning_rate)
    curves = training.fit(model, splits, optimizer, config.epochs, errors_on=["test"])
    return {"zeros_before": before, "zeros_after": zeros(model, images), "test_error": curves["test_error"]}


def penalised(unit: Unit, penalty: float) -> Unit:
    """Return a unit with an L1 penalty on its outputs, summed over a layer and averaged over the batch."""
    return lambda seed: [*unit(seed), keras.layers.ActivityRegularization(l1=penalty)]


def zeros(model: keras.Sequential, images: Any) -> list[float]:
    """Return the share of the outputs that are exactly 0, in percent, layer by layer."""
    outputs = [layer.output for layer in model.layers if isinstance(layer, keras.layers.ActivityRegularization)]
    found = keras.Model(model.inputs[0], outputs)(images, training=False)
    return [100 * float(np.mean(np.asarray(values) == 0)) for values in found]


# Fixed before the recorded runs, in percent of exact zeros.
AT_THE_START = (45.0, 55.0)
SPARSE = 60.0
# The range over the paper's four data sets, at 3 x 1000 units.
PUBLISHED = (68.0, 83.4)

PAPER = "Glorot, Bordes and Bengio 2011"
SMALLER = "three layers of 300 instead of 1000, and MNIST alone of four data sets"
START = Claim(
    "G-1",
    "about half of the outputs are exact zeros at the start",
    f"each layer's mean over the seeds in [{AT_THE_START[0]:g}, {AT_THE_START[1]:g}] %, with its whole interval",
    f"{PAPER}, section 3.1",
    Rule.EQUIVALENCE,
    margin=float(np.ptp(AT_THE_START)) / 2,
    unlike=SMALLER,
    published="about half",
)
END = Claim(
    "G-7",
    "with an L1 penalty the trained network is truly sparse",
    f"mean share of zeros over the layers minus {SPARSE:g} %, L > 0",
    f"{PAPER}, table 1",
    unlike=SMALLER,
    published=f"{PUBLISHED[0]:g} to {PUBLISHED[1]:g} %",
)
TANH = Claim("G-7, tanh", "a network of tanh has no exact zeros", "no zero in any run", PAPER, Rule.NEVER)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    middle = np.mean(AT_THE_START)
    before = results.of("zeros_before", unit="ReLU", penalty=0.0)
    after = results.of("zeros_after", unit="ReLU", penalty=max(Config().penalties)).mean(axis=1)
    of_tanh = np.concatenate([results.of("zeros_after", unit="tanh", penalty=p) for p in Config().penalties])
    return [
        verdicts.decide(
            START, verdicts.furthest(before - middle), f"points from {middle:g} in the layer that is furthest"
        ),
        verdicts.decide(END, after - SPARSE, f"points above {SPARSE:g}"),
        verdicts.never(TANH, of_tanh),
    ]


EXPERIMENT = Experiment(
    name="sparsity",
    live=Scale(Config(train=3000, epochs=3), range(1)),
    paper=Scale(Config(), range(5)),
    data=pipelines.of_mnist,
    trials=trials,
    trial=trial,
    claims=(START, END, TANH),
    judge=judge,
)
