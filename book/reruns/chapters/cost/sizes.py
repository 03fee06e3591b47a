"""Each unit beside the nearest layer of Keras at every size: in steps, eagerly, with sizes that change, in memory."""

import gc
import inspect
import itertools
import statistics
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.progress import track

import keras_rectifiers as kr
from reruns.chapters.cost import passes, peers, timing
from reruns.chapters.cost.timing import Config

SMALL = 2**17  # a step of fewer elements takes microseconds, and is repeated
STACK = 8  # units one after the other in a small step, for a single one is lost in the step's own time
EAGER = 2**20  # the most elements of an eager call
KEPT = ((128,), (16, 16, 64))  # shapes of a trial whose memory is looked at


def nearest(unit: str, rank: int) -> keras.layers.Layer:
    """Return the layer of Keras that stands nearest to a unit; beside one that draws noise, the one without noise."""
    if unit == "PReLU":
        return keras.layers.PReLU("ones", shared_axes=list(range(1, rank - 1)))
    if unit == "RReLU":
        return keras.layers.LeakyReLU(1 / 5.5)
    return keras.layers.ReLU() if unit == "NReLU" else peers.KERAS[unit]()


def at_every_size(config: Config) -> list[dict]:
    """Time a training step and eager calls of each unit over the same of the nearest layer of Keras."""
    rows = []
    for shape in config.sizes:
        settings = {"step": _step, "step under XLA": _step_under_xla}
        if np.prod(shape) <= EAGER:
            settings |= {"eager inference": _eager_inference, "eager training": _eager_training}
        for (setting, make), unit in itertools.product(settings.items(), peers.OURS):
            rows.append({"setting": setting, "size": list(shape), **_pair(setting, make, unit, shape, config)})
    return rows


def _pair(setting: str, make: Callable, unit: str, shape: tuple, config: Config) -> dict:
    small = np.prod(shape) <= SMALL
    units = STACK if small and "step" in setting else 1
    ours, theirs = (
        timing.Case(make([maker() for _ in range(units)], shape), 1, 20 if small else 1)
        for maker in (peers.OURS[unit], lambda: nearest(unit, len(shape)))
    )
    label = f"{setting}, {unit}, {np.prod(shape)} elements"
    measured = timing.in_turns({"ours": ours}, theirs, config.rounds, config.patience, label)["ours"]
    own, ratio = measured["milliseconds"] / units, measured["over_floor"]
    return {"unit": unit, "milliseconds": own, "over_nearest": ratio, "more_milliseconds": own * (1 - 1 / ratio)}


def _one_after_the_other(layers: list) -> Callable[[Any], Any]:
    def network(x: Any) -> Any:
        width = x.shape[-1]
        for layer in layers:
            keywords = {"training": True} if "training" in inspect.signature(layer.call).parameters else {}
            x = layer(x, **keywords)
            # CReLU doubles the width and Maxout halves it: back to what the next unit is to have.
            if len(layers) > 1 and x.shape[-1] > width:
                x = x[..., :width] - x[..., width:]
            elif len(layers) > 1 and x.shape[-1] < width:
                x = tf.concat([x, -x], -1)
        return x

    return network


def _trained(layers: list) -> Callable:
    network = _one_after_the_other(layers)

    def both(x: Any) -> Any:
        weights = [weight.value for layer in layers for weight in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = network(x)
        # The output too, or TensorFlow leaves a forward pass out that no gradient reads.
        return y, tape.gradient(y, [x, *weights])

    return both


def _in_graph(layers: list, shape: tuple, jit_compile: bool) -> Callable[[], Any]:
    for layer in layers:
        layer.build((None, *shape[1:]))
    # The batch is unknown, as it is in `fit`.
    spec = tf.TensorSpec((None, *shape[1:]))
    step = tf.function(_trained(layers), [spec], jit_compile=jit_compile, autograph=False)
    return lambda: step(passes.normals(shape))


def _step(layers: list, shape: tuple) -> Callable[[], Any]:
    return _in_graph(layers, shape, jit_compile=False)


def _step_under_xla(layers: list, shape: tuple) -> Callable[[], Any]:
    return _in_graph(layers, shape, jit_compile=True)


def _eager_inference(layers: list, shape: tuple) -> Callable[[], Any]:
    return lambda: layers[0](passes.normals(shape))


def _eager_training(layers: list, shape: tuple) -> Callable[[], Any]:
    layers[0].build((None, *shape[1:]))
    both = _trained(layers)
    passes.repeated(both, passes.normals(shape))
    return lambda: both(passes.normals(shape))


def with_changing_sizes(config: Config) -> list[dict]:
    """Time steps and eager calls on sequences, each of a length that the layer has not met."""
    rows = []
    for setting, unit in track(
        list(itertools.product(("step", "eager inference", "eager training"), peers.OURS)), "changing sizes"
    ):
        ours, theirs = (
            _over_lengths(layer, setting, config.lengths) for layer in (peers.OURS[unit](), nearest(unit, 3))
        )
        more = statistics.median(a - b for a, b in zip(ours, theirs, strict=True))
        row = {"unit": unit, "milliseconds": 1e3 * statistics.median(ours), "more_milliseconds": 1e3 * more}
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        rows.append({"setting": setting, "size": "changing", **row, "over_nearest": ratio})
    return rows


def _over_lengths(layer: keras.layers.Layer, setting: str, lengths: int) -> list[float]:
    layer.build((None, None, 128))
    run: Callable = layer if setting == "eager inference" else _trained([layer])
    if setting == "step":
        run = tf.function(run, [tf.TensorSpec((None, None, 128))], autograph=False)
    several = np.random.default_rng(0).permutation(np.arange(20, 20 + 7 * lengths, 7))
    seconds = []
    for length in several:
        x = tf.random.normal((32, int(length), 128))
        seconds.append(timing.seconds(timing.Case(lambda x=x: run(x), 1)))  # type: ignore[misc]
    return seconds[1:]  # the first one traces


def kept_memory(config: Config) -> list[dict]:
    """Return the MiB that stay after each of many trials with a constant of its own and a cleared session."""
    makers: dict[tuple[str, str], Callable[[float], keras.layers.Layer]] = {
        ("ELU", "ours"): kr.ELU,
        ("ELU", "keras"): keras.layers.ELU,
        ("RReLU", "ours"): lambda number: kr.RReLU(0.1, 0.1 + number),
        ("RReLU", "keras"): keras.layers.LeakyReLU,
    }
    if timing.resident_bytes() is None:
        return []
    rows = []
    for shape, ((unit, by), make) in itertools.product(KEPT, makers.items()):
        label = f"memory of {unit}, {by}, {shape}"
        resident = [_after_a_trial(make(0.1 + 0.02 * trial), shape) for trial in track(range(config.trials), label)]
        settled = resident[config.trials // 3 :]
        rise = (settled[-1] - settled[0]) / (len(settled) - 1)
        rows.append({"unit": unit, "by": by, "size": [64, *shape], "mib_a_trial": rise / 2**20})
    return rows


def _after_a_trial(unit: keras.layers.Layer, shape: tuple) -> Any:
    model = keras.Sequential([keras.Input(shape), unit, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(passes.normals((64, *shape)), np.zeros((64, 1)), verbose=0)
    keras.utils.clear_session()
    del model
    gc.collect()
    return timing.resident_bytes()
