"""After Maas, Hannun and Ng: perceptrons of ReLU, of a leaky rectifier and of tanh, two to four layers deep."""

from typing import Any

import keras
import numpy as np

from reruns import networks, training, verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.data import pipelines
from reruns.results import Results
from reruns.units import Unit

TANH_IS_ACTIVE = -0.95  # above it, as the paper counts; a rectifier above 0


def trained(config: Any, seed: int, unit: Unit, depth: int, bound: float) -> dict[str, Any]:
    """Train a perceptron; return its cross-entropies by epoch, and how active its last layer is on unseen images."""
    splits = pipelines.mnist(config.perceptron_batch, seed, config.perceptron_images)
    uniform = keras.initializers.GlorotUniform
    model = networks.perceptron(unit, depth * (config.width,), seed, initializer=uniform)
    optimizer = keras.optimizers.SGD(config.perceptron_rate, momentum=config.perceptron_momentum)
    curves = training.fit(model, splits, optimizer, config.perceptron_epochs, validates_on="validation")
    last_hidden = keras.Model(model.inputs[0], model.layers[-2].output)
    mean, deviation = activity(last_hidden.predict(splits.validation, verbose=0), bound)
    kept = {name: curves[name] for name in ("train_loss", "validation_loss")}
    return {**kept, "activation": mean, "dispersion": deviation}


def activity(outputs: np.ndarray, bound: float) -> tuple[float, float]:
    """Return how often a layer's units are above a bound, in percent: the mean over the units, and their deviation."""
    shares = 100 * np.mean(outputs > bound, axis=0)
    return float(shares.mean()), float(shares.std())


# Fixed before the recorded runs, in nats.
LOWER, ALIKE = 0.02, 0.01

PAPER = "Maas, Hannun and Ng 2013"
DIGITS = "digits instead of frames of speech, 256 units a layer instead of 2,048"
RECTIFIER = {
    depth: Claim(
        f"M-1, {depth} layers",
        f"with {depth} hidden layers ReLU has a lower cross-entropy on unseen data than tanh",
        f"difference, L > 0 and mean ≥ {LOWER:g} nats",
        f"{PAPER}, table 1",
        margin=LOWER,
        predicted=Verdict.CONFIRMED,
        unlike=DIGITS,
        published=f"{rectifier} against {tanh} nats",
    )
    for depth, rectifier, tanh in ((2, 1.91, 2.09), (3, 1.83, 2.02), (4, 1.79, 1.98))
}
VARIANT = Claim(
    "M-2",
    "a slope of 0.01 instead of 0 changes next to nothing",
    f"difference of the cross-entropies at the depth where it is largest, its interval within {ALIKE:g} nats of 0",
    f"{PAPER}, table 1",
    Rule.EQUIVALENCE,
    margin=ALIKE,
    predicted=Verdict.CONFIRMED,
    unlike=DIGITS,
    published="0 to 0.01 nats",
)
SPARSER = Claim(
    "M-3, sparser",
    "in the last of four layers ReLU is active less than half as often as tanh",
    "half of tanh's activation probability minus ReLU's, L > 0",
    f"{PAPER}, pages 4 and 5",
    predicted=Verdict.REFUTED,
    unlike=DIGITS,
    published="11 % against more than 66 %",
)
DISPERSED = Claim(
    "M-3, dispersed",
    "there the units of ReLU are active more equally often than those of tanh",
    "deviation over the units, tanh's minus ReLU's, L > 0",
    f"{PAPER}, pages 4 and 5",
    predicted=Verdict.REFUTED,
    unlike=DIGITS,
    published="4 against 14 points",
)
SHALLOWER = Claim(
    "M-4",
    "two layers of ReLU have a lower cross-entropy than four of tanh",
    "difference, L > 0",
    f"{PAPER}, table 1",
    predicted=Verdict.REFUTED,
    unlike=DIGITS,
    published="1.91 against 1.98 nats",
)
CLAIMS = (*RECTIFIER.values(), VARIANT, SPARSER, DISPERSED, SHALLOWER)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim about the perceptrons."""

    def of(metric: str, unit: str, depth: int) -> np.ndarray:
        return results.of(metric, network="perceptron", unit=unit, depth=depth)

    def loss(unit: str, depth: int) -> np.ndarray:
        return of("validation_loss", unit, depth)[:, -1]

    shallow, *_, deep = RECTIFIER
    apart = np.stack([loss("LReLU 0.01", depth) - loss("ReLU", depth) for depth in RECTIFIER], axis=1)
    sparser = of("activation", "tanh", deep) / 2 - of("activation", "ReLU", deep)
    dispersed = of("dispersion", "tanh", deep) - of("dispersion", "ReLU", deep)
    return [
        *(verdicts.decide(claim, loss("tanh", d) - loss("ReLU", d), "nats") for d, claim in RECTIFIER.items()),
        verdicts.decide(VARIANT, verdicts.furthest(apart), "nats"),
        verdicts.decide(SPARSER, sparser, "points"),
        verdicts.decide(DISPERSED, dispersed, "points"),
        verdicts.decide(SHALLOWER, loss("tanh", deep) - loss("ReLU", shallow), "nats"),
    ]
