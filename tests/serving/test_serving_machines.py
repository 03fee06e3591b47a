"""Are machines, their stacks and the siamese model served as Keras computes them, and chains by their seed?"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_serving import Exported, exported, normals

from keras_rectifiers import serving
from keras_rectifiers.rbm import RBM, Binary, Gaussian, NReLU, SteppedSigmoid, siamese, stacked
from keras_rectifiers.serving.__main__ import main

pytestmark = pytest.mark.xdist_group("serving models")

layers = keras.layers


def machine(visible=Binary, hidden=Binary, **arguments) -> RBM:
    made = RBM(5, visible=visible(), hidden=hidden(), kernel_scale=0.5, seed=1, **arguments)
    made.build((None, 6))
    made.visible_biases.assign(np.linspace(-0.5, 0.5, 6))
    return made


def bits(cases: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 2, (cases, 6)).astype("float32")


@pytest.fixture(scope="module")
def binary(tmp_path_factory) -> Exported:
    made = machine(chains=100)
    made.initialize(bits(50))
    return exported(made, tmp_path_factory.mktemp("served") / "binary", sample=True)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory) -> Exported:
    return exported(machine(Gaussian, NReLU), tmp_path_factory.mktemp("served") / "noisy", sample=True)


def test_the_signatures_of_a_machine_are_its_methods(binary, noisy):
    for served in (binary, noisy):
        v, made = bits(7), served.model
        np.testing.assert_allclose(served(visible=v)["hidden"], made.transform(v), rtol=1e-5)
        np.testing.assert_allclose(served("transform", visible=v)["hidden"], made.transform(v), rtol=1e-5)
        np.testing.assert_allclose(served("reconstruct", visible=v)["visible"], made.reconstruct(v), rtol=1e-5)
    np.testing.assert_allclose(binary("free_energy", visible=v)["free_energy"], binary.model.free_energy(v), rtol=1e-5)
    assert "free_energy" not in noisy.loaded.signatures
    assert binary.shapes() == {"visible": [None, 6]}
    assert binary.shapes("sample") == {"count": [], "sweeps": [], "seed": [2]}


@pytest.mark.parametrize(("count", "sweeps", "seed"), [(3, 0, 5), (40, 1, 5), (40, 7, 2**31 - 1)])
def test_served_chains_are_those_of_the_machine_and_repeat_by_their_seed(binary, noisy, count, sweeps, seed):
    for served in (binary, noisy):

        def chains(*given: int, served: Exported = served) -> np.ndarray:
            request = {"count": count, "sweeps": sweeps, "seed": given}
            return served("sample", **{name: np.array(value, "int32") for name, value in request.items()})["visible"]

        found = chains(seed, 0)
        np.testing.assert_allclose(found, served.model.sample(count, sweeps, seed=seed), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(chains(seed, 0), found)
        assert (chains(seed, 1) != found).any()
    # The Gaussian units have their law's noise.
    assert len(np.unique(found)) == found.size


def test_a_machine_is_served_without_this_package_or_a_compiled_function_and_without_its_chains(binary, noisy):
    for served in (binary, noisy):
        assert b"_XlaMustCompile" not in (served.path / "saved_model.pb").read_bytes()
        found = serving.check(served.path)
        assert "sample" in found.operations and found.warm_up == 2 * len(served.loaded.signatures) - 2
    written = tf.train.list_variables(str(binary.path / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in written if "VARIABLE_VALUE" in name)
    assert shapes == [(5,), (6,), (6, 5)]


def test_a_trained_machine_is_exported_by_the_command(tmp_path, capsys):
    made = machine(hidden=SteppedSigmoid)
    made.save(tmp_path / "machine.keras")
    assert main([str(tmp_path / "machine.keras"), str(tmp_path / "machine")]) == 0, capsys.readouterr().err
    loaded = tf.saved_model.load(tmp_path / "machine" / "1")
    v = bits(4)
    found = loaded.signatures["serving_default"](visible=tf.constant(v))["hidden"]
    np.testing.assert_allclose(found, made.transform(v), rtol=1e-5)
    assert "sample" not in loaded.signatures


def test_a_stack_is_served_with_its_features_from_raw_pixels(tmp_path):
    stack = stacked([layers.Rescaling(1 / 255), machine(hidden=NReLU)], classes=3, seed=1)
    served = exported(stack, tmp_path / "stack", output="logits", features="hidden_1")
    pixels = np.random.default_rng(2).integers(0, 256, (7, 6)).astype("float32")
    np.testing.assert_allclose(served(inputs=pixels)["logits"], stack.predict(pixels, verbose=0), rtol=1e-5)
    hidden = np.maximum(0, pixels / 255 @ stack.get_layer("hidden_1").kernel.numpy())
    np.testing.assert_allclose(served("features", inputs=pixels)["features"], hidden, rtol=1e-5, atol=1e-6)
    serving.check(served.path)


def test_the_siamese_model_is_served_for_pairs(tmp_path):
    model = siamese(stacked([machine(Gaussian, NReLU, hidden_bias="none")]))
    served = exported(model, tmp_path / "faces", output="same")
    a, b = normals(7, 6), np.zeros((7, 6), "float32")
    for second in (a[::-1], b):
        found = served(first=a, second=second)["same"]
        np.testing.assert_allclose(found, model.predict([a, second], verbose=0), rtol=1e-5)
    serving.check(served.path)


REFUSED = {
    "an output's name": (
        {"output": "h"},
        "no argument but `probe`, `sample`, `version` and `card`.*Received: output='h'",
    ),
    "images": ({"preprocess": lambda x: x}, "Received: preprocess="),
    "features": ({"features": True}, "Received: features=True"),
    "another probe": ({"probe": {"inputs": bits(3)}}, "named visible. Received: inputs"),
    "a probe of another width": ({"probe": {"visible": bits(3)[:, :4]}}, "`visible` of shape \\(None, 6\\)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_machine_has_no_use_for_is_refused(what, tmp_path):
    arguments, said = REFUSED[what]
    with pytest.raises(ValueError, match=said):
        serving.export(machine(), tmp_path / "machine", **arguments)


def test_a_machine_that_is_not_built_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected a Keras model that is built.*Received: RBM, not built"):
        serving.export(RBM(3), tmp_path / "machine")
