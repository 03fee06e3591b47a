"""Is a training that runs eagerly the compiled one, and silent?"""

import keras
import numpy as np
import pytest

from differentiation import to_numpy
from keras_rectifiers.rbm import RBM, FreeEnergyGap, NReLU, TruncatedGaussian


@pytest.mark.parametrize("arguments", [{"centered": True}, {"chains": 4}], ids=str)
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


def test_what_watches_a_training_takes_no_number_from_a_tensor_with_a_gradient():
    if keras.backend.backend() != "torch":
        pytest.skip("only PyTorch warns of it")
    import torch

    v = np.eye(4, dtype="float32")
    # It would do so once in a process.
    torch.set_warn_always(True)
    try:
        for unit in (NReLU(), TruncatedGaussian()):
            machine = RBM(2, visible=unit, hidden=unit, seed=1)
            machine.compile("sgd")
            gap = [FreeEnergyGap(v, v)] if unit.has_log_partition else []
            machine.fit(v, callbacks=gap, verbose=0)
    finally:
        torch.set_warn_always(False)
