"""After Xu and others: a network in network with ReLU, with two leaky rectifiers, with PReLU and with RReLU."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_rectifiers as kr
from reruns import training, verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.data import pipelines
from reruns.results import Results
from reruns.units import Unit


def trained(config: Any, seed: int, unit: Unit, images: int) -> dict[str, Any]:
    """Train a network in network; return its training loss by epoch, and its errors in percent.

    With RReLU on the most images there are test errors by two other rules: by the mean slope, and by many random draws.
    """
    splits = pipelines.cifar10(config.batch, seed, images)
    model = nin(unit, seed, splits.train.element_spec[0].shape[1:], config.narrower, config.dropout)
    epochs = round(config.epochs * max(config.images) / images)
    steps = int(config.cut * epochs) * len(splits.train)
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([steps], [config.learning_rate, config.learning_rate / 10])
    curves = training.fit(model, splits, keras.optimizers.Adam(rate), epochs, errors_on=["train", "test"])
    found = {name: curves[name] for name in ("train_loss", "train_error", "test_error")}
    # The draws take half as long as the training.
    if images == max(config.images) and any(isinstance(layer, kr.RReLU) for layer in model.layers):
        found["test_error_mean_slope"] = error_by(mean_slope, model, splits.test)
        found["test_error_draws"] = error_by(drawn, model, splits.test, config.draws)
    return found


# Sizes and filters, block by block, of every convolution but the one of the ten classes.
BLOCKS = (((5, 192), (1, 160), (1, 96)), ((5, 192), (1, 192), (1, 192)), ((3, 192), (1, 192)))
POOLS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D, None)


def nin(unit: Unit, seed: int, inputs: tuple, narrower: int = 1, dropout: float = 0.5) -> keras.Sequential:
    """Return the network in network of table 1 of Xu and others, with so many times fewer filters in each layer.

    A unit follows each convolution, also that of the classes, whose mean over the image is the logits. Layer n draws
    its weights and its unit's noise from seed 1000 * `seed` + n.
    """
    layers: list[keras.layers.Layer] = [keras.Input(inputs)]
    numbers = iter(range(1000 * seed, 1000 * (seed + 1)))

    def convolution(size: int, filters: int) -> list[keras.layers.Layer]:
        number = next(numbers)
        normal = keras.initializers.HeNormal(seed=number)
        return [keras.layers.Conv2D(filters, size, padding="same", kernel_initializer=normal), *unit(number)]

    for block, pool in zip(BLOCKS, POOLS, strict=True):
        for size, filters in block:
            layers += convolution(size, filters // narrower)
        if pool:
            layers += [pool(3, 2, padding="same"), keras.layers.Dropout(dropout, seed=next(numbers))]
    return keras.Sequential([*layers, *convolution(1, 10), keras.layers.GlobalAveragePooling2D()])


# Rules of inference in place of RReLU's own, the mean divisor: what a layer gives for its inputs.
InferenceRule = Callable[[kr.RReLU, tf.Tensor], tf.Tensor]
MEAN_SLOPE = float(np.log(8 / 3) / 5)


def mean_slope(layer: kr.RReLU, x: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(x, MEAN_SLOPE)


def drawn(layer: kr.RReLU, x: tf.Tensor) -> tf.Tensor:
    return layer(x, training=True)


def error_by(rule: InferenceRule, model: keras.Sequential, images: tf.data.Dataset, passes: int = 1) -> float:
    """Return the error in percent of the class probabilities' mean over several passes by a rule."""

    @tf.function
    def probabilities(x: tf.Tensor) -> tf.Tensor:
        # Layer by layer, so that the units draw while dropout does not.
        for layer in model.layers:
            x = rule(layer, x) if isinstance(layer, kr.RReLU) else layer(x, training=False)
        return tf.nn.softmax(x)

    batches = images.as_numpy_iterator()
    wrong = [np.argmax(sum(probabilities(x) for _ in range(passes)), axis=1) != y for x, y in batches]
    return 100 * float(np.mean(np.concatenate(wrong)))


# Fixed before the recorded runs, in points of the error and as a share of the seeds.
BETTER, LIKE_RELU, SAME = 0.5, 1.0, 0.3
OF_THE_SEEDS = 0.8
MOST, FEWER = 5000, 2500

