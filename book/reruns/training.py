"""One way to train: what goes in is a network and its data, what comes out are curves and errors by name."""

import multiprocessing
import sys
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from reruns.data.pipelines import Splits

LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def cross_entropy() -> keras.Metric:
    """Return what measures the cross-entropy of logits where the loss holds penalties too."""
    return keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy", from_logits=True)


def falling_rate(rate: float, epochs: int) -> keras.callbacks.LearningRateScheduler:
    """Return what trains so many epochs at this rate and the rest at a tenth of it."""
    return keras.callbacks.LearningRateScheduler(lambda epoch: rate / (1 if epoch < epochs else 10))


def fit(
    model: keras.Model,
    splits: Splits,
    optimizer: keras.optimizers.Optimizer,
    epochs: int,
    *,
    loss: Any = LOGITS,
    metrics: Sequence[Any] = ("accuracy",),
    validates_on: str | None = None,
    errors_on: Sequence[str] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    steps_a_call: int = 1,
) -> dict[str, Any]:
    """Train a network and return its curves and its errors.

    Args:
        model: the network, its weights drawn from seeds.
        splits: the pipelines; the order of the training batches is theirs.
        optimizer: the optimizer.
        epochs: how many passes over the training images.
        loss: the loss; by default the cross-entropy of logits.
        metrics: what Keras measures beside it.
        validates_on: the split that is looked at after each epoch, if any.
        errors_on: the splits on which the trained network is evaluated.
        callbacks: Keras's.
        steps_a_call: how many steps Keras makes at a time; the numbers are the same to the bit.

    Returns:
        `train_loss` and, for each further metric that is no accuracy, `train_NAME`: one number an epoch, the mean over
        its batches. The same as `SPLIT_...` for the split of `validates_on`, and its `SPLIT_accuracies`. For each
        split of `errors_on` its `SPLIT_error` after training, in percent.
    """
    # Variables that are made while Keras traces a step, which takes seconds, make it trace the step a second time.
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, loss, metrics=list(map(_made, metrics)), steps_per_execution=steps_a_call)
    validation = getattr(splits, validates_on) if validates_on else None
    history = model.fit(
        splits.train,
        validation_data=validation,
        epochs=epochs,
        verbose=2 if _is_watched() else 0,
        shuffle=False,
        callbacks=list(callbacks),
    ).history
    found: dict[str, Any] = {}
    for name, curve in history.items():
        split, metric = (validates_on, name.removeprefix("val_")) if name.startswith("val_") else ("train", name)
        found[f"{split}_{'accuracies' if metric == 'accuracy' else metric}"] = curve
    for split in errors_on:
        found[f"{split}_error"] = error(model, getattr(splits, split))
    return found


def lost(curves: Sequence[str], numbers: Sequence[str]) -> dict[str, Any]:
    """Return what a trial returns whose training was stopped because it diverged: its metrics, none of them known."""
    return {**{name: [float("nan")] for name in curves}, **dict.fromkeys(numbers, float("nan"))}


def _made(metric: Any) -> keras.Metric:
    """Return a metric with its variables, as Keras makes it of the name of the accuracy or of a function."""
    if metric == "accuracy":
        return keras.metrics.SparseCategoricalAccuracy(name=metric)
    if isinstance(metric, keras.Metric):
        return metric
    return keras.metrics.MeanMetricWrapper(metric, name=metric.__name__)


def _is_watched() -> bool:
    """Return whether somebody sees a line an epoch: neither a page that is built nor one of several processes."""
    return sys.stdout.isatty() and multiprocessing.parent_process() is None


def error(model: keras.Model, data: tf.data.Dataset) -> float:
    """Return the share of wrong classes in percent, of a network compiled with Keras's accuracy."""
    return 100 * (1 - model.evaluate(data, verbose=0, return_dict=True)["accuracy"])
