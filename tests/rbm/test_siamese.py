"""Is the siamese model the logistic regression on a cosine, of Keras's layers alone, and has it the cosine's laws?"""

import keras
import numpy as np
import pytest
from scipy import special

from differentiation import to_numpy, value_and_gradients
from keras_rectifiers.rbm import RBM, Binary, NReLU, siamese, stacked

layers = keras.layers
WIDTH = 12


def features(hidden=NReLU, hidden_bias: str = "none") -> keras.Model:
    machines = [RBM(20, hidden=hidden(), hidden_bias=hidden_bias, kernel_scale=0.5, seed=seed) for seed in (1, 2)]
    for machine, width in zip(machines, (WIDTH, 20), strict=True):
        machine.build((None, width))
    network = stacked(machines)
    for layer in network.layers if hidden_bias == "free" else ():
        layer.bias.assign(np.random.default_rng(3).normal(size=20))
    return network


def pairs(cases: int = 8) -> list[np.ndarray]:
    draw = np.random.default_rng(7)
    return [draw.normal(size=(cases, WIDTH)).astype("float32") for _ in range(2)]


def of_numpy(network: keras.Model, a: np.ndarray, b: np.ndarray, w: float, c: float) -> np.ndarray:
    def f(x: np.ndarray) -> np.ndarray:
        for layer in network.layers:
            x = np.maximum(0, x @ layer.kernel_in_float64)
        return x

    for layer in network.layers:
        layer.kernel_in_float64 = to_numpy(layer.kernel)
    fa, fb = f(a.astype("float64")), f(b.astype("float64"))
    cosine = (fa * fb).sum(-1) / np.linalg.norm(fa, axis=-1) / np.linalg.norm(fb, axis=-1)
    return special.expit(w * cosine + c)[:, None]


def test_it_is_the_logistic_function_of_the_cosine_of_both_inputs_features():
    network = features()
    model = siamese(network, name="faces")
    assert (model.name, [tensor.name for tensor in model.inputs]) == ("faces", ["first", "second"])
    a, b = pairs()
    for w, c in ((1.0, 0.0), (3.5, -1.25)):
        if w != 1:
            model.get_layer("same").set_weights([np.array([[w]]), np.array([c])])
        np.testing.assert_allclose(to_numpy(model([a, b])), of_numpy(network, a, b, w, c), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(model([a, a])), special.expit(3.5 - 1.25), rtol=1e-6)


def test_brightness_changes_nothing_for_rectifiers_without_biases_and_something_for_all_others():
    a, b = pairs()

    def largest_change(network: keras.Model) -> float:
        model = siamese(network)
        before = to_numpy(model([a, b]))
        return max(np.abs(to_numpy(model([np.float32(scale) * a, b])) - before).max() for scale in (0.1, 0.5, 2, 10))

    assert largest_change(features()) < 1e-5
    assert largest_change(features(Binary)) > 1e-2
    assert largest_change(features(hidden_bias="free")) > 1e-2


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-18, 1e12])
def test_features_of_any_size_have_a_finite_cosine_and_gradient(size):
    model = siamese(keras.Sequential([keras.Input((2,)), layers.Activation("linear")]))
    a, b = size * np.array([[3.0, 4.0]], "float32"), np.array([[1.0, 0.0]], "float32")
    value, gradients = value_and_gradients(lambda a, b: model([a, b]), [a, b])
    # Of lengths whose square is no normal number in float32 too, the cosine is taken to be that with 0.
    cosine = 0.0 if size < 1e-19 else 0.6
    slope = special.expit(cosine) * special.expit(-cosine)
    np.testing.assert_allclose(value, special.expit(cosine), rtol=1e-6)
    if cosine:
        np.testing.assert_allclose(gradients[0] * size, [[slope * 0.64 / 5, slope * -0.48 / 5]], rtol=1e-4)
        np.testing.assert_allclose(gradients[1], [[0.0, slope * 0.8]], rtol=1e-4, atol=1e-7)
    else:
        np.testing.assert_array_equal(gradients, 0)


def test_training_moves_all_of_it_the_given_network_too():
    network = features(hidden_bias="free")
    model = siamese(network)
    a, b = pairs(40)
    same = np.arange(40) % 2
    b[same == 1] = a[same == 1] + 0.5 * b[same == 1]
    a[0] = 0
    before = [weight.copy() for weight in model.get_weights()]
    model.compile("adam", "binary_crossentropy")
    losses = model.fit([a, b], same[:, None], epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for weight, old in zip(model.get_weights(), before, strict=True):
        assert np.isfinite(weight).all() and (weight != old).any()
    np.testing.assert_array_equal(network.get_weights()[0], model.get_weights()[0])


def test_it_is_saved_and_loaded_as_kerass_own(tmp_path):
    model = siamese(features())
    assert "keras_rectifiers" not in model.to_json()
    model.save(tmp_path / "model.keras")
    a, b = pairs()
    revived = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(revived([a, b])), to_numpy(model([a, b])))


def test_features_in_half_precision_are_compared_in_single():
    x = keras.Input((2,), dtype="float16")
    model = siamese(keras.Model(x, layers.Activation("linear", dtype="float16")(x)))
    # The square of 300 is no number of float16.
    a, b = np.array([[300.0, 400.0]], "float16"), np.array([[1.0, 0.0]], "float16")
    value = model([a, b])
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    np.testing.assert_allclose(to_numpy(value), special.expit(0.6), rtol=1e-6)


def of_images() -> keras.Model:
    return keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3)])


def of_two_inputs() -> keras.Model:
    x, y = keras.Input((2,)), keras.Input((2,))
    return keras.Model([x, y], layers.Add()([x, y]))


REFUSED = {
    "a layer": (lambda: layers.Dense(3, name="alone"), "Received: alone"),
    "not built": (lambda: keras.Sequential([layers.Dense(3)], name="late"), "that is built, .*Received: late"),
    "no vector": (of_images, "Received: .*\\(None, 2, 2, 2\\)"),
    "two inputs": (of_two_inputs, "with one input"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_gives_no_feature_vector_is_refused(what):
    make, said = REFUSED[what]
    with pytest.raises(ValueError, match=said):
        siamese(make())
