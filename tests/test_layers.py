"""Does each layer keep Keras's contract: shapes, configs, files, precision, masks?"""

import gc
import inspect
import json
import weakref

import keras
import numpy as np
import pytest

import keras_rectifiers
from differentiation import to_numpy
from keras_rectifiers import activations, layers
from specimens import NAMES, SPECIMENS, Specimen

each_layer = pytest.mark.parametrize("specimen", SPECIMENS, ids=NAMES)
stochastic = pytest.mark.parametrize("layer", [keras_rectifiers.RReLU, keras_rectifiers.NReLU])


def batch(specimen: Specimen, size: int = 3) -> np.ndarray:
    return np.random.default_rng(size).normal(size=(size, *specimen.input_shape)).astype("float32")


def model_of(specimen: Specimen) -> keras.Model:
    return keras.Sequential([keras.Input(specimen.input_shape, name="x"), specimen.make(name="unit")])


def on_sequences(specimen: Specimen) -> dict:
    """Return the arguments that make a specimen work on the last axis of any rank."""
    return {name: value for name, value in {"axis": -1, "shared_axes": "spatial"}.items() if name in specimen.arguments}


def mask_of(y: object) -> object:
    return y._keras_mask


def test_every_public_layer_and_function_is_a_specimen():
    assert {s.layer.__name__ for s in SPECIMENS} == set(layers.__all__)
    assert {s.function.__name__ for s in SPECIMENS if s.function} == set(activations.__all__)
    assert set(layers.__all__) < set(keras_rectifiers.__all__)


@each_layer
def test_an_output_that_nobody_holds_is_gone_on_pytorch(specimen):
    if keras.backend.backend() != "torch":
        pytest.skip("TensorFlow's tape and JAX's traces hold what they need themselves")
    layer = specimen.make()
    x = keras.ops.convert_to_tensor(batch(specimen)).requires_grad_()
    gc.disable()
    try:
        held = weakref.ref(
            layer(x, training=True) if "training" in inspect.signature(layer.call).parameters else layer(x)
        )
        assert held() is None
    finally:
        gc.enable()


@each_layer
def test_every_argument_of_the_constructor_is_given_a_value_of_its_own(specimen):
    signature = inspect.signature(specimen.layer.__init__).parameters
    names = [p.name for p in signature.values() if p.name not in ("self", "kwargs")]
    assert set(names) == set(specimen.arguments)
    for name in names:
        assert specimen.arguments[name] != signature[name].default


@each_layer
def test_the_config_is_plain_and_makes_an_equal_layer(specimen):
    config = specimen.make(name="unit").get_config()
    assert set(specimen.arguments) <= set(config)
    plain = json.loads(json.dumps(config))
    assert specimen.layer.from_config(plain).get_config() == config
    for name, value in specimen.arguments.items():
        assert config[name] == keras.saving.serialize_keras_object(value)


def test_every_weight_has_the_initializer_regularizer_and_constraint_of_its_arguments():
    regularizer, constraint = keras.regularizers.L2(0.01), keras.constraints.NonNeg()
    for layer, names in ((keras_rectifiers.PReLU, ["alpha"]), (keras_rectifiers.MaxoutDense, ["kernel", "bias"])):
        for name in names:
            arguments = {f"{name}_initializer": keras.initializers.Constant(0.7)}
            arguments |= {f"{name}_regularizer": regularizer, f"{name}_constraint": constraint}
            unit = layer(4, **arguments) if layer is keras_rectifiers.MaxoutDense else layer(**arguments)
            unit.build((None, 3))
            weight = getattr(unit, name)
            assert weight.regularizer is regularizer
            assert weight.constraint is constraint
            np.testing.assert_allclose(to_numpy(weight.value), 0.7, rtol=1e-6)
            assert len(unit.losses) == 1


@each_layer
def test_the_defaults_make_a_working_layer(specimen):
    layer = specimen.layer(5) if specimen.layer is keras_rectifiers.MaxoutDense else specimen.layer()
    y = layer(batch(specimen))
    assert tuple(y.shape) == tuple(layer.compute_output_shape((3, *specimen.input_shape)))


@each_layer
def test_shapes_are_exact_symbolic_and_eager(specimen):
    layer = specimen.make()
    symbolic = layer(keras.Input(specimen.input_shape))
    assert tuple(symbolic.shape) == (None, *specimen.output_shape)
    assert tuple(layer(batch(specimen)).shape) == (3, *specimen.output_shape)
    assert len(layer.weights) == specimen.weights
    assert len(layer.trainable_weights) == specimen.weights


