"""Do replicas draw different noise, and do distributed runs repeat?"""

import keras
import numpy as np
import pytest

import keras_rectifiers as kr
from test_export import every_unit

pytestmark = pytest.mark.tensorflow_only


@pytest.mark.parametrize("layer", [kr.RReLU, kr.NReLU])
def test_replicas_draw_different_noise_and_repeat_it(layer, strategy):
    import tensorflow as tf

    def run() -> list[np.ndarray]:
        with strategy.scope():
            unit = layer(seed=5)
            unit.build((None, 100))
        step = tf.function(lambda: strategy.run(lambda: unit(-0.1 * tf.ones((4, 100)), training=True)))
        return [replica.numpy() for _ in range(2) for replica in strategy.experimental_local_results(step())]

    draws = run()
    assert len(draws) == 4
    for i in range(4):
        for j in range(i):
            assert (draws[i] != draws[j]).mean() > 0.2
    np.testing.assert_array_equal(draws, run())


@pytest.mark.parametrize("jit_compile", ["auto", False])
def test_fit_on_two_replicas_trains_a_model_of_every_layer(strategy, jit_compile, rng):
    x, y = rng.normal(size=(16, 8, 8, 3)).astype("float32"), rng.normal(size=(16, 2)).astype("float32")
    losses = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        with strategy.scope():
            model = every_unit()
            model.compile("sgd", "mse", jit_compile=jit_compile)
        losses.append(model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"])
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(*losses, rtol=1e-5)
