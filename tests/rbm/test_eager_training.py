"""Is a training that runs eagerly the compiled one?"""

import keras
import numpy as np
import pytest

from differentiation import to_numpy
from keras_rectifiers.rbm import RBM


@pytest.mark.parametrize("arguments", [{}, {"centered": True}, {"chains": 4}], ids=str)
def test_a_training_that_runs_eagerly_gives_the_same_weights(arguments):
    v = np.random.default_rng(5).integers(0, 2, (16, 6)).astype("float32")
    found = []
    for eagerly in (False, True):
        machine = RBM(4, seed=1, kernel_scale=0.5, **arguments)
        machine.compile(keras.optimizers.SGD(0.1), run_eagerly=eagerly)
        machine.initialize(v)
        machine.fit(v, batch_size=8, shuffle=False, verbose=0)
        found.append([to_numpy(weight) for weight in machine.weights])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
