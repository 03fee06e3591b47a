"""Are wrong arguments, data and runs refused, in words that name the remedy?"""

import re

import keras
import numpy as np
import pytest
from keras import ops

from differentiation import to_numpy
from keras_rectifiers.rbm import RBM, Binary, FreeEnergyGap, Gaussian, NReLU, Softmax, SparsityTarget, TruncatedGaussian
from specimens import NO_BOOLEANS, NO_INTEGERS, NO_NUMBERS, NO_SEEDS, NO_TEXTS

NO_UNITS = (None, "binary", 1, Binary, [Binary()], keras.layers.ReLU())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("units", (0, -1, *NO_INTEGERS)),
        ("steps", (0, -1, *NO_INTEGERS)),
        ("chains", (0, *NO_INTEGERS[1:])),
        ("visible", NO_UNITS),
        ("hidden", NO_UNITS),
        ("hidden_bias", NO_TEXTS),
        ("statistic", NO_TEXTS),
        ("centered", NO_BOOLEANS),
        ("kernel_scale", (0, -1, *NO_NUMBERS)),
        ("seed", NO_SEEDS),
    ],
)
def test_a_wrong_argument_is_refused(name, wrong):
    for value in wrong:
        with pytest.raises(ValueError, match=f"^Argument `{name}` must be .*\\. Received: {name}="):
            RBM(**{"units": 3, name: value})


@pytest.mark.parametrize("hidden_bias", ["tied", "none"])
def test_centering_without_free_biases_is_refused(hidden_bias):
    with pytest.raises(ValueError, match=re.escape('must be False where `hidden_bias` is not "free"')):
        RBM(3, centered=True, hidden_bias=hidden_bias)


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_refused(dtype):
    with pytest.raises(ValueError, match="Argument `dtype` must be float32 or float64. Received: dtype='b?float16'"):
        RBM(3, dtype=dtype)


@pytest.mark.parametrize(("target", "weight"), [("a", 0.1), (float("nan"), 0.1), (0.1, -1), (0.1, None)])
def test_a_wrong_sparsity_target_is_refused(target, weight):
    with pytest.raises(ValueError, match="Argument `(target|weight)` must be a finite number.*Received: "):
        SparsityTarget(target, weight)


def test_groups_that_do_not_divide_a_layer_are_refused():
    with pytest.raises(ValueError, match="a multiple of 3. Received: 4"):
        RBM(4, hidden=Softmax(3))
    with pytest.raises(ValueError, match="a multiple of 3. Received: 4"):
        RBM(3, visible=Softmax(3)).build((None, 4))


def compiled(visible: object = Binary(), **arguments: object) -> RBM:
    machine = RBM(2, visible, seed=1, **arguments)
    machine.compile("sgd", run_eagerly=True)
    return machine


ZEROS = np.zeros((6, 4), "float32")


@pytest.mark.parametrize("task", ["fit", "initialize"])
@pytest.mark.parametrize(
    ("visible", "data", "message"),
    [
        (Binary(), np.full((6, 4), 255, "uint8"), "divide pixels by 255. Received: values from 255 to 255"),
        (Binary(), ZEROS + 100, "Binary.* expected values in .0, 1.; divide pixels by 255. Received: values from 100"),
        (Binary(), ZEROS - 0.5, "expected values in .0, 1.. Received: values from -0.5 to -0.5"),
        (Binary(), ZEROS * np.nan, "expected values in .0, 1.. Received: values from nan to nan"),
        (Softmax(2), ZEROS + 2, "expected values in .0, 1.; divide pixels by 255. Received: values from 2"),
        (TruncatedGaussian(), ZEROS - 1, "expected values in .0, inf.. Received: values from -1"),
    ],
    ids=str,
)
def test_data_outside_the_units_range_are_refused(visible, data, message, task):
    machine = compiled(visible)
    with pytest.raises(ValueError, match=message):
        getattr(machine, task)(data)


