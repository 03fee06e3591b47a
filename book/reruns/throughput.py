"""How long a served model takes to answer, and how many rows a second it gives, beside the Keras model it came from."""

import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from reruns import prediction_server

BATCHES = (1, 32, 256)
CLIENTS = 2
TURNS = 5


class Speed(NamedTuple):
    """Of one batch size: milliseconds of an answer and rows a second, by who gives it."""

    batch: int
    latency: dict[str, float]
    throughput: dict[str, float]


def keras_model(network: keras.Model, version: Path) -> keras.Model:
    """Return a network with the weights of a version that was exported from such a one."""
    loaded = tf.saved_model.load(version)
    # In the order in which the signature reads them, layer by layer.
    variables = loaded.signatures["serving_default"].variables
    network.set_weights([value.numpy() for value in variables])
    return network


def measured(model: keras.Model, name: str, images: np.ndarray, stub: Any, version: Path) -> list[Speed]:
    """Return the speeds of Keras's `predict`, of the SavedModel in this process, and of the server over gRPC."""
    signature = tf.saved_model.load(version).signatures["serving_default"]
    key = next(iter(signature.structured_input_signature[1]))
    return [_of_batch(batch, model, name, images, stub, signature, key) for batch in BATCHES]


def _of_batch(
    batch: int, model: keras.Model, name: str, images: np.ndarray, stub: Any, signature: Callable, key: str
) -> Speed:
    rows = np.resize(images, (batch, *images.shape[1:]))
    answers: dict[str, Callable[[], Any]] = {
        "Keras predict": lambda: model.predict(rows, batch_size=batch, verbose=0),
        "SavedModel, called": lambda: [value.numpy() for value in signature(**{key: tf.constant(rows)}).values()],
        "served, gRPC": lambda: prediction_server.outputs(stub.Predict(prediction_server.request(name, {key: rows}))),
    }
    count = max(16, 256 // batch)
    many = np.resize(images, (batch * count, *images.shape[1:]))
    streams: dict[str, Callable[[], Any]] = {
        "Keras predict": lambda: model.predict(many, batch_size=batch, verbose=0),
        "SavedModel, called": lambda: [answers["SavedModel, called"]() for _ in range(count)],
        "served, gRPC": lambda: _clients(answers["served, gRPC"], count),
    }
    latency = {who: 1e3 * seconds for who, seconds in _in_turns(answers).items()}
    return Speed(batch, latency, {who: batch * count / seconds for who, seconds in _in_turns(streams).items()})


def _clients(answer: Callable[[], Any], count: int) -> None:
    with futures.ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: answer(), range(count)))


def _in_turns(cases: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median seconds of each case; all take turns, so that a slow moment of the machine meets all."""
    taken: dict[str, list[float]] = {who: [] for who in cases}
    for turn in range(TURNS + 1):
        for who, case in cases.items():
            start = time.perf_counter()
            case()
            # The first one traces.
            if turn:
                taken[who].append(time.perf_counter() - start)
    return {who: float(np.median(times)) for who, times in taken.items()}
