"""Does a network stay the same but for its rectifiers?"""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_rectifiers as kr


def relu(layer):
    return layers.ReLU()


def residual():
    """Return a functional network with a shared layer, a sum and a model inside, a step away from its first weights."""
    inputs = keras.Input((8, 8, 3), name="images")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    shared = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    inner = [layers.Conv2D(4, 1, name="inner"), layers.BatchNormalization(name="norm"), layers.ReLU(name="unit")]
    block = keras.Sequential([keras.Input((8, 8, 4)), *inner], name="block")
    x = layers.Add(name="sum")([shared(shared(x)), block(x)])
    x = layers.Activation("relu", name="after")(x)
    x = layers.Flatten(name="flat")(layers.Dropout(0.3, seed=4, name="drop")(x))
    model = keras.Model(inputs, layers.Dense(5, "softmax", name="classes")(x), name="residual")
    return stepped(model)


def stepped(model):
    model.compile("adam", "mse")
    model.fit(images(), np.ones((3, *model.output_shape[1:])), verbose=0)
    return model


def images():
    return np.random.default_rng(8).normal(size=(3, 8, 8, 3)).astype("float32")


def outputs(model):
    return ops.convert_to_numpy(model(images()))


def test_a_unit_swapped_for_itself_keeps_every_output_and_every_name():
    model, lines = residual(), []
    swapped = kr.swap(model, relu, report=lines.append)
    np.testing.assert_allclose(outputs(swapped), outputs(model), rtol=1e-6, atol=1e-7)
    assert [layer.name for layer in swapped.layers if not layer.name.endswith("_relu")] == [
        layer.name for layer in model.layers
    ]
    assert (swapped.name, swapped.inputs[0].name) == ("residual", "images")
    assert lines == [
        "first: ReLU instead of relu",
        "shared: ReLU instead of relu",
        "block/unit: ReLU instead of relu",
        "after: ReLU instead of relu",
    ]
    assert swapped.get_layer("block").get_layer("unit") is not model.get_layer("block").get_layer("unit")


def test_what_was_swapped_computes_the_other_unit():
    # The same network, written down anew with the unit's own formula.
    def network(activation):
        inputs = keras.Input((8, 8, 3))
        x = layers.Conv2D(4, 3, activation=activation)(inputs)
        return keras.Model(inputs, layers.Dense(2)(layers.Dense(6, activation)(layers.Flatten()(x))))

    model, expected = stepped(network("relu")), network(lambda x: ops.where(x > 0, x, ops.exp(ops.minimum(x, 0)) - 1))
    expected.set_weights(model.get_weights())
    swapped = kr.swap(model, kr.ELU)
    np.testing.assert_allclose(outputs(swapped), outputs(expected), rtol=1e-5, atol=1e-6)
    assert np.abs(outputs(swapped) - outputs(model)).max() > 1e-3


def test_the_model_that_was_given_stays_as_it_is():
    model = residual()
    before, config = outputs(model), model.get_config()
    kr.swap(model, kr.PReLU).trainable_variables[0].assign(0.0 * model.trainable_variables[0])
    np.testing.assert_array_equal(outputs(model), before)
    assert model.get_config() == config


@pytest.mark.parametrize("unit", [kr.PReLU, kr.RReLU, kr.NReLU, kr.ELU, kr.ScaledSoftplus])
def test_it_trains_and_comes_back_from_its_file(unit, tmp_path):
    swapped = stepped(kr.swap(residual(), unit))
    assert np.isfinite(outputs(swapped)).all()
    swapped.save(tmp_path / "swapped.keras")
    np.testing.assert_allclose(
        outputs(keras.models.load_model(tmp_path / "swapped.keras")), outputs(swapped), rtol=1e-6
    )


def test_each_place_draws_noise_of_its_own():
    swapped = kr.swap(residual(), kr.RReLU)
    units = [layer for layer in swapped.layers if isinstance(layer, kr.RReLU)]
    states = {tuple(ops.convert_to_numpy(unit.seed_generator.state.value).tolist()) for unit in units}
    assert len(units) == len(states) == 3
    with pytest.raises(ValueError, match="units of first and shared would draw the same noise: both have seed 7"):
        kr.swap(residual(), lambda layer: kr.RReLU(seed=7))