@each_layer
@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_any_rank_is_taken(specimen, rank):
    shape = (2, 6, 6, 6, 6)[:rank]
    layer = specimen.make(**on_sequences(specimen))
    y = layer(np.ones(shape, "float32"), training=True)
    assert tuple(y.shape) == tuple(layer.compute_output_shape(shape))
    assert tuple(layer(np.ones((3, *shape[1:]), "float32")).shape)[0] == 3


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (keras_rectifiers.ELU(), (None, None, 5), (None, None, 5)),
        (keras_rectifiers.PReLU(), (None, None, None, 5), (None, None, None, 5)),
        (keras_rectifiers.RReLU(), (None, None), (None, None)),
        (keras_rectifiers.NReLU(), (None, None), (None, None)),
        (keras_rectifiers.ScaledSoftplus(), (None, None), (None, None)),
        (keras_rectifiers.SignFlip(), (None, None), (None, None)),
        (keras_rectifiers.CReLU(), (None, None, 5), (None, None, 10)),
        (keras_rectifiers.CReLU(), (None, 5, None), (None, 5, None)),
        (keras_rectifiers.CReLU(axis=1), (None, None, 5), (None, None, 5)),
        (keras_rectifiers.Maxout(5), (None, None, 10), (None, None, 2)),
        (keras_rectifiers.MaxoutDense(3, 4), (None, None, 10), (None, None, 3)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else None,
)
def test_unknown_sizes_stay_unknown_and_run(layer, shape, expected):
    inputs = keras.Input(shape[1:])
    outputs = layer(inputs)
    assert outputs.shape == expected
    model = keras.Model(inputs, outputs)
    for size in (2, 4):
        concrete = tuple(size if n is None else n for n in shape)
        full = tuple(layer.compute_output_shape(concrete))
        assert model(np.ones(concrete, "float32")).shape == full
        assert model.predict(np.ones(concrete, "float32"), verbose=0).shape == full


