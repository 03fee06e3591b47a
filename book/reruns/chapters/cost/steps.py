"""Training steps of small networks, as `fit` takes them, with each unit and with what a user would write instead."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reruns import networks
from reruns.chapters.cost import passes, peers, timing
from reruns.units import UNITS, Unit


def ours() -> dict[str, Unit]:
    return {unit: layers for unit, layers in UNITS.items() if unit not in ("tanh", "ReLU", "LReLU")}


def theirs(network: str) -> dict[str, Unit]:
    """Return Keras's layers and the compositions; a convolution's PReLU shares its slopes as ours does."""

    def one(make: Callable) -> Unit:
        return lambda seed: [make()]

    flat = {"PReLU": lambda: keras.layers.PReLU("ones")} if network != "convnet" else {}
    return {unit: one(make) for unit, make in {**peers.KERAS, **flat}.items() if unit != "SignFlip"}


def convnet(unit: Unit) -> keras.Model:
    """Return two stages of two 3 x 3 convolutions, of 32 and 64 maps, on 32 x 32 colour images."""
    layers: list[keras.layers.Layer] = [keras.Input((32, 32, 3))]
    for stage, maps in enumerate((32, 64)):
        for depth in range(2):
            layers += [keras.layers.Conv2D(maps, 3, padding="same"), *unit(2 * stage + depth)]
        layers.append(keras.layers.MaxPooling2D())
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(10)])


def perceptron(unit: Unit) -> keras.Model:
    """Return 784 - 512 - 512 - 10."""
    return networks.perceptron(unit, (512, 512), seed=0, inputs=(784,))


def deep(unit: Unit) -> keras.Model:
    """Return ten hidden layers of 256."""
    return networks.perceptron(unit, 10 * (256,), seed=0, inputs=(256,))


NETWORKS = {"perceptron": (perceptron, 128), "convnet": (convnet, 64)}


def step_of(model: keras.Model, batch: int, mode: str) -> Callable[[], Any]:
    """Return the step that `fit` repeats, on one batch of noise."""
    logits = model.layers[-1].activation is not keras.activations.softmax
    model.compile(
        keras.optimizers.SGD(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
        jit_compile=True if mode == "xla" else "auto",
    )
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *model.input_shape[1:]), dtype="float32")
    y = rng.integers(0, 10, batch).astype("int32")
    data = iter(tf.data.Dataset.from_tensors((x, y)).cache().repeat().prefetch(2))
    model.make_train_function()
    return passes.waited(lambda: model.train_function(data))


def networks_over_relu(rounds: int, patience: float) -> list[dict]:
    """Return the step of each network over the step of the same network with ReLU."""
    rows = []
    for (name, (make, batch)), mode in itertools.product(NETWORKS.items(), ("auto", "xla")):
        cases = {
            (unit, by): timing.Case(step_of(make(layers), batch, mode), 1)
            for by, units in (("keras", theirs(name)), ("ours", ours()))
            for unit, layers in units.items()
        }
        measured = timing.in_turns(cases, cases["ReLU", "keras"], rounds, patience, f"{name}, {mode}")
        rows += [
            {
                "network": name,
                "mode": mode,
                "unit": unit,
                "by": by,
                "milliseconds": m["milliseconds"],
                "over_relu": m["over_floor"],
            }
            for (unit, by), m in measured.items()
        ]
    return rows


def first_steps() -> list[dict]:
    """Return the seconds of the first and of the second step of a ten-layer network, and of a second such network."""
    # What the process itself does for the first time is no layer's cost.
    for mode in ("auto", "xla"):
        step_of(deep(UNITS["tanh"]), 64, mode)()
    rows = []
    ten = {(unit, "keras"): theirs("deep")[unit] for unit in ("ReLU", "ELU", "RReLU")}
    ten |= {(unit, "ours"): ours()[unit] for unit in ("ELU", "PReLU", "RReLU", "NReLU")}
    for ((unit, by), layers), mode in itertools.product(ten.items(), ("auto", "xla")):
        peers.forget_programs()
        row: dict[str, Any] = {"unit": unit, "by": by, "mode": mode}
        for network in ("first", "second"):
            step = step_of(deep(layers), 64, mode)
            row[f"{network}_network"] = [timing.seconds(timing.Case(step, 1)) for _ in range(2)]
        rows.append(row)
    return rows


def pipeline_speeds(seconds: float = 5.0) -> list[dict]:
    """Return how many images a second each pipeline of the book gives, and how many its network takes."""
    import tensorflow_datasets as tfds

    from reruns.chapters import rectifiers
    from reruns.data import pipelines

    config = rectifiers.EXPERIMENT.paper.config
    batch = config.batch
    data = pipelines.mnist(batch, seed=0, train=config.train).train
    # The first pass fills the cache.
    passes = [float(tfds.benchmark(data, batch_size=batch).stats.loc["first+lasts", "avg"]) for _ in range(2)]
    model = rectifiers.network(config, "ReLU", seed=0)
    step = step_of(model, batch, "auto")
    step()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        count += 1
    taken = count * batch / (time.perf_counter() - start)
    return [{"pipeline": "digits", "gives_first_pass": passes[0], "gives": passes[1], "network_takes": taken}]