def sequence(*others):
    return keras.Sequential([keras.Input((8, 8, 3)), *others, layers.Flatten(), layers.Dense(2, name="last")])


KNOWN = {
    "relu": [
        layers.ReLU(),
        layers.Activation("relu"),
        layers.Dense(4, "relu"),
        layers.SeparableConv2D(4, 3, activation="relu"),
    ],
    "relu6": [layers.ReLU(6), layers.Activation("relu6")],
    "leaky_relu": [
        layers.LeakyReLU(0.2),
        layers.ReLU(negative_slope=0.1),
        layers.Conv2D(4, 3, activation="leaky_relu"),
    ],
    "prelu": [layers.PReLU(shared_axes=[1, 2]), kr.PReLU()],
    "elu": [
        layers.ELU(),
        kr.ELU(),
        layers.Conv2DTranspose(4, 3, activation="elu"),
        layers.Dense(4, kr.activations.elu),
    ],
    "rrelu": [kr.RReLU()],
    "nrelu": [kr.NReLU()],
    "scaled_softplus": [kr.ScaledSoftplus()],
}


@pytest.mark.parametrize(("of", "place"), [(of, place) for of, places in KNOWN.items() for place in range(len(places))])
def test_every_form_of_a_rectifier_is_found_by_its_name_and_by_no_other(of, place):
    layer = KNOWN[of][place]
    model = sequence(type(layer).from_config({**layer.get_config(), "name": "it"}))
    swapped = kr.swap(model, kr.SignFlip, of=of)
    (unit,) = [layer for layer in swapped.layers if isinstance(layer, kr.SignFlip)]
    assert unit.name in ("it", "it_signflip")
    with pytest.raises(ValueError, match="has no rectifier of .*: there is nothing to swap"):
        kr.swap(model, kr.SignFlip, of=set(KNOWN) - {of})


def test_a_function_on_the_tensors_of_a_model_is_a_rectifier_too():
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(ops.relu6(ops.relu(inputs) + 1.0))
    model, lines = keras.Model(inputs, layers.Dense(2)(ops.leaky_relu(ops.elu(x)))), []
    np.testing.assert_allclose(outputs(kr.swap(model, relu)), outputs(model), rtol=1e-6)
    kr.swap(model, kr.PReLU, of=["relu", "relu6", "leaky_relu", "elu"], report=lines.append)
    assert [line.split(" instead of ")[1] for line in lines] == ["relu", "relu6", "elu", "leaky_relu"]


def test_a_rectifier_with_a_threshold_is_none_that_is_known():
    with pytest.raises(ValueError, match="nothing to swap"):
        kr.swap(sequence(layers.ReLU(threshold=0.5), layers.ReLU(max_value=3)), kr.ELU, of=KNOWN)


def test_learned_slopes_go_to_the_unit_that_takes_their_place():
    model = sequence(layers.PReLU(shared_axes=[1, 2], name="slopes"))
    model.get_layer("slopes").set_weights([np.full((1, 1, 3), 0.4)])
    swapped = kr.swap(model, kr.PReLU, of="prelu")
    np.testing.assert_allclose(np.ravel(swapped.get_layer("slopes").get_weights()[0]), [0.4] * 3)
    np.testing.assert_allclose(outputs(swapped), outputs(model), rtol=1e-6)


def test_the_unit_may_depend_on_the_layer():
    model = sequence(layers.LeakyReLU(0.3, name="leaky"), layers.Conv2D(4, 3, activation="relu", name="conv"))

    def unit(layer):
        return kr.ELU(alpha=0.5) if layer.name == "conv" else kr.PReLU("zeros")

    swapped = kr.swap(model, unit, of=["relu", "leaky_relu"])
    assert [type(layer).__name__ for layer in swapped.layers[:3]] == ["PReLU", "Conv2D", "ELU"]
    assert swapped.get_layer("conv_elu").alpha == 0.5


