"""Does the chapter on ReLU's speed build cuda-convnet's networks, find when they arrive, and judge by that?"""

import dataclasses

import keras
import numpy as np
import pytest

from reruns.chapters import six_times_faster as six
from reruns.claims import Verdict
from reruns.data import pipelines
from reruns.results import Results
from reruns.units import UNITS

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("network", "weights"), [("19pct", 89_578), ("80sec", 145_578)])
def test_the_small_convnets_have_as_many_weights_as_cuda_convnets(network, weights):
    model = six.NETWORKS[network](UNITS["ReLU"], six.Start("cuda-convnet", 0), (32, 32, 3))
    assert model.count_params() == weights


def test_the_perceptron_has_two_hidden_layers():
    model = six.perceptron(UNITS["tanh"], six.Start("Keras", 0), (28, 28, 1))
    assert model.count_params() == 785 * 256 + 257 * 256 + 257 * 10


def test_cuda_convnets_start_has_its_deviations_and_keras_s_is_keras_s():
    kernels = {
        start: [
            w for w in six.small_convnet(UNITS["ReLU"], six.Start(start, 3), (32, 32, 3)).get_weights() if w.ndim > 1
        ]
        for start in six.STARTS
    }
    deviations = [kernel.std() for kernel in kernels["cuda-convnet"]]
    np.testing.assert_allclose(deviations, [1e-4, 0.01, 0.01, 0.01], rtol=0.05)
    # Glorot's uniform distribution ends at the root of 6 over the sum of both fans.
    limits = [np.sqrt(6 / (np.prod(k.shape[:-2]) * (k.shape[-2] + k.shape[-1]))) for k in kernels["Keras"]]
    np.testing.assert_allclose([np.abs(k).max() for k in kernels["Keras"]], limits, rtol=0.02)


def test_one_seed_gives_both_units_the_same_weights():
    relu, tanh = (six.small_convnet(UNITS[unit], six.Start("Keras", 5), (32, 32, 3)) for unit in ("ReLU", "tanh"))
    for one, other in zip(relu.get_weights(), tanh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [([60, 30, 20], 2.5), ([25, 10], 1.0), ([60, 25], 2.0), ([60, 40, 26], None), ([60, 20, 40, 10], 1.875)],
)
def test_an_arrival_is_interpolated_between_epochs(errors, expected):
    assert six.arrival([*errors, np.nan], 25.0) == expected


def test_a_training_ends_where_it_arrives(monkeypatch):
    class Fixed(keras.callbacks.Callback):
        """Reports one accuracy after another, in place of what was measured."""

        def on_epoch_end(self, epoch, logs=None):
            logs["accuracy"] = (0.5, 0.7, 0.75, 0.9)[epoch]

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    data = np.zeros((4, 2)), np.zeros(4)
    history = model.fit(*data, epochs=4, verbose=0, callbacks=[Fixed(), six.UntilArrived(25.0)]).history
    assert len(history["loss"]) == 3


@pytest.mark.parametrize(("start", "network"), [*zip(six.STARTS, ("19pct", "perceptron"), strict=True)])
def test_a_trial_measures_training_and_test_error(start, network):
    config = dataclasses.replace(six.Config(), epochs=2, train=200)
    found = six.trial(config, 100, start, network, "ReLU", 1e-3)
    assert len(found["train_error"]) == 2 and 0 <= found["test_error"] <= 100
    assert all(0 <= error <= 100 for error in found["train_error"])
    assert f"with {start}'s start" in six.data(config)["preprocessing"]
    assert pipelines.PIXELS[six.STARTS[start]][0] in six.data(config)["preprocessing"]


def test_each_run_takes_one_of_the_rates_that_were_tried():
    assert {run[:3] for run in six.Config().runs} == set(six.TRIED)
    assert all(run[3] in six.TRIED[run[:3]] for run in six.Config().runs)


JITTER = np.array([0.98, 0.99, 1.0, 1.01, 1.02])


def record(times, cap=200):
    """Return five seeds of curves that arrive after so many epochs, by start, network and unit; inf is never."""

    def curve(time):
        if np.isnan(time):
            return [None]
        # A straight line through the threshold at that time, cut after it.
        epochs = np.arange(1, (cap if np.isinf(time) else int(np.ceil(time))) + 1)
        return [60.0] * cap if np.isinf(time) else list(85 - 60 * epochs / time)

    shared = {"seconds": 1.0, "config": {"epochs": cap, "threshold": 25.0}, "data": {}, "origin": {}}
    return Results(
        [
            {
                "seed": seed,
                "factors": dict(zip(six.FACTORS, (start, network, unit, 0.1), strict=True)),
                "metrics": {"train_error": curve(time * (JITTER[seed] if unit == "tanh" else 1))},
                **shared,
            }
            for seed in range(5)
            for (start, network, unit), time in times.items()
        ]
    )


def verdicts(**changed):
    """Return the verdicts on a record in which tanh takes so many times as long, by setting; ReLU takes ten epochs."""
    ratios = {"convnet": 6.0, "keras": 1.0, "deeper": 3.0, "perceptron": 1.5, **changed}
    settings = (
        ("cuda-convnet", "19pct"),
        ("Keras", "19pct"),
        ("cuda-convnet", "80sec"),
        ("cuda-convnet", "perceptron"),
    )
    times = {}
    for setting, ratio in zip(settings, ratios.values(), strict=True):
        times[(*setting, "ReLU")], times[(*setting, "tanh")] = 10.0, 10.0 * ratio
    return [judgement.verdict for judgement in six.judge(record(times))]


def test_what_the_paper_says_is_confirmed_and_its_contrary_refuted():
    assert verdicts() == [CONFIRMED] * 5
    assert verdicts(convnet=0.8, keras=1.2, deeper=0.9, perceptron=0.9) == [REFUTED] * 5


def test_several_times_is_not_six_times():
    assert verdicts(convnet=3.0)[:2] == [CONFIRMED, REFUTED]
    assert verdicts(convnet=1.8)[0] is INCONCLUSIVE


def test_a_tanh_that_never_arrives_is_a_bound():
    several, six_times, by_start, *_ = verdicts(convnet=np.inf)
    assert (several, six_times, by_start) == (CONFIRMED, INCONCLUSIVE, CONFIRMED)
    assert verdicts(keras=np.inf)[2] is INCONCLUSIVE


def test_a_run_that_diverged_decides_nothing():
    assert verdicts(convnet=np.nan)[:3] == [INCONCLUSIVE] * 3