@each_layer
@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_a_step_of_fit_trains_and_leaves_finite_numbers(specimen, jit_compile):
    if jit_compile is True and keras.backend.backend() != "tensorflow":
        pytest.skip("JAX compiles with auto too, and PyTorch's compiler is no part of this package")
    dense = keras.layers.Dense(specimen.input_shape[-1])
    model = keras.Sequential([keras.Input(specimen.input_shape), dense, specimen.make(), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2))
    model.compile("sgd", "mse", jit_compile=jit_compile)
    before = dense.get_weights()[0]
    history = model.fit(batch(specimen, 16), np.ones((16, 2)), batch_size=5, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert not np.allclose(dense.get_weights()[0], before)


@each_layer
@pytest.mark.parametrize("suffix", ["keras", "weights.h5"])
def test_outputs_are_equal_after_a_file(specimen, suffix, tmp_path):
    model = model_of(specimen)
    path = tmp_path / f"model.{suffix}"
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    model(batch(specimen), training=True)
    if suffix == "keras":
        model.save(path)
        revived = keras.saving.load_model(path)
    else:
        model.save_weights(path)
        revived = model_of(specimen)
        revived.load_weights(path)
    for size in (3, 5):
        np.testing.assert_array_equal(to_numpy(revived(batch(specimen, size))), to_numpy(model(batch(specimen, size))))
    # The next sample too: the generator's state came along.
    np.testing.assert_array_equal(
        to_numpy(revived(batch(specimen), training=True)), to_numpy(model(batch(specimen), training=True))
    )


@stochastic
def test_a_file_without_a_seed_state_leaves_the_default_one(layer):
    unit = layer(seed=5)
    unit(np.ones((2, 3), "float32"), training=True)
    state = np.asarray(unit.seed_generator.state).tolist()
    unit.load_own_variables({})
    assert np.asarray(unit.seed_generator.state).tolist() == state == [5, 1]


@stochastic
def test_a_subclass_with_a_weight_keeps_it_and_the_state(layer, tmp_path):
    class Weighted(layer):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

        def call(self, inputs, training=None):
            return self.scale * super().call(inputs, training=training)

    def model() -> keras.Model:
        return keras.Sequential([keras.Input((3,)), Weighted(seed=5)])

    saved, loaded = model(), model()
    saved.layers[0].scale.assign(3.0)
    saved(np.ones((2, 3), "float32"), training=True)
    saved.save_weights(tmp_path / "m.weights.h5")
    loaded.load_weights(tmp_path / "m.weights.h5")
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(to_numpy(loaded(x, training=True)), to_numpy(saved(x, training=True)))
    assert to_numpy(loaded.layers[0].scale.value) == 3.0


@each_layer
def test_a_subclass_may_take_another_argument(specimen):
    class Wider(specimen.layer):
        def call(self, inputs, extra=None, training=None):
            return super().call(inputs, training=training) + extra

    inputs, extra = keras.Input(specimen.input_shape), keras.Input(specimen.output_shape)
    for outputs in (Wider(**specimen.arguments)(inputs, extra=extra), Wider(**specimen.arguments)(inputs, extra)):
        model = keras.Model([inputs, extra], outputs)
        added = model([batch(specimen), np.ones((3, *specimen.output_shape), "float32")])
        assert tuple(added.shape) == (3, *specimen.output_shape)


@stochastic
@pytest.mark.parametrize("truthy", [1, np.True_])
def test_any_true_value_of_training_draws(layer, truthy):
    x = np.full((2, 50), -0.5, "float32")
    drawn = to_numpy(layer(seed=5)(x, training=truthy))
    np.testing.assert_array_equal(drawn, to_numpy(layer(seed=5)(x, training=True)))
    assert (drawn != to_numpy(layer(seed=5)(x, training=0))).any()


@pytest.mark.parametrize("initial", [np.float32(0.5), np.float64(0.5), 0.5])
def test_prelu_takes_any_number_as_its_initial_slope(initial):
    layer = keras_rectifiers.PReLU(initial)
    layer.build((None, 3))
    np.testing.assert_array_equal(to_numpy(layer.alpha.value), 0.5)
    assert json.dumps(layer.get_config())


@pytest.mark.parametrize("kind", [np.array, keras.ops.convert_to_tensor, keras.Variable])
def test_an_array_as_initializer_is_loaded_again(kind, tmp_path):
    # A float of Python's and one of float32 are equal.
    slopes = [0.25, 0.5, 0.75]
    layers = [keras_rectifiers.PReLU(kind(slopes)), keras_rectifiers.MaxoutDense(1, 3, bias_initializer=kind(slopes))]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.save(tmp_path / "model.keras")
    for layer in keras.saving.load_model(tmp_path / "model.keras").layers:
        again = type(layer).from_config(layer.get_config())
        again.build((None, 3))
        np.testing.assert_array_equal(to_numpy(again.weights[-1].value), slopes)


@pytest.mark.parametrize("shape", [(2,), (1, 4), (0,)])
def test_an_initial_array_of_another_shape_is_refused_in_build(shape):
    for layer in (
        keras_rectifiers.PReLU(np.ones(shape)),
        keras_rectifiers.MaxoutDense(2, kernel_initializer=np.ones((2, *shape))),
        keras_rectifiers.MaxoutDense(2, bias_initializer=np.ones((2, *shape))),
    ):
        with pytest.raises(ValueError, match="initializer` must be an initializer that broadcasts.*Received: "):
            layer.build((None, 4))


def test_prelu_takes_an_array_of_shared_axes():
    assert keras_rectifiers.PReLU(shared_axes=np.array([1, 2])).get_config()["shared_axes"] == [1, 2]


@stochastic
def test_a_seed_repeats_a_run_and_no_two_calls_of_it_are_alike(layer, rng):
    x = rng.normal(size=(50, 40)).astype("float32")
    first, again, other = layer(seed=5), layer(seed=5), layer(seed=6)
    run = [to_numpy(first(x, training=True)) for _ in range(3)]
    np.testing.assert_array_equal(run, [to_numpy(again(x, training=True)) for _ in range(3)])
    for a, b in ((run[0], run[1]), (run[1], run[2]), (run[0], to_numpy(other(x, training=True)))):
        assert (a != b).mean() > 0.3
    np.testing.assert_array_equal(to_numpy(first(x)), to_numpy(other(x, training=False)))


@each_layer
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"])
def test_every_dtype_policy_is_obeyed(specimen, policy):
    if (specimen.layer, policy) == (
        keras_rectifiers.MaxoutDense,
        "float64",
    ) and keras.backend.backend() == "torch":
        pytest.skip("Keras's own matmul narrows float64 to float32 on PyTorch")
    layer = specimen.make(dtype=policy)
    x = batch(specimen)
    for training in (False, True):
        y = layer(x, training=training)
        assert keras.backend.standardize_dtype(y.dtype) == layer.compute_dtype
        assert np.isfinite(to_numpy(y)).all()
    for weight in layer.weights:
        assert weight.dtype == layer.variable_dtype
    full = specimen.make(dtype="float64")
    full.build(x.shape)
    full.set_weights([to_numpy(w) for w in layer.weights])
    tolerance = {"float64": 1e-12, "mixed_float16": 5e-3, "float16": 5e-3}.get(policy, 5e-2)
    np.testing.assert_allclose(to_numpy(layer(x)), to_numpy(full(x)), rtol=tolerance, atol=tolerance)
    symbolic = specimen.make(dtype=policy)(keras.Input(specimen.input_shape))
    assert symbolic.dtype == layer.compute_dtype


@each_layer
def test_the_functional_form_is_the_layer_and_survives_in_a_model_where_the_width_stays(specimen, tmp_path):
    if specimen.function is None:
        pytest.skip("MaxoutDense has weights, and so no functional form")
    registered = keras.saving.get_registered_name(specimen.function)
    assert registered == f"keras_rectifiers>{specimen.function.__name__}"
    assert keras.saving.get_registered_object(registered) is specimen.function
    if specimen.input_shape != specimen.output_shape:
        return
    x = batch(specimen)
    model = keras.Sequential([keras.Input(specimen.input_shape), keras.layers.Activation(specimen.function)])
    np.testing.assert_allclose(to_numpy(model(x)), to_numpy(specimen.function(x)), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(revived(x)), to_numpy(model(x)))


FUNCTION_OF_LAYER = [s for s in SPECIMENS if s.function and s.layer is not keras_rectifiers.PReLU]


@pytest.mark.parametrize("specimen", FUNCTION_OF_LAYER, ids=lambda s: s.layer.__name__)
def test_the_functional_form_computes_what_the_layer_does(specimen):
    arguments = {k: v for k, v in specimen.arguments.items() if k in specimen.function_arguments}
    layer, x = specimen.layer(**arguments), batch(specimen)
    np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(specimen.function(x, **arguments)))


