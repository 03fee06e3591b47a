"""Is a machine on two replicas trained as on one device, its chains too?"""

import keras
import numpy as np
import pytest

from keras_rectifiers.rbm import RBM, Gaussian

pytestmark = pytest.mark.tensorflow_only


def trained(scope: object, data: np.ndarray, visible: object, hidden: object, **arguments: object) -> list[np.ndarray]:
    with scope:
        machine = RBM(3, visible, hidden, kernel_scale=0.1, seed=4, **arguments)
        machine.build((None, 4))
        if machine.chains:
            machine.chain.assign(data[: machine.chains])
        machine.compile(keras.optimizers.SGD(0.05, momentum=0.5), jit_compile=False)
    history = machine.fit(data, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    return [*(weight.numpy() for weight in machine.weights), *map(np.array, history.values())]


@pytest.fixture
def data(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(16, 4)).astype("float32")


@pytest.mark.parametrize("arguments", [{}, {"chains": 6}, {"centered": True, "steps": 2}], ids=str)
def test_two_replicas_give_one_devices_steps_where_no_noise_is_drawn(arguments, strategy, data):
    import contextlib

    alone = trained(contextlib.nullcontext(), data, Gaussian(), Gaussian(), **arguments)
    together = trained(strategy.scope(), data, Gaussian(), Gaussian(), **arguments)
    assert len(alone) == len(together) > 6
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
    # A gradient counted twice would show.
    assert np.abs(alone[0] - trained(contextlib.nullcontext(), data[:8], Gaussian(), Gaussian())[0]).max() > 1e-4


def test_the_replicas_chains_draw_noise_of_their_own(strategy, data):
    same = np.tile(np.float32([1.2, -1.0, 0.8, -1.0]), (16, 1))
    chain = trained(strategy.scope(), same, Gaussian(noise=True), Gaussian(noise=True), chains=8)[3]
    assert chain.shape == (8, 4)
    assert len(np.unique(chain)) == 32


def test_chains_that_the_replicas_do_not_divide_are_refused(strategy, data):
    with pytest.raises(ValueError, match="Expected chains that 2 replicas divide. Received: chains=7"):
        trained(strategy.scope(), data, Gaussian(), Gaussian(), chains=7)
