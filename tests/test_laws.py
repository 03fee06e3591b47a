"""Do the units obey the laws that tie them to one another, and the moments their papers give?"""

import math

import keras
import numpy as np
import pytest
from scipy import stats

import keras_rectifiers as kr
from differentiation import to_numpy, value_and_gradients
from keras_rectifiers import activations


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return (3 * rng.normal(size=(64, 12))).astype("float32")


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def test_elu_prelu_rrelu_and_nrelu_have_relu_as_a_limit(x):
    for y in (
        activations.elu(x, 0.0),
        activations.prelu(x, 0.0),
        activations.rrelu(x, 0.0, 0.0, uniform_in="slope"),
        activations.nrelu(x),
    ):
        np.testing.assert_array_equal(to_numpy(y), relu(x))


def test_rrelu_of_one_slope_is_leaky_in_training_and_at_inference(x):
    leaky = np.where(x > 0, x, 0.2 * x)
    for training in (True, False):
        for variable in ("divisor", "slope"):
            y = activations.rrelu(x, 0.2, 0.2, uniform_in=variable, seed=1, training=training)
            np.testing.assert_allclose(to_numpy(y), leaky, rtol=1e-6)


def test_prelu_of_slope_one_is_the_identity_and_of_minus_one_the_absolute_value(x):
    np.testing.assert_array_equal(to_numpy(activations.prelu(x, 1.0)), x)
    np.testing.assert_array_equal(to_numpy(activations.prelu(x, -1.0)), np.abs(x))


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0, 50.0])
def test_the_softplus_lies_log2_over_sharpness_above_the_rectifier_at_most(x, sharpness):
    grid = np.concatenate([x.ravel(), [0.0]]).astype("float32")
    gap = to_numpy(activations.scaled_softplus(grid, sharpness)) - relu(grid)
    assert gap.min() >= 0
    np.testing.assert_allclose(gap.max(), math.log(2) / sharpness, rtol=1e-5)
    assert np.argmax(gap) == len(grid) - 1


def test_maxout_encodes_relu_and_the_absolute_value(x):
    zero = np.zeros_like(x)
    np.testing.assert_array_equal(to_numpy(activations.maxout(np.stack([x, zero], -1), 2))[..., 0], relu(x))
    np.testing.assert_array_equal(to_numpy(activations.maxout(np.stack([x, -x], -1), 2))[..., 0], np.abs(x))


def test_maxout_of_one_piece_is_the_identity_and_of_all_pieces_the_maximum(x):
    np.testing.assert_array_equal(to_numpy(activations.maxout(x, 1)), x)
    np.testing.assert_array_equal(to_numpy(activations.maxout(x, 12)), x.max(-1, keepdims=True))


def test_the_two_groupings_are_permutations_of_one_another(x):
    permuted = x.reshape(64, 4, 3).transpose(0, 2, 1).reshape(64, 12)
    np.testing.assert_array_equal(
        to_numpy(activations.maxout(x, 3, grouping="contiguous")),
        to_numpy(activations.maxout(permuted, 3, grouping="interleaved")),
    )


