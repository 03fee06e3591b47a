"""A network of MaxoutDense on MNIST, to be served, and the speed of the served models."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from reruns import exports, verdicts
from reruns.chapters.serving import throughput
from reruns.chapters.serving.served_network import Config, trained
from reruns.claims import Claim, Judgement, Rule
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid
from reruns.results import Results


def trials(config: Config) -> list[Trial]:
    """Return the training of the network, and the speed of each served model at each batch."""
    return [{"part": "training"}, *grid(part=["speed"], model=config.models, batch=config.batches)]


def trial(config: Config, seed: int, part: str, model: str = "", batch: int = 0) -> dict[str, Any]:
    """Train the network and return its accuracies in percent, or time a served model."""
    if part == "training":
        return trained(config, seed)[1]
    return throughput.measured(model, batch)


def best(results: Results) -> int:
    """Return the seed of the network that validated best."""
    return results.seeds[int(np.argmax(results.of("validation_accuracy", part="training")))]


def export(config: Config, results: Results) -> Path:
    """Train the network that validated best again and write it to savedmodels/maxout_dense."""
    seed = best(results)
    keras.utils.set_random_seed(seed)
    model, metrics = trained(config, seed)
    hidden = " - ".join(f"{width} of {config.pieces} pieces" for width in config.widths)
    card = {
        "model": f"784 - {hidden} - 10, MaxoutDense with dropout, of {len(results.seeds)} seeds best in validation",
        "command": "python -m reruns serving --scale paper, from book/",
        "seed": seed,
    }
    splits = pipelines.mnist(config.batch, seed, config.train)
    return exports.of_digits(model, "maxout_dense", splits, metrics["test_accuracy"], card)


OURS = "ours"
SAME_ERROR = 1e-5
SAME = Claim(
    "S-1",
    "an exported model gives Keras's outputs in four runtimes",
    f"largest error ≤ {SAME_ERROR:g} of the largest output",
    OURS,
    Rule.IDENTITY,
)
PLAIN = Claim(
    "S-2",
    "it holds plain operations and draws nothing by default",
    "no such function or operation",
    OURS,
    Rule.IDENTITY,
)
# By the metric that a served model's rows a second are held against.
FAST = {
    peer: Claim(
        number,
        f"served, it is no slower than Keras's predict, called {called}",
        f"of each model and batch Keras's rows a second called {called} over ours, by paired logarithms: U ≤ 1",
        OURS,
        Rule.LIMITS,
    )
    for number, peer, called in (
        ("S-3", "predict_a_call_a_request", "for each request"),
        ("S-4", "predict_one_call", "once for all rows"),
    )
}


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    return [speed(claim, results, peer) for peer, claim in FAST.items()]


def speed(claim: Claim, results: Results, peer: str) -> Judgement:
    """Return whether every model is served as fast as Keras's predict at every batch."""
    found: dict[str, verdicts.Limit] = {}
    for model in results.levels("model"):
        for batch in results.levels("batch", model=model):
            served, keras_s = (results.of(f"{who}_rows_a_second", model=model, batch=batch) for who in ("served", peer))
            found[f"{model}, {batch} rows"] = verdicts.Limit(keras_s / served, 1.0)
    return verdicts.together(claim, found)


EXPERIMENT = Experiment(
    name="serving",
    live=Scale(Config(epochs=3, train=3000), range(1)),
    paper=Scale(Config(), range(5)),
    data=pipelines.of_mnist,
    trials=trials,
    trial=trial,
    claims=(SAME, PLAIN, *FAST.values()),
    judge=judge,
    export=export,
)
