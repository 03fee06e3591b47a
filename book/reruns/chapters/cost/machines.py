"""An epoch of contrastive divergence of a binary machine, in processor seconds, beside what others take for it."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from rich.progress import track
from sklearn.neural_network import BernoulliRBM

from keras_rectifiers.rbm import RBM
from reruns.chapters.cost import passes

WIDTHS, BATCH, RATE = (784, 500), 100, 0.05  # MNIST's pixels, and the hidden units of many papers
EPOCH, IMAGES = 60_000, 20_000  # fewer images are timed, and the time of an epoch is proportional
SETTINGS = {"fit": {}, "fit, 20 steps a call": {"steps_per_execution": 20}}


def epochs(images: int, rounds: int) -> list[dict]:
    """Return the processor seconds of an epoch of each, and their ratio to ours in the same round, each in turn."""
    v = (np.random.default_rng(0).random((images, WIDTHS[0])) < 0.13).astype("float32")
    cases = {("ours", name): _ours(v, **setting) for name, setting in SETTINGS.items()}
    if passes.BACKEND == "tensorflow":
        cases |= {("by hand", mode): _by_hand(v, mode) for mode in passes.MODES if mode != "eager"}
    cases["scikit-learn", "fit"] = _scikit_learn(v)
    for run in cases.values():
        run()
    seconds: dict[Any, list[float]] = {name: [] for name in cases}
    for _ in track(range(rounds), f"contrastive divergence on {passes.BACKEND}"):
        for name, run in cases.items():
            start = time.process_time()
            run()
            seconds[name].append((time.process_time() - start) * EPOCH / images)
    own = seconds["ours", "fit"]
    return [
        {
            "by": by,
            "mode": mode,
            "processor_seconds": statistics.median(found),
            "ours_over_it": statistics.median(one / other for one, other in zip(own, found, strict=True)),
        }
        for (by, mode), found in seconds.items()
    ]


def _ours(v: np.ndarray, **setting: Any) -> Callable[[], Any]:
    machine = RBM(WIDTHS[1], seed=0)
    machine.compile(keras.optimizers.SGD(RATE), **setting)
    return lambda: machine.fit(v, batch_size=BATCH, shuffle=False, verbose=0)


def _scikit_learn(v: np.ndarray) -> Callable[[], Any]:
    machine = BernoulliRBM(WIDTHS[1], learning_rate=RATE, batch_size=BATCH, n_iter=1, random_state=0)
    return lambda: machine.fit(v)


def _by_hand(v: np.ndarray, mode: str) -> Callable[[], Any]:
    """Return an epoch of bare products and draws: its gradient by hand, no layers, no metrics and no checks."""
    import tensorflow as tf

    w = tf.Variable(0.01 * tf.random.normal(WIDTHS))
    b, c = (tf.Variable(tf.zeros(width)) for width in WIDTHS)

    def drawn(p: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.random.uniform(tf.shape(p)) < p, p.dtype)

    def step(v: tf.Tensor) -> None:
        p = tf.sigmoid(v @ w + c)
        reconstruction = drawn(tf.sigmoid(tf.matmul(drawn(p), w, transpose_b=True) + b))
        q = tf.sigmoid(reconstruction @ w + c)
        rate = RATE / BATCH
        w.assign_add(rate * (tf.matmul(v, p, transpose_a=True) - tf.matmul(reconstruction, q, transpose_a=True)))
        b.assign_add(rate * tf.reduce_sum(v - reconstruction, 0))
        c.assign_add(rate * tf.reduce_sum(p - q, 0))

    compiled = passes.compiled(step, mode)
    batches = tf.data.Dataset.from_tensor_slices(v).batch(BATCH).prefetch(2)

    def epoch() -> None:
        for batch in batches:
            compiled(batch)

    return epoch
