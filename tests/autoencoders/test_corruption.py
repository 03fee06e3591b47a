"""Does corruption hit the share of inputs that it should, leave the others unscaled, and stop with training?"""

import keras
import numpy as np
import pytest

from differentiation import compiled, to_numpy, value_and_gradients
from keras_rectifiers.autoencoders import MaskingNoise, SaltAndPepper
from specimens import NO_NUMBERS, NO_SEEDS

BOTH = [MaskingNoise, SaltAndPepper]
X = np.full((200, 500), 3.0, "float32")


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("level", [0.0, 0.1, 0.25, 1.0])
def test_a_share_is_hit_and_the_survivors_stay_as_they_are(make, level):
    y = to_numpy(make(level, seed=1)(X, training=True))
    hit = y != 3.0
    # Within four standard errors of the share.
    assert abs(hit.mean() - level) <= 4 * np.sqrt(level * (1 - level) / X.size)
    assert set(np.unique(y[hit])) <= ({0.0} if make is MaskingNoise else {0.0, 1.0})


def test_salt_is_as_frequent_as_pepper_and_both_are_what_is_said():
    y = to_numpy(SaltAndPepper(0.4, low=-1.0, high=2.0, seed=1)(X, training=True))
    for end in (-1.0, 2.0):
        assert abs((y == end).mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / X.size)
    assert set(np.unique(y)) == {-1.0, 2.0, 3.0}


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("training", [None, False])
def test_at_inference_nothing_is_corrupted(make, training):
    np.testing.assert_array_equal(make(1.0, seed=1)(X, training=training), X)


@pytest.mark.parametrize("make", BOTH)
def test_compiled_and_plain_draw_the_same_and_gradients_pass_where_inputs_do(make):
    x = np.random.default_rng(0).normal(size=(16, 8)).astype("float32")
    (y, (g,)), layer = value_and_gradients(lambda x: make(0.5, seed=3)(x, training=True), [x]), make(0.5, seed=3)
    with compiled():
        np.testing.assert_array_equal(to_numpy(layer(x, training=True)), y)
    np.testing.assert_array_equal(g, y == x)
    assert 0 < g.mean() < 1


@pytest.mark.parametrize("make", BOTH)
def test_each_call_draws_anew_and_a_file_goes_on_where_the_layer_stopped(make, tmp_path):
    model = keras.Sequential([keras.Input((500,)), make(0.5, seed=3)])
    first = to_numpy(model(X, training=True))
    model.save(tmp_path / "model.keras")
    second = to_numpy(model(X, training=True))
    assert (first != second).mean() > 0.3
    revived = keras.models.load_model(tmp_path / "model.keras")
    assert revived.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_array_equal(to_numpy(revived(X, training=True)), second)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("make", BOTH)
def test_the_dtype_is_kept(make, dtype):
    y = make(0.5, seed=1, dtype=dtype)(keras.ops.cast(X[:5], dtype), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    assert set(np.unique(to_numpy(keras.ops.cast(y, "float32")))) <= {0.0, 1.0, 3.0}


@pytest.mark.parametrize("make", BOTH)
def test_a_wrong_argument_is_refused(make):
    wrong = {"level": (-0.01, 1.01, *NO_NUMBERS), "seed": NO_SEEDS}
    if make is SaltAndPepper:
        wrong |= {"low": NO_NUMBERS, "high": (-1.0, *NO_NUMBERS)}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=f"^Argument `{name}` must be .*\\. Received: {name}="):
                make(**{name: value})
    with pytest.raises(ValueError, match="expected a floating-point input"):
        make()(np.ones((2, 2), "int32"))