def test_a_maxout_dense_of_one_piece_is_a_dense_layer(x, rng):
    layer = kr.MaxoutDense(5, pieces=1)
    layer.build(x.shape)
    kernel, bias = rng.normal(size=(12, 5)), rng.normal(size=5)
    layer.set_weights([kernel, bias])
    np.testing.assert_allclose(to_numpy(layer(x)), x.astype("float64") @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_a_maxout_dense_is_the_largest_of_its_affine_maps(x, rng):
    layer = kr.MaxoutDense(5, pieces=3)
    layer.build(x.shape)
    kernel, bias = rng.normal(size=(12, 5, 3)), rng.normal(size=(5, 3))
    layer.set_weights([kernel.reshape(12, 15), bias.reshape(15)])
    expected = (np.einsum("bd,dmk->bmk", x.astype("float64"), kernel) + bias).max(-1)
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


def test_crelu_keeps_the_signal_its_norm_and_its_magnitude(x):
    positive, negative = np.split(to_numpy(activations.crelu(x)), 2, -1)
    np.testing.assert_array_equal(positive - negative, x)
    np.testing.assert_array_equal(positive + negative, np.abs(x))
    np.testing.assert_allclose(
        np.sqrt((positive**2 + negative**2).sum(-1)), np.linalg.norm(x.astype("float64"), axis=-1), rtol=1e-12
    )


def test_crelus_backward_pass_projects_and_so_never_lengthens(x, rng):
    upstream = rng.normal(size=(64, 24))
    _, (gradient,) = value_and_gradients(activations.crelu, [x], upstream)
    assert (np.linalg.norm(gradient, axis=-1) <= np.linalg.norm(upstream, axis=-1)).all()
    # The Jacobian's columns are orthonormal: every row of identity comes back with length 1.
    for unit in range(12):
        both = np.zeros((64, 24))
        both[:, [unit, 12 + unit]] = np.stack([x[:, unit] > 0, x[:, unit] < 0], -1)
        _, (pulled,) = value_and_gradients(activations.crelu, [x], both)
        np.testing.assert_allclose(np.linalg.norm(pulled, axis=-1), 1.0)


def test_flipping_twice_gives_the_signal_back_and_flipping_once_cancels_the_mean(rng):
    x = relu(rng.normal(size=(2000, 100))).astype("float32")
    once = to_numpy(activations.sign_flip(x))
    np.testing.assert_array_equal(to_numpy(activations.sign_flip(once.astype("float32"))), x)
    assert abs(once.mean()) < 0.02 * x.mean()


def test_rectifiers_scale_with_their_input(x):
    for unit in (activations.nrelu, activations.prelu, activations.rrelu, activations.crelu):
        np.testing.assert_allclose(to_numpy(unit(8 * x)), 8 * to_numpy(unit(x)), rtol=1e-6)


STANDARD_NORMAL_MEANS = {  # E[f(x)], x ~ N(0, 1): PAPERS' closed forms
    "relu": (activations.nrelu, 1 / math.sqrt(2 * math.pi)),
    "prelu": (activations.prelu, 0.75 / math.sqrt(2 * math.pi)),
    "rrelu": (activations.rrelu, (1 - 1 / 5.5) / math.sqrt(2 * math.pi)),
    "elu": (
        activations.elu,
        1 / math.sqrt(2 * math.pi) + math.exp(0.5) * stats.norm.cdf(-1) - 0.5,
    ),
}


@pytest.mark.parametrize("name", STANDARD_NORMAL_MEANS)
def test_the_mean_response_to_a_standard_normal_is_the_closed_form(name, rng):
    function, expected = STANDARD_NORMAL_MEANS[name]
    y = to_numpy(function(rng.normal(size=1_000_000).astype("float32")))
    assert abs(y.mean() - expected) < 4 * y.std() / 1000


def test_rrelus_training_divisors_are_uniform_on_3_to_8_and_inference_divides_by_5_and_a_half():
    layer, x = kr.RReLU(seed=3), -np.ones((100, 1000), "float32")
    divisors = -1 / to_numpy(layer(x, training=True)).ravel()
    assert stats.kstest(divisors, stats.uniform(3, 5).cdf).pvalue > 1e-3
    again = -1 / to_numpy(layer(x, training=True)).ravel()
    assert abs(np.corrcoef(divisors, again)[0, 1]) < 5 / np.sqrt(divisors.size)
    np.testing.assert_allclose(to_numpy(layer(x)), -1 / 5.5, rtol=1e-6)
    # The paper's inference slope is not the mean training slope.
    assert abs((1 / divisors).mean() - math.log(8 / 3) / 5) < 4 * (1 / divisors).std() / np.sqrt(divisors.size)


def test_rrelus_training_slopes_are_uniform_where_slope_is_the_variable():
    layer, x = kr.RReLU(0.1, 0.5, uniform_in="slope", seed=3), -np.ones((100, 1000), "float32")
    slopes = -to_numpy(layer(x, training=True)).ravel()
    assert stats.kstest(slopes, stats.uniform(0.1, 0.4).cdf).pvalue > 1e-3
    np.testing.assert_allclose(to_numpy(layer(x)), -0.3, rtol=1e-6)


def nrelu_moments(x: float, deviation: float) -> tuple[float, float, float]:
    u = x / deviation
    mean = x * stats.norm.cdf(u) + deviation * stats.norm.pdf(u)
    square = (x**2 + deviation**2) * stats.norm.cdf(u) + x * deviation * stats.norm.pdf(u)
    return mean, math.sqrt(square - mean**2), stats.norm.cdf(u)


@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0, 2.0, 4.0])
def test_nrelu_samples_have_the_closed_forms_moments_sigmoid_being_the_variance(x):
    count = 1_000_000
    y = to_numpy(activations.nrelu(np.full(count, x, "float32"), seed=9, training=True))
    variance = 1 / (1 + math.exp(-x))
    mean, deviation, active = nrelu_moments(x, math.sqrt(variance))
    assert abs(y.mean() - mean) < 4 * deviation / math.sqrt(count)
    assert abs((y > 0).mean() - active) < 4 * math.sqrt(active * (1 - active) / count) + 1e-9
    assert abs(y.std() - deviation) < 0.005
    if x == 0:  # the usual mistake, sigmoid(x) as the standard deviation, is far away
        wrong = nrelu_moments(x, variance)[0]
        assert abs(y.mean() - wrong) > 50 * deviation / math.sqrt(count)


