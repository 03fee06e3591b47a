"""Is a machine that was saved and loaded the same one, and does its training go on as if it had never stopped?"""

import json

import keras
import numpy as np
import pytest

from differentiation import to_numpy
from keras_rectifiers.rbm import (
    RBM,
    Binary,
    Binomial,
    Gaussian,
    NormRatio,
    NReLU,
    Softmax,
    SparsityTarget,
    SteppedSigmoid,
    TruncatedGaussian,
)

ARGUMENTS = {
    "units": 6,
    "visible": Gaussian(noise=True),
    "hidden": Binomial(3),
    "steps": 2,
    "chains": 10,
    "hidden_bias": "tied",
    "statistic": "sample",
    "centered": False,
    "kernel_scale": 0.3,
    "kernel_regularizer": keras.regularizers.L2(0.01),
    "kernel_constraint": NormRatio(0.8, starts=3),
    "sparsity": SparsityTarget(0.2, 0.3),
    "seed": 5,
}


def test_the_config_is_plain_and_makes_an_equal_machine():
    for more in ({}, {"centered": True, "hidden_bias": "free"}):
        arguments = {**ARGUMENTS, **more}
        config = RBM(**arguments, name="machine").get_config()
        assert set(arguments) <= set(config)
        plain = json.loads(json.dumps(config))
        again = RBM.from_config(plain)
        assert again.get_config() == config
        for name, value in arguments.items():
            assert config[name] == keras.saving.serialize_keras_object(value)
            if not hasattr(value, "get_config") or name in ("visible", "hidden"):
                assert getattr(again, name) == value


def state_of(machine: RBM) -> dict[str, np.ndarray]:
    state = {variable.path: to_numpy(variable.value) for variable in [*machine.weights, *machine.optimizer.variables]}
    return {**state, "seed": to_numpy(machine.seed_generator.state.value)}


def trained(machine: RBM, data: np.ndarray, epochs: int) -> RBM:
    machine.fit(data, batch_size=10, epochs=epochs, shuffle=False, verbose=0)
    return machine


def fresh(arguments: dict) -> RBM:
    machine = RBM(**{**arguments, "kernel_constraint": None}, name="machine")
    machine.compile(keras.optimizers.SGD(0.05, momentum=0.9, name="sgd"), run_eagerly=True)
    return machine


@pytest.mark.parametrize(
    "arguments", [ARGUMENTS, {"units": 4, "seed": 5, "centered": True, "chains": 6}], ids=["gaussian", "centered"]
)
def test_a_training_that_stopped_goes_on_as_if_it_had_not(arguments, tmp_path, rng):
    data = rng.permuted(np.repeat([0.0, 1.0], 60)).reshape(30, 4)
    data = (2 * data - 1 if "visible" in arguments else data).astype("float32")
    whole = trained(fresh(arguments), data, epochs=4)
    half = trained(fresh(arguments), data, epochs=2)
    half.save(tmp_path / "machine.keras")
    again = keras.saving.load_model(tmp_path / "machine.keras")
    for name, value in state_of(half).items():
        np.testing.assert_array_equal(state_of(again)[name], value, err_msg=name)
    assert any(np.abs(value).max() > 0 for path, value in state_of(again).items() if "momentum" in path)
    assert abs(to_numpy(again.chain.value)).max() > 0
    expected, found = state_of(whole), state_of(trained(again, data, epochs=2))
    assert set(expected) == set(found)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-7, err_msg=name)


def test_weights_alone_hold_the_chains_and_the_seed_too(tmp_path, rng):
    arguments = {"units": 4, "seed": 5, "chains": 6}
    data = rng.integers(2, size=(30, 4)).astype("float32")
    first = trained(fresh(arguments), data, epochs=1)
    first.save_weights(tmp_path / "machine.weights.h5")
    second = RBM(4, seed=9, chains=6)
    second.build((None, 4))
    second.load_weights(tmp_path / "machine.weights.h5")
    np.testing.assert_array_equal(to_numpy(second.chain.value), to_numpy(first.chain.value))
    np.testing.assert_array_equal(
        to_numpy(second.seed_generator.state.value), to_numpy(first.seed_generator.state.value)
    )


UNITS = [Binary(), Binomial(3), Softmax(3), Gaussian(), SteppedSigmoid(), TruncatedGaussian(), NReLU()]


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_a_machine_of_every_unit_comes_back_with_its_outputs(unit, tmp_path, rng):
    machine = RBM(6, unit, unit, kernel_scale=0.5, seed=1, hidden_bias="none")
    machine.build((None, 6))
    machine.save(tmp_path / "machine.keras")
    again = keras.saving.load_model(tmp_path / "machine.keras")
    assert (again.visible, again.hidden) == (unit, unit)
    v = rng.integers(2, size=(5, 6)).astype("float32")
    for name, value in machine(v).items():
        np.testing.assert_array_equal(to_numpy(again(v)[name]), to_numpy(value), err_msg=name)


def test_weights_are_drawn_from_the_seed_normal_and_of_the_scale():
    kernels = []
    for seed in (7, 7, 8):
        machine = RBM(100, kernel_scale=0.2, seed=seed)
        machine.build((None, 80))
        kernels.append(to_numpy(machine.kernel.value))
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).all()
    assert abs(kernels[0].std() / 0.2 - 1) < 0.03 and abs(kernels[0].mean()) < 0.01