def test_policies_and_frozen_layers_stay():
    model = sequence(layers.Conv2D(4, 3, activation="relu", dtype="mixed_bfloat16", name="conv"))
    model.get_layer("conv").trainable = False
    swapped = kr.swap(model, kr.ELU)
    assert swapped.get_layer("conv_elu").compute_dtype == "bfloat16"
    assert [w.path for w in swapped.trainable_variables] == [w.path for w in model.trainable_variables]
    model.trainable = False
    assert kr.swap(model, kr.ELU).trainable_variables == []


@pytest.mark.parametrize("unit", [kr.CReLU, kr.Maxout])
def test_another_width_is_refused_by_the_layer_unless_new_weights_are_wanted(unit):
    def model():
        return sequence(
            layers.Conv2D(4, 3, activation="relu", name="one"), layers.Conv2D(6, 3, activation="relu", name="two")
        )

    with pytest.raises(ValueError, match=r"one: \w+ makes \(None, 6, 6, [28]\) of \(None, 6, 6, 4\). With new_weights"):
        kr.swap(model(), unit if unit is kr.CReLU else lambda layer: kr.Maxout(2))
    lines, given = [], model()
    swapped = kr.swap(
        given, unit if unit is kr.CReLU else lambda layer: kr.Maxout(2), new_weights=True, report=lines.append
    )
    assert lines[-2:] == ["two: drawn anew", "last: drawn anew"]
    np.testing.assert_array_equal(*(np.asarray(m.get_layer("one").get_weights()[0]) for m in (swapped, given)))
    assert swapped.get_layer("two").kernel.shape[2] == (8 if unit is kr.CReLU else 2)


def test_a_width_that_no_sum_can_take_is_told_by_the_layers_name():
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(3, 1, activation="relu", name="conv")(inputs)
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, x]))
    with pytest.raises(ValueError, match="sum does not fit after the swap"):
        kr.swap(model, kr.CReLU, new_weights=True)


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        (layers.TimeDistributed(layers.Dense(4, "relu"), name="it"), "relu inside a TimeDistributed"),
        (layers.TimeDistributed(layers.ReLU(), name="it"), "ReLU inside a TimeDistributed"),
        (layers.ConvLSTM1D(4, 3, activation="relu", name="it"), "relu inside a ConvLSTM1D"),
    ],
)
def test_a_rectifier_that_cannot_be_reached_is_named(layer, what):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Dense(3, "relu"), layer])
    with pytest.raises(ValueError, match=f"it has {what}, where no layer can take its place"):
        kr.swap(model, kr.ELU)


class Own(keras.Model):
    def call(self, x):
        return ops.relu(x)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((lambda: keras.Sequential([layers.Dense(3, "relu")], name="bare"), kr.ELU), "bare is not built"),
        ((Own, kr.ELU), "Received model of type 'Own'"),
        ((residual, lambda layer: "elu"), "expected a layer for first. Received: 'elu'"),
        ((residual, kr.ELU, "swish"), "expected `of` to name rectifiers, of relu, .*Received: 'swish'"),
        ((residual, kr.ELU, ()), "expected `of` to name rectifiers"),
        ((lambda: layers.ReLU(), kr.ELU), "expected a Keras model"),
    ],
)
def test_what_cannot_be_swapped_is_told(arguments, told):
    make, *others = arguments
    with pytest.raises(ValueError, match=told):
        kr.swap(make(), *others)


# Rectifiers by their published designs: ResNet-50 has 49, after normalizations and sums; VGG-16 one
# after each of 13 convolutions and 2 dense layers.
@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    ("name", "of", "count"), [("ResNet50", "relu", 49), ("VGG16", "relu", 15), ("MobileNetV3Small", "relu6", None)]
)
def test_the_networks_of_keras_applications_keep_their_outputs(name, of, count):
    model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=10)
    lines = []
    swapped = kr.swap(model, (lambda layer: layers.ReLU(6)) if of == "relu6" else relu, of=of, report=lines.append)
    assert count is None or len(lines) == count
    x = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    np.testing.assert_allclose(*(ops.convert_to_numpy(m(x)) for m in (swapped, model)), rtol=1e-4, atol=1e-6)
    other = kr.swap(model, kr.PReLU, of=of)
    assert sum(isinstance(layer, kr.PReLU) for layer in other.layers) == len(lines)
