"""Does the one way to train give curves and errors by the names that the chapters read, and show what it does?"""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf

from reruns import training
from reruns.data.pipelines import Splits

X = np.random.default_rng(3).normal(size=(40, 5)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def splits():
    train, rest = (
        tf.data.Dataset.from_tensor_slices((X[rows], Y[rows])).batch(8) for rows in (slice(24), slice(24, 40))
    )
    return Splits(train, rest, rest, {})


def model():
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(2, kernel_initializer=keras.initializers.Zeros())])


def test_a_step_is_gradient_descent_on_the_mean_cross_entropy():
    network = model()
    data = splits()._replace(train=tf.data.Dataset.from_tensors((X[:24], Y[:24])))
    found = training.fit(network, data, keras.optimizers.SGD(0.5), 1)
    # From zero weights each class has probability 1/2.
    np.testing.assert_allclose(found["train_loss"], [np.log(2)], rtol=1e-6)
    gradient = X[:24].T @ (0.5 - np.eye(2)[Y[:24]]) / 24
    np.testing.assert_allclose(network.layers[0].kernel, -0.5 * gradient, rtol=1e-5, atol=1e-7)


def test_curves_and_errors_have_the_names_of_their_splits():
    network = model()
    found = training.fit(
        network, splits(), keras.optimizers.SGD(0.1), 3, validates_on="validation", errors_on=["train", "test"]
    )
    curves = {"train_loss", "train_accuracies", "validation_loss", "validation_accuracies"}
    assert set(found) == curves | {"train_error", "test_error"}
    assert {len(found[name]) for name in curves} == {3}
    wrong = np.argmax(network.predict(X[24:], verbose=0), axis=1) != Y[24:]
    np.testing.assert_allclose(found["test_error"], 100 * wrong.mean(), rtol=1e-5)


def squared_distance(y, y_pred):
    return keras.ops.mean(keras.ops.square(y_pred), axis=-1)


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD(0.1, momentum=0.9), keras.optimizers.Adam()])
def test_a_step_is_traced_once(optimizer):
    network, traced = model(), []
    step = network.train_step
    network.train_step = lambda data: traced.append(data) or step(data)
    measured = ["accuracy", training.cross_entropy(), squared_distance]
    found = training.fit(network, splits(), optimizer, 2, metrics=measured)
    assert len(traced) == 1
    assert set(found) == {"train_loss", "train_accuracies", "train_cross_entropy", "train_squared_distance"}


def test_the_cross_entropy_is_without_the_penalties_that_the_loss_holds():
    drawn = keras.initializers.HeNormal(seed=1)
    dense = keras.layers.Dense(2, kernel_initializer=drawn, kernel_regularizer=keras.regularizers.L2(1.0))
    network, measured = keras.Sequential([keras.Input((5,)), dense]), ["accuracy", training.cross_entropy()]
    found = training.fit(network, splits(), keras.optimizers.SGD(0.0), 1, metrics=measured)
    weights = np.asarray(dense.kernel, "float64")
    logits = X[:24] @ weights
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(24), Y[:24]])
    np.testing.assert_allclose(found["train_cross_entropy"], [expected], rtol=1e-5)
    np.testing.assert_allclose(found["train_loss"], [expected + np.sum(weights**2)], rtol=1e-5)


def test_the_rate_falls_to_a_tenth_after_so_many_epochs():
    network, rates = model(), []
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(float(network.optimizer.learning_rate))
    )
    training.fit(network, splits(), keras.optimizers.SGD(0.1), 5, callbacks=[training.falling_rate(0.5, 4), told])
    np.testing.assert_allclose(rates, [0.5, 0.5, 0.5, 0.5, 0.05])


def test_whoever_watches_sees_an_epoch_a_line_and_a_page_shows_nothing(monkeypatch, capsys):
    training.fit(model(), splits(), keras.optimizers.SGD(0.1), 2)
    assert capsys.readouterr().out == ""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    training.fit(model(), splits(), keras.optimizers.SGD(0.1), 2)
    assert "Epoch 1/2" in terminal.getvalue() and "loss" in terminal.getvalue()
