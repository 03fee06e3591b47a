"""How long a served model takes to answer, and how many rows a second it gives, beside the Keras model it came from."""

import json
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reruns import exports
from reruns.chapters import rectifiers
from reruns.chapters.serving import prediction_server, served_network

CLIENTS = 2
TURNS = 5


def card(name: str) -> dict[str, Any]:
    """Return the card of a model of savedmodels/."""
    return json.loads((version_of(name) / "assets.extra" / "card.json").read_text())


def version_of(name: str) -> Path:
    return exports.SAVEDMODELS / name / "1"


def keras_model(name: str) -> keras.Model:
    """Return the Keras network that a model of savedmodels/ came from, with its weights."""
    if name == "digits":
        config = rectifiers.EXPERIMENT.paper.config
        model = rectifiers.network(config, card(name)["unit"], seed=0)
    else:
        model = served_network.network(served_network.Config(), seed=0)
    loaded = tf.saved_model.load(version_of(name))
    # In the order in which the signature reads them, layer by layer.
    variables = loaded.signatures["serving_default"].variables
    model.set_weights([value.numpy() for value in variables])
    return model


def measured(name: str, batch: int) -> dict[str, float]:
    """Return milliseconds of an answer and rows a second: of Keras, of the SavedModel called, and of the server."""
    model = keras_model(name)
    signature = tf.saved_model.load(version_of(name)).signatures["serving_default"]
    key = next(iter(signature.structured_input_signature[1]))
    images = probe(name)
    count = max(16, 256 // batch)
    rows, many = (np.resize(images, (size, *images.shape[1:])) for size in (batch, batch * count))
    with prediction_server.started_apart(exports.SAVEDMODELS) as stub:
        answers: dict[str, Callable[[], Any]] = {
            "predict": lambda: model.predict(rows, batch_size=batch, verbose=0),
            "called": lambda: [value.numpy() for value in signature(**{key: tf.constant(rows)}).values()],
            "served": lambda: _answer(stub, name, rows),
        }
        streams: dict[str, Callable[[], Any]] = {
            "predict_one_call": lambda: model.predict(many, batch_size=batch, verbose=0),
            "called": lambda: [answers["called"]() for _ in range(count)],
            "served": lambda: _clients(answers["served"], count),
        }
        latency = {f"{who}_milliseconds": 1e3 * seconds for who, seconds in _in_turns(answers).items()}
        rates = {f"{who}_rows_a_second": batch * count / seconds for who, seconds in _in_turns(streams).items()}
    a_call = 1e3 * batch / latency["predict_milliseconds"]
    return {**latency, "predict_a_call_a_request_rows_a_second": a_call, **rates}


def probe(name: str) -> np.ndarray:
    """Return the inputs that a model of savedmodels/ is checked with."""
    with np.load(version_of(name) / "assets.extra" / "probe.npz") as stored:
        inputs = [stored[entry] for entry in stored.files if entry.startswith("serving_default:inputs:")]
    return inputs[0]


def largest_error(name: str) -> float:
    """Return how far served outputs are from Keras's, as a share of the largest one."""
    images = probe(name)
    expected = keras_model(name).predict(images, verbose=0)
    with prediction_server.started_apart(exports.SAVEDMODELS) as stub:
        found = _answer(stub, name, images)["probabilities"]
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _answer(stub: Any, name: str, rows: np.ndarray) -> dict[str, Any]:
    return prediction_server.outputs(stub.Predict(prediction_server.request(name, {"images": rows})))


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