@pytest.mark.parametrize("task", ["fit", "initialize"])
@pytest.mark.parametrize("shape", [(6, 2, 2), (6,), (6, 2, 2, 1)])
def test_images_that_are_not_flattened_are_refused(shape, task):
    with pytest.raises(ValueError, match=r"expected data of shape \(cases, visible\). Received: shape \(6,"):
        getattr(compiled(), task)(np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match=r"expected data of shape \(cases, visible\). Received: shape \(6,"):
        getattr(compiled(), task)([np.zeros(shape, "float32")])


@pytest.mark.parametrize("data", [{"x": ZEROS}, [[0.0, 1.0], [1.0, 0.0]]], ids=["dictionary", "lists"])
def test_data_that_are_no_array_are_refused(data):
    with pytest.raises(ValueError, match=r"expected data of shape \(cases, visible\). Received: shape"):
        compiled().fit(data)


@pytest.mark.parametrize("shape", [(6, 3), (6, 2, 4), (4,)])
def test_states_of_another_shape_than_the_machines_are_refused(shape):
    machine = compiled()
    machine.build((None, 4))
    wrong = np.zeros(shape, "float32")
    calls = [machine, machine.transform, machine.reconstruct, machine.free_energy, lambda v: machine.sample(6, start=v)]
    calls += [lambda v: machine.energy(v, np.zeros((6, 2))), lambda h: machine.energy(ZEROS, h)]
    for call in calls:
        with pytest.raises(ValueError, match=r"RBM expected states of shape \(batch, [24]\). Received: shape"):
            call(wrong)


def test_a_machine_without_weights_says_where_they_come_from():
    for call in (RBM(2).transform, RBM(2).free_energy, lambda v: RBM(2).sample(3)):
        with pytest.raises(ValueError, match="a machine that `initialize` or `fit` has given weights. Received: <RBM"):
            call(ZEROS)


@pytest.mark.parametrize(("count", "sweeps", "seed"), [(0, 1, 0), (1, -1, 0), (1.5, 1, 0), (1, 1, -1), (1, 1, None)])
def test_a_wrong_argument_of_sample_is_refused(count, sweeps, seed):
    machine = compiled()
    machine.build((None, 4))
    with pytest.raises(ValueError, match="Argument `(count|sweeps|seed)` must be .*Received: "):
        machine.sample(count, sweeps=sweeps, seed=seed)


def test_as_many_chains_start_as_are_asked_for():
    machine = compiled()
    machine.build((None, 4))
    with pytest.raises(ValueError, match="Argument `start` must be of as many states as chains, 3. Received: start="):
        machine.sample(3, start=ZEROS)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float64"])
def test_states_of_another_type_are_the_same_numbers(dtype, rng):
    data = rng.integers(2, size=(12, 4))
    weights = []
    for typed in (data.astype("float32"), data.astype(dtype)):
        machine = compiled(chains=6, centered=True)
        machine.initialize(typed)
        history = machine.fit(typed, shuffle=False, verbose=0, validation_data=(typed,)).history
        weights.append([*machine.get_weights(), *history.values(), to_numpy(machine(typed)["free_energy"])])
    for expected, found in zip(*weights, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_a_pipeline_of_another_type_is_taken_too(dtype, rng):
    import tensorflow as tf

    data = rng.integers(2, size=(12, 4))
    weights = []
    for kind in ("float32", dtype):
        machine = compiled()
        machine.fit(tf.data.Dataset.from_tensor_slices(data.astype(kind)).batch(6), shuffle=False, verbose=0)
        weights.append(machine.get_weights())
    for expected, found in zip(*weights, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 3.0), (5.0, 0.0), (0.1, 0.0)])
def test_gaussian_data_that_are_not_standardized_are_warned_of(scale, shift, rng):
    data = (scale * rng.normal(size=(900, 4)) + shift).astype("float32")
    told = f"standardize the data.*Received: values of mean {data.mean():.3g} and deviation {data.std():.3g}"
    for task in ("initialize", "fit"):
        machine = compiled(Gaussian())
        machine.compile(keras.optimizers.SGD(1e-6), run_eagerly=True)
        with pytest.warns(UserWarning, match=told):
            machine.initialize(data) if task == "initialize" else machine.fit(data, batch_size=900, verbose=0)


