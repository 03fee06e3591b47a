"""Does one seed give the same noise on every backend, eager and compiled?"""

import itertools

import numpy as np
import pytest

from backends import BACKENDS, arrays_of_each

# One worker for the module: each of several would draw all the numbers again.
pytestmark = [pytest.mark.tensorflow_only, pytest.mark.xdist_group("same_noise")]

# Each backend draws in a process of its own and leaves its numbers in a file.
DRAW = """
import sys
import keras, numpy as np
from keras import ops
import keras_rectifiers as kr
from keras_rectifiers import activations, keys, noise

backend = keras.backend.backend()
if backend == "tensorflow":
    import tensorflow as tf
    compiled, graph = (lambda f: tf.function(f, jit_compile=True)), tf.function
elif backend == "jax":
    import jax
    compiled, graph = jax.jit, jax.jit
else:
    compiled = graph = lambda f: f

shape = (40, 50)
x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))
p = ops.sigmoid(0 * x) * np.linspace(0, 1, 50, dtype="float32")
draws = {
    "words": lambda: noise.words(shape, keys.make_key(2**31 - 1, 5)),
    "uniform": lambda: noise.uniform(shape, keys.make_key(2**31 - 1, 5)),
    "bernoulli": lambda: noise.bernoulli(p, keys.make_key(7)),
    "normal": lambda: noise.normal(shape, keys.make_key(7)),
    "rrelu": lambda: activations.rrelu(x, seed=9, training=True),
    "nrelu": lambda: activations.nrelu(x, seed=9, training=True),
}
results = {}
for name, draw in draws.items():
    for path, run in (("eager", draw), ("graph", graph(draw)), ("compiled", compiled(draw))):
        results[f"{name}.{path}"] = ops.convert_to_numpy(run())
# The same through the layers' own generators: the second call, so that the counter takes part.
for layer in (kr.RReLU, kr.NReLU):
    unit = layer(seed=123)
    unit(x, training=True)
    results[f"{layer.__name__.lower()}.layer"] = ops.convert_to_numpy(unit(x, training=True))
np.savez(sys.argv[1], **results)
"""


@pytest.fixture(scope="module")
def draws(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    return arrays_of_each(DRAW, tmp_path_factory.mktemp("draws"))


def pairs(draws: dict, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    arrays = [array for results in draws.values() for key, array in results.items() if key.split(".")[0] == name]
    assert len(arrays) >= 3 * len(BACKENDS)
    return list(itertools.combinations(arrays, 2))


def test_at_least_tensorflow_and_jax_are_compared():
    assert {"tensorflow", "jax"} <= set(BACKENDS)


@pytest.mark.parametrize("name", ["words", "uniform", "bernoulli"])
def test_words_uniforms_and_bernoulli_draws_are_equal_bit_for_bit(name, draws):
    for a, b in pairs(draws, name):
        np.testing.assert_array_equal(a, b)


def ulps_apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a - b) / np.spacing(np.maximum(np.abs(a), np.abs(b)))))


@pytest.mark.parametrize(("name", "bound"), [("normal", 8), ("rrelu", 4)])
def test_normals_and_slopes_agree_within_a_few_ulps(name, bound, draws):
    same = [
        (a, b) for a, b in pairs({k: {n: v for n, v in d.items() if "layer" not in n} for k, d in draws.items()}, name)
    ]
    worst = max(ulps_apart(a, b) for a, b in same)
    assert worst <= bound, f"{name}: {worst} ulps apart"


def test_nrelu_samples_agree_within_a_few_ulps_of_their_terms(draws):
    # x + n cancels where the sum is small, so the distance is held against the size of the terms.
    for a, b in pairs({k: {n: v for n, v in d.items() if "layer" not in n} for k, d in draws.items()}, "nrelu"):
        assert np.abs(a - b).max() <= 8 * np.spacing(np.float32(4.0))


@pytest.mark.parametrize("name", ["rrelu", "nrelu"])
def test_layers_of_one_seed_draw_alike_on_every_backend(name, draws):
    for a, b in itertools.combinations([results[f"{name}.layer"] for results in draws.values()], 2):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=2e-6)