@each_layer
def test_a_mask_passes_through(specimen):
    x = np.ones((3, 4, 6), "float32")
    x[1, 2] = 0
    y = specimen.make(**on_sequences(specimen))(keras.layers.Masking()(x))
    np.testing.assert_array_equal(mask_of(y), (x != 0).any(-1))


def test_crelu_doubles_a_mask_that_covers_its_axis():
    x = np.ones((2, 3, 6), "float32")
    x[0, 1] = 0
    y = keras_rectifiers.CReLU(axis=1)(keras.layers.Masking()(x))
    expected = np.array([[True, False, True] * 2, [True] * 6])
    np.testing.assert_array_equal(mask_of(y), expected)


def test_maxout_refuses_a_mask_that_covers_its_axis():
    with pytest.raises(ValueError, match="Maxout expected an axis that no mask covers.*Received: axis=1"):
        keras_rectifiers.Maxout(2, axis=1)(keras.layers.Masking()(np.ones((2, 4, 6), "float32")))


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({}, (1, 1, 6)),
        ({"data_format": "channels_first"}, (4, 1, 1)),
        ({"shared_axes": None}, (4, 5, 6)),
        ({"shared_axes": [1, 2]}, (1, 1, 6)),
        ({"shared_axes": [-3, -2]}, (1, 1, 6)),
        ({"shared_axes": [-1]}, (4, 5, 1)),
        ({"shared_axes": -1}, (4, 5, 1)),
        ({"shared_axes": [1, 2, 3]}, (1, 1, 1)),
        ({"shared_axes": []}, (4, 5, 6)),
    ],
)
def test_prelu_has_the_slopes_its_shared_axes_say(arguments, shape):
    layer = keras_rectifiers.PReLU(**arguments)
    layer.build((None, 4, 5, 6))
    assert layer.alpha.shape == shape
    np.testing.assert_array_equal(to_numpy(layer.alpha.value), 0.25)


def test_prelu_has_no_weight_decay_unless_it_is_asked_for():
    layer = keras_rectifiers.PReLU()
    layer.build((None, 4))
    assert layer.losses == []
    decayed = keras_rectifiers.PReLU(alpha_regularizer="l2")
    decayed.build((None, 4))
    assert len(decayed.losses) == 1


def test_prelu_refuses_another_number_of_channels_than_it_was_built_for():
    layer = keras_rectifiers.PReLU()
    layer.build((None, 4))
    with pytest.raises(ValueError, match="incompatible"):
        layer(np.ones((2, 1), "float32"))


def test_a_max_norm_bounds_each_column_of_maxout_dense():
    layer = keras_rectifiers.MaxoutDense(3, 2, kernel_constraint=keras.constraints.MaxNorm(0.5, axis=0))
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(np.ones((8, 4)), 100 * np.ones((8, 3)), verbose=0)
    norms = np.linalg.norm(layer.get_weights()[0], axis=0)
    assert norms.max() <= 0.5 + 1e-6
    assert norms.max() > 0.4
