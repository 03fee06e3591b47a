"""Is the norm ratio the largest there is, and does its constraint keep a machine below 1?"""

import keras
import numpy as np
import pytest

from differentiation import to_numpy
from keras_rectifiers.rbm import (
    RBM,
    Binary,
    Gaussian,
    NormRatio,
    NReLU,
    Softmax,
    SteppedSigmoid,
    TruncatedGaussian,
    norm_ratio,
)

RECTIFIED = [NReLU(), SteppedSigmoid(), TruncatedGaussian()]


def directions(dimensions: int, count: int = 401) -> np.ndarray:
    """Return a fine grid of unit vectors in two or three dimensions, each a row."""
    # An odd number, so that the axes are among them.
    angle = np.linspace(0, 2 * np.pi, 2 * count - 1)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    if dimensions == 2:
        return circle
    height = np.linspace(-1, 1, count)[:, None, None]
    flat = np.sqrt(1 - height**2) * circle
    return np.concatenate([flat, np.broadcast_to(height, (*flat.shape[:2], 1))], -1).reshape(-1, 3)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("visible", [Gaussian(), TruncatedGaussian()], ids=str)
@pytest.mark.parametrize("hidden", [Gaussian(), NReLU()], ids=str)
def test_the_ratio_is_the_largest_of_all_directions(visible, hidden, dimensions, rng):
    kernel = rng.normal(size=(dimensions, 6)).astype("float32")
    u = directions(dimensions)
    if visible == TruncatedGaussian():
        u = u[(u > -1e-9).all(1)]
    sent = u @ kernel
    sent = np.maximum(sent, 0) if hidden == NReLU() else sent
    np.testing.assert_allclose(norm_ratio(kernel, visible, hidden), np.linalg.norm(sent, axis=1).max(), rtol=2e-4)


@pytest.mark.parametrize("hidden", RECTIFIED, ids=str)
def test_of_rectified_layers_only_what_both_pass_on_counts(hidden):
    kernel = np.diag([-5.0, 0.7, 0.2]).astype("float32")
    np.testing.assert_allclose(norm_ratio(kernel, Gaussian(), hidden), 5, rtol=1e-5)
    np.testing.assert_allclose(norm_ratio(kernel, TruncatedGaussian(), hidden), 0.7, rtol=1e-5)
    np.testing.assert_allclose(norm_ratio(kernel, hidden, TruncatedGaussian()), 0.7, rtol=1e-5)
    assert norm_ratio(-np.abs(kernel), hidden, hidden) == 0


@pytest.mark.parametrize("scale", [1e-12, 1e12, 1e30])
def test_the_ratio_of_the_smallest_and_largest_weights_is_in_proportion(scale, rng):
    kernel = rng.normal(size=(5, 4)).astype("float32")
    expected = scale * norm_ratio(kernel, Gaussian(), NReLU())
    np.testing.assert_allclose(norm_ratio(np.float32(scale) * kernel, Gaussian(), NReLU()), expected, rtol=1e-4)


def test_of_two_gaussian_layers_the_ratio_is_the_spectral_norm(rng):
    kernel = rng.normal(size=(30, 20)).astype("float32")
    np.testing.assert_allclose(norm_ratio(kernel, Gaussian(), Gaussian()), np.linalg.norm(kernel, 2), rtol=1e-4)


@pytest.mark.parametrize("bounded", [Binary(), Softmax(3)], ids=str)
def test_a_machine_with_a_layer_of_bounded_units_has_always_a_law(bounded):
    kernel = np.full((3, 3), 9.0, "float32")
    assert norm_ratio(kernel, bounded, NReLU()) == norm_ratio(kernel, Gaussian(), bounded) == 0


@pytest.mark.parametrize("rectified", [True, False])
def test_the_constraint_scales_down_to_its_limit_and_never_up(rectified, rng):
    kernel = rng.normal(size=(8, 5)).astype("float32")
    hidden = NReLU() if rectified else Gaussian()
    bounded = to_numpy(NormRatio(0.8, rectified=rectified)(kernel)).astype("float32")
    np.testing.assert_allclose(norm_ratio(bounded, Gaussian(), hidden), 0.8, atol=0.02)
    np.testing.assert_allclose(bounded / kernel, bounded[0, 0] / kernel[0, 0], rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(NormRatio(5.0)(0.1 * kernel)).astype("float32"), 0.1 * kernel)
    np.testing.assert_array_equal(to_numpy(NormRatio()(0 * kernel)), 0)


def trained(rng: np.random.Generator, **arguments: object) -> RBM:
    # One strong direction, along which the weights grow without a bound.
    data = rng.normal(size=(200, 1)) * np.ones((1, 6)) + 0.1 * rng.normal(size=(200, 6))
    machine = RBM(4, Gaussian(), TruncatedGaussian(), kernel_scale=0.3, seed=1, **arguments)
    machine.compile(keras.optimizers.SGD(0.5), run_eagerly=True)
    machine.fit(data.astype("float32"), batch_size=200, epochs=4, verbose=0)
    return machine


def test_the_constraint_keeps_a_trained_machine_below_1_that_runs_away_without_it(rng):
    with pytest.warns(UserWarning, match="norm ratio is .* the machine has no law.*NormRatio") as given:
        free = trained(rng)
    assert sum("norm ratio" in str(warning.message) for warning in given) == 1
    assert norm_ratio(free.kernel, free.visible, free.hidden) > 1.1
    machine = trained(rng, kernel_constraint=NormRatio(0.95))
    assert 0.85 < norm_ratio(machine.kernel, machine.visible, machine.hidden) < 1


def test_the_constraint_is_saved_by_its_arguments():
    arguments = {"limit": 0.7, "rectified": False, "starts": 3, "steps": 4}
    assert NormRatio(**arguments).get_config() == arguments
    again = keras.constraints.get(keras.saving.serialize_keras_object(NormRatio(**arguments)))
    assert again.get_config() == arguments


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"limit": "1"}, {"rectified": 1}, {"starts": 0}, {"steps": 0}, {"steps": 1.0}],
    ids=str,
)
def test_a_wrong_argument_of_the_constraint_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^Argument `{name}` must be .*\\. Received: {name}="):
        NormRatio(**wrong)
