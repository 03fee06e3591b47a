"""Does one seed train the same machine on every backend: TensorFlow eager, as a graph and by XLA, JAX, PyTorch?"""

import itertools

import numpy as np
import pytest

from backends import BACKENDS, arrays_of_each

pytestmark = [pytest.mark.tensorflow_only, pytest.mark.xdist_group("same_training")]

# Each backend trains in a process of its own and leaves its weights in a file.
TRAIN = """
import sys
import keras, numpy as np
from keras import ops
from keras_rectifiers.rbm import RBM, Binary, Gaussian, NReLU, Softmax, SteppedSigmoid, TruncatedGaussian

rng = np.random.default_rng(0)
binary = rng.binomial(1, rng.uniform(size=12), size=(60, 12)).astype("float32")
real = rng.normal(size=(60, 12)).astype("float32")
choices = np.eye(4, dtype="float32")[rng.integers(4, size=(60, 3))].reshape(60, 12)
machines = {
    "binary": (binary, dict(visible=Binary(), hidden=Binary(), steps=2, centered=True)),
    "chains": (binary, dict(visible=Binary(), hidden=SteppedSigmoid(), chains=20, statistic="sample")),
    "rectified": (real, dict(visible=Gaussian(), hidden=NReLU(), hidden_bias="tied")),
    "choices": (choices, dict(visible=Softmax(4), hidden=TruncatedGaussian(), statistic="sample")),
}
paths = {"compiled": {}}
if keras.backend.backend() == "tensorflow":
    paths = {"eager": dict(run_eagerly=True), "graph": dict(jit_compile=False), "compiled": dict(jit_compile=True)}
results = {}
for (name, (data, arguments)), (path, compiling) in ((m, p) for m in machines.items() for p in paths.items()):
    machine = RBM(8, kernel_scale=0.1, seed=11, **arguments)
    machine.initialize(data)
    machine.compile(keras.optimizers.SGD(0.05, momentum=0.5), **compiling)
    machine.fit(data, batch_size=20, epochs=3, shuffle=False, verbose=0)
    for weight in machine.weights:
        results[f"{name}.{weight.name}.{path}"] = ops.convert_to_numpy(weight.value)
    results[f"{name}.sample.{path}"] = ops.convert_to_numpy(machine.sample(10, sweeps=3, seed=2))
np.savez(sys.argv[1], **results)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    return arrays_of_each(TRAIN, tmp_path_factory.mktemp("machines"))


def test_at_least_tensorflow_and_jax_are_compared():
    assert {"tensorflow", "jax"} <= set(BACKENDS)


@pytest.mark.parametrize("machine", ["binary", "chains", "rectified", "choices"])
def test_one_seed_trains_the_same_machine_everywhere(machine, results):
    parts = {name.split(".")[1] for name in results["tensorflow"] if name.startswith(machine)}
    assert {"kernel", "visible_biases", "hidden_biases", "sample"} < parts | {"chain"}
    for part in parts:
        found = [a for own in results.values() for name, a in own.items() if name.startswith(f"{machine}.{part}.")]
        assert len(found) == len(BACKENDS) + 2
        for a, b in itertools.combinations(found, 2):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5, err_msg=part)