PAPER = "Xu and others 2015"
SHORT = "5,000 of 50,000 images, a quarter of the filters, few epochs; how the paper trained is not known"
CONTRACT = Claim(
    "X-1",
    "RReLU divides by a draw from [3, 8] of each element and call while training, and by 5.5 at inference",
    "uniform divisors by a Kolmogorov-Smirnov test, p > 0.001, new at each call; 5.5 to 1e-6; all survive saving",
    f"{PAPER}, equations 3 to 5",
    Rule.IDENTITY,
    predicted=Verdict.CONFIRMED,
)
HELPS = {
    unit: Claim(
        f"X-2, {unit}",
        f"{unit} errs on fewer test images than ReLU",
        f"difference, L > 0 and mean ≥ {BETTER:g} points",
        f"{PAPER}, table 3",
        margin=BETTER,
        predicted=Verdict.CONFIRMED,
        unlike=SHORT,
        published=f"{error} against 12.45 %",
    )
    for unit, error in (("LReLU 1/5.5", 11.2), ("RReLU", 11.19))
}
SMALL_SLOPE = Claim(
    "X-3",
    "a slope of 0.01 is like none",
    f"difference of the test errors, its interval within {LIKE_RELU:g} point of 0",
    f"{PAPER}, table 3",
    Rule.EQUIVALENCE,
    margin=LIKE_RELU,
    predicted=Verdict.INCONCLUSIVE,
    unlike=SHORT,
    published="12.66 against 12.45 %",
)
FITS = Claim(
    "X-4",
    "of the five units PReLU has the lowest training error",
    f"a share of the seeds of at least {OF_THE_SEEDS:g}, L > 1/2",
    f"{PAPER}, table 3",
    Rule.SHARE,
    margin=OF_THE_SEEDS,
    predicted=Verdict.INCONCLUSIVE,
    unlike=SHORT,
    published="0.178 against 0.31 to 0.55 %",
)
REGULARISES = Claim(
    "X-5",
    "RReLU's test error is nearer to its training error than PReLU's",
    "difference of the distances, L > 0",
    f"{PAPER}, table 3",
    predicted=Verdict.CONFIRMED,
    unlike=SHORT,
    published="10.64 against 11.61 points",
)
RULES = Claim(
    "X-6",
    "at inference RReLU's mean divisor and its mean slope do equally well",
    f"difference of the test errors, its interval within {SAME:g} points of 0",
    "ours, after the code of Xu and others 2015",
    Rule.EQUIVALENCE,
    margin=SAME,
    predicted=Verdict.CONFIRMED,
    unlike=SHORT,
)
FEWER_IMAGES = Claim(
    "X-7",
    "RReLU gains more over ReLU with fewer images",
    f"gain in percent of ReLU's test error, at {FEWER:,} minus at {MOST:,} images, L > 0",
    f"ours, after tables 3 and 5 of {PAPER}",
    predicted=Verdict.INCONCLUSIVE,
    unlike=SHORT,
)
CLAIMS = (CONTRACT, *HELPS.values(), SMALL_SLOPE, FITS, REGULARISES, RULES, FEWER_IMAGES)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim about the networks in networks that the recorded trials decide."""

    def of(metric: str, unit: str, images: int = MOST) -> np.ndarray:
        return results.of(metric, network="NIN", unit=unit, images=images)

    def gain(images: int) -> np.ndarray:
        return 100 * (1 - of("test_error", "RReLU", images) / of("test_error", "ReLU", images))

    units = results.levels("unit", network="NIN", images=MOST)
    test, train = ({unit: of(f"{split}_error", unit) for unit in units} for split in ("test", "train"))
    gaps = {unit: test[unit] - train[unit] for unit in units}
    regularises, of_relu = (
        verdicts.decide(REGULARISES, gaps[other] - gaps["RReLU"], "points") for other in ("PReLU", "ReLU")
    )
    return [
        *(verdicts.decide(claim, test["ReLU"] - test[unit], "points") for unit, claim in HELPS.items()),
        verdicts.decide(SMALL_SLOPE, test["ReLU"] - test["LReLU 0.01"], "points"),
        verdicts.decide(FITS, lowest("PReLU", train)),
        regularises._replace(found=f"{regularises.found}; than ReLU's, {of_relu.verdict.value}: {of_relu.found}"),
        verdicts.decide(RULES, of("test_error_mean_slope", "RReLU") - test["RReLU"], "points"),
        verdicts.decide(FEWER_IMAGES, gain(FEWER) - gain(MOST), "percent"),
    ]


def lowest(unit: str, errors: dict[str, np.ndarray]) -> np.ndarray:
    """Return for each seed whether a unit's error is below all others', NaN where a run diverged."""
    others = np.min([errors[other] for other in errors if other != unit], axis=0)
    return verdicts.known(errors[unit] < others, others - errors[unit])