def test_one_unit_of_far_too_large_values_is_warned_of_where_the_layer_is_standardized(rng):
    data = (rng.normal(size=(900, 400)) * 0.8).astype("float32")
    data[:, 7] = 3 + 6 * rng.normal(size=900)
    assert 0.5 < data.std() < 2
    told = f"Received: values of unit 7 of mean {data[:, 7].mean():.3g} and deviation {data[:, 7].std():.3g}"
    machine = compiled(Gaussian())
    machine.compile(keras.optimizers.SGD(1e-6), run_eagerly=True)
    for task in (machine.initialize, lambda given: machine.fit(given, batch_size=900, verbose=0)):
        with pytest.warns(UserWarning, match=told):
            task(data)
    with pytest.warns(UserWarning, match=told):
        machine.initialize([data[:500], data[500:]])
    # Pixels that are standardized together differ by as much as this.
    data[:, 7] = 4.5 * np.sign(rng.normal(size=900))
    machine.initialize(data)


def test_standardized_data_are_not_warned_of(rng):
    data = rng.normal(size=(900, 4)).astype("float32")
    machine = compiled(Gaussian())
    machine.initialize(data)
    machine.fit(data, batch_size=900, verbose=0)


def test_data_that_can_be_read_once_lose_nothing_to_the_check(rng):
    batches = ((rng.integers(2, size=(5, 4)).astype("float32"),) for _ in range(3))
    machine = compiled()
    # Keras warns of a batch too few, and that it does not shuffle.
    machine.fit(batches, shuffle=False, steps_per_epoch=3, verbose=0)
    assert int(ops.convert_to_numpy(machine.optimizer.iterations)) == 3


@pytest.mark.parametrize("data", [[], np.zeros((0, 4), "float32")], ids=["no batches", "no rows"])
def test_no_data_are_refused(data):
    with pytest.raises(ValueError, match="Expected data of at least one case. Received: "):
        RBM(2).initialize(data)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(wrong):
    data = np.tile(np.float32([-1, 1]), (6, 2))
    data[3, 1] = wrong
    for task in ("initialize", "fit"):
        with pytest.raises(ValueError, match="Gaussian.* units expected finite values. Received: values from"):
            getattr(compiled(Gaussian()), task)(data)


def test_the_last_row_and_the_validation_data_are_looked_at_too():
    data = np.zeros((1200, 4), "float32")
    late = data.copy()
    late[-1] = 255
    told = "expected values in .*divide pixels by 255. Received: values from 0 to 255"
    with pytest.raises(ValueError, match=told):
        compiled().fit(late, verbose=0)
    for held_out in (late, (late, None)):
        with pytest.raises(ValueError, match=told):
            compiled().fit(data, validation_data=held_out, verbose=0)


def test_batches_that_are_not_standardized_are_warned_of_once(rng):
    batches = list((rng.normal(size=(10, 10, 4)) + 3).astype("float32"))
    with pytest.warns(UserWarning, match="standardize the data") as warned:
        compiled(Gaussian()).initialize(batches)
    assert len(warned) == 1
    whole = np.concatenate(batches)
    assert f"values of mean {whole.mean():.3g} and deviation {whole.std():.3g}" in str(warned[0].message)


def test_a_run_that_diverges_is_stopped_with_the_cause_and_the_remedies(rng):
    data = rng.normal(size=(50, 4)).astype("float32")
    machine = RBM(3, Gaussian(), NReLU(), kernel_scale=1.0, steps=20, seed=1)
    machine.compile(keras.optimizers.SGD(50.0), run_eagerly=True)
    wanted = "diverged. Lower the learning rate; standardize .*NormRatio.*Received: loss=(nan|-?inf) in epoch"
    with pytest.raises(RuntimeError, match=wanted):
        machine.fit(data, batch_size=10, verbose=0)


def test_the_gap_of_free_energies_is_refused_where_there_are_none():
    machine = RBM(2, Gaussian(), NReLU(), seed=1)
    machine.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="neither energy, free energy nor likelihood; SteppedSigmoid"):
        machine.fit(np.tile(np.float32([-1, 1]), (6, 2)), callbacks=[FreeEnergyGap(ZEROS, ZEROS)], verbose=0)
    # Before the first step, and not after the first epoch.
    assert int(ops.convert_to_numpy(machine.optimizer.iterations)) == 0