def test_nrelus_gradient_through_the_noise_is_unbiased_for_the_mean():
    for x in (-1.0, 0.0, 1.5):
        batch = np.full(400_000, x, "float32")
        _, (sampled,) = value_and_gradients(lambda t: activations.nrelu(t, seed=4, training=True), [batch])
        _, (of_mean,) = value_and_gradients(lambda t: activations.nrelu(t, "mean"), [batch[:1]])
        assert abs(sampled.mean() - of_mean[0]) < 4 * sampled.std() / np.sqrt(sampled.size)


def test_nrelu_samples_approach_a_stepped_sigmoid_unit_of_many_copies():
    # Nair and Hinton's equation 7: the sum of the copies' probabilities is nearly softplus.
    grid = np.linspace(-10, 10, 201)
    copies = (1 / (1 + np.exp(-(grid[:, None] - np.arange(1, 400) + 0.5)))).sum(1)
    softplus = to_numpy(activations.scaled_softplus(grid.astype("float32")))
    assert np.abs(copies - softplus).max() <= 0.011


def test_prelu_takes_the_weights_of_kerass_own_and_gives_its_outputs(rng):
    x = rng.normal(size=(4, 5, 5, 3)).astype("float32")
    for shared_axes in ([1, 2], None):
        theirs, ours = keras.layers.PReLU(shared_axes=shared_axes), kr.PReLU(shared_axes=shared_axes)
        theirs.build(x.shape)
        ours.build(x.shape)
        theirs.set_weights([rng.normal(size=theirs.alpha.shape)])
        ours.set_weights(theirs.get_weights())
        np.testing.assert_allclose(to_numpy(ours(x)), to_numpy(theirs(x)), rtol=1e-6, atol=1e-7)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("axis", [-1, 1])
def test_crelu_is_tensorflows(axis, rng):
    import tensorflow as tf

    x = rng.normal(size=(4, 5, 3)).astype("float32")
    np.testing.assert_array_equal(to_numpy(kr.CReLU(axis=axis)(x)), tf.nn.crelu(x, axis=axis))
