"""What film reviews say, from the words that they hold: depth, rectifier against tanh, pre-training; table 2."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_rectifiers import unit_activity
from keras_rectifiers.autoencoders import SaltAndPepper
from keras_rectifiers.diverging import DivergedError
from reruns import stacks, training
from reruns.chapters.sentiment import claimed, served
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, levels, rows
from reruns.results import Results


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: the unit, how many hidden layers, and whether they are pre-trained; and the rates of both phases.
    runs: tuple[tuple[str, int, bool, float, float], ...] = levels(
        ("none", 0, False, 0.0, 0.1),
        ("rectifier", 1, True, 0.01, 0.01),
        ("rectifier", 3, True, 0.01, 0.01),
        ("tanh", 3, True, 0.01, 0.01),
        ("rectifier", 3, False, 0.0, 0.01),
    )
    # Fixed, the same for all.
    terms: int = 2000
    width: int = 500
    salt_and_pepper: float = 0.05
    masking: float = 0.25
    batch: int = 20
    pretraining_epochs: int = 5
    epochs: int = 8
    measured_reviews: int = 1000


# Of training, with one seed that is not counted.
TRIED = (0.1, 0.01)
FACTORS = ("unit", "layers", "pretrained", "pretraining_rate", "rate")
# For text the paper scales the rectifiers' outputs and takes the cross-entropy, as for tanh.
KINDS = {unit: kind._replace(reconstruction="scaled") for unit, kind in stacks.KINDS.items()}


def data(config: Config) -> dict:
    """Return the record of the reviews."""
    return pipelines.imdb(config.batch, 0, config.terms).record


def trials(config: Config) -> list[Trial]:
    """Return each run's unit, layers, pre-training and rates."""
    return rows(FACTORS, config.runs)


def trial(config: Config, seed: int, **factors: Any) -> dict[str, Any]:
    """Train one network; return its curves, its errors in percent, and the zeros of words and units."""
    return trained(config, seed, **factors)[1]


def trained(
    config: Config, seed: int, unit: str, layers: int, pretrained: bool, pretraining_rate: float, rate: float
) -> tuple[keras.Sequential | None, dict[str, Any]]:
    """Pre-train a stack on the training reviews, or leave it as it was drawn, and train the network that it becomes.

    The epoch that validates best is kept.
    """
    splits = pipelines.imdb(config.batch, seed, config.terms)
    words, unseen = (stacks.inputs_of(of) for of in (splits.train, splits.validation))
    errors: list[list[float]] = []
    if unit == "none":
        kernel = keras.initializers.GlorotUniform(seed=1000 * seed)
        inputs = keras.Input((words.shape[1],))
        network = keras.Sequential([inputs, keras.layers.Dense(2, kernel_initializer=kernel, name="logits")])
    else:
        kind = KINDS[unit]
        stack = stacks.untrained(kind, words.shape[1], layers * (config.width,), seed, noise(config, layers, seed))
        how = {"epochs": config.pretraining_epochs, "batch": config.batch, "seed": seed, "steps_a_call": 10}
        try:
            if pretrained:
                errors = stacks.pretrained(stack, words, unseen, rate=pretraining_rate, **how)
        except DivergedError:
            return None, training.lost(CURVES, NUMBERS)
        network = stacks.network(stack, kind, 2, seed)
    best = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=config.epochs, restore_best_weights=True)
    found = training.fit(
        network,
        splits,
        keras.optimizers.SGD(rate),
        config.epochs,
        metrics=["accuracy", training.cross_entropy()],
        validates_on="validation",
        errors_on=SPLITS,
        callbacks=[best],
        steps_a_call=10,
    )
    reviews = np.asarray(next(iter(splits.test))[0])[: config.measured_reviews]
    activity = unit_activity(network, reviews).values() if layers else ()
    return network, {
        "train_cross_entropy": found["train_cross_entropy"],
        "validation_errors": [100 * (1 - accuracy) for accuracy in found["validation_accuracies"]],
        "reconstruction_errors": errors,
        "zeros": [100 * of_layer.zeros for of_layer in activity],
        "zeros_of_words": 100 * float(np.mean(reviews == 0)),
        **{name: found[name] for name in NUMBERS[1:]},
    }


SPLITS = ("train", "validation", "test")
CURVES = ("train_cross_entropy", "validation_errors", "reconstruction_errors", "zeros")
NUMBERS = ("zeros_of_words", *(f"{split}_error" for split in SPLITS))


def noise(config: Config, layers: int, seed: int) -> list:
    """Return salt and pepper on the words, which are there or are not, and masking noise above."""
    return [SaltAndPepper(config.salt_and_pepper, seed=1000 * seed + 500), *(layers - 1) * [config.masking]]


def export(config: Config, results: Results) -> Any:
    """Train the best network again and write it to savedmodels/reviews."""
    seed = served.best(results)
    keras.utils.set_random_seed(seed)
    network, metrics = trained(config, seed, **served.FACTORS_OF_IT, **served.rates(results))
    assert network is not None
    return served.export(config, network, metrics["test_error"], seed)


LIVE = Config(
    runs=(("none", 0, False, 0.0, 0.1), ("rectifier", 3, True, 0.01, 0.01)),
    terms=300,
    width=50,
    pretraining_epochs=2,
    epochs=3,
)

EXPERIMENT = Experiment(
    name="sentiment",
    live=Scale(LIVE, range(1)),
    paper=Scale(Config(), range(5)),
    data=data,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
    export=export,
)
