"""Is each kernel compiled where it should be, as seldom as it should be, and plain where it must be?"""

import collections
import gc
import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest

import keras_rectifiers.layers
from differentiation import compiled
from keras_rectifiers import compilation, kernels, keys, noise
from specimens import NAMES, SPECIMENS

pytestmark = pytest.mark.tensorflow_only


def every_kernel() -> Iterator[tuple[str, kernels.Kernel]]:
    for module in pkgutil.iter_modules(keras_rectifiers.layers.__path__):
        members = vars(importlib.import_module(f"keras_rectifiers.layers.{module.name}"))
        for name, member in members.items():
            if isinstance(member, kernels.Kernel):
                yield f"{module.name}.{name}", member


KERNELS = dict(every_kernel())
SLOPES = {"lower": 0.1, "upper": 0.7, "uniform_in": "divisor"}
# The compile-time constants of each kernel, and what it takes beside x of shape (batch, 6).
CALLS = {
    "elu._kernel": ({"alpha": 1.0}, ()),
    "softplus._kernel": ({"sharpness": 2.0}, ()),
    "sign_flip._kernel": ({"axis": 1}, ()),
    "crelu._kernel": ({"axis": 1}, ()),
    "prelu._kernel": ({"shared": (0,)}, (np.ones(6, "float32"),)),
    "maxout._kernel": ({"pieces": 2, "axis": 1, "grouping": "contiguous"}, ()),
    "rrelu._kernel": (SLOPES, (np.array([1, 2, 0], "int32"),)),
    "rrelu._leaky_kernel": ({"slope": 0.2}, ()),
    "nrelu._kernel": ({}, (np.array([1, 2, 0], "int32"),)),
    "nrelu._rectified_kernel": ({}, ()),
    "nrelu._mean_kernel": ({}, ()),
}
each_kernel = pytest.mark.parametrize("name", KERNELS)
each_layer = pytest.mark.parametrize("specimen", SPECIMENS, ids=NAMES)


def test_every_kernel_is_asked():
    assert set(CALLS) == set(KERNELS)


def inputs(name: str, batch: int) -> tuple:
    return tuple(map(keras.ops.convert_to_tensor, (np.ones((batch, 6), "float32"), *CALLS[name][1])))


def gradient_of(name: str, x: tuple) -> object:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x[0])
        y = KERNELS[name](*x, **CALLS[name][0])
    return tape.gradient(y, x[0])


@pytest.fixture
def programs() -> Iterator[dict]:
    """Give each kernel's programs, all compiled in the test: one forward, one backward."""
    for kernel in KERNELS.values():
        kernel.forget()
    with compiled():
        yield {name: kernel._programs for name, kernel in KERNELS.items()}


@each_kernel
def test_forward_and_backward_have_an_optimized_program(name, programs):
    import tensorflow as tf

    assert gradient_of(name, inputs(name, 4)).shape == (4, 6)
    assert len(programs[name]) == 2
    for concrete in programs[name].values():
        arguments = tf.nest.map_structure(
            lambda spec: tf.zeros([4 if size is None else size for size in spec.shape], spec.dtype),
            concrete.structured_input_signature[0],
        )
        function = tf.function(lambda *arguments: concrete(*arguments), jit_compile=True, autograph=False)  # noqa: B023
        program = function.experimental_get_compiler_ir(*arguments)(stage="optimized_hlo")
        assert program.startswith("HloModule")
        assert "f32[4," in program


@each_kernel
def test_one_pair_of_programs_serves_every_batch_size(name, programs):
    for batch in (3, 1, 8, 2, 5, 3, 8):
        assert gradient_of(name, inputs(name, batch)).shape == (batch, 6)
    assert len(programs[name]) == 2


@pytest.mark.parametrize(("dtype", "expected"), [("float32", False), ("float64", False), ("float16", True)])
def test_nrelu_draws_its_noise_again_only_where_the_output_has_too_few_digits(dtype, expected, programs):
    x, draw = inputs("nrelu._kernel", 4)
    gradient_of("nrelu._kernel", (keras.ops.cast(x, dtype), draw))
    forward, backward = (
        {operation.type for operation in program.graph.get_operations()}
        for program in programs["nrelu._kernel"].values()
    )
    assert "BitwiseXor" in forward
    assert ("BitwiseXor" in backward) is expected


def test_a_constant_that_changes_makes_no_program(programs):
    for step in range(5):
        for name, (constants, _) in CALLS.items():
            changed = {k: v + 0.01 * step if isinstance(v, float) else v for k, v in constants.items()}
            KERNELS[name](*inputs(name, 4), **changed)
    assert {name: len(found) for name, found in programs.items()} == dict.fromkeys(CALLS, 1)


def test_of_many_programs_a_kernel_holds_those_used_last_and_graphs_keep_theirs(programs, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(kernels, "MOST_PROGRAMS", 4)
    kernel, graph = KERNELS["elu._kernel"], tf.function(lambda x: gradient_of("elu._kernel", (x,)))
    expected = graph(tf.ones((2, 6)))
    for width in range(1, 9):
        for size in (1, width):
            kernel(tf.ones((2, size)), alpha=1.0)
    gc.collect()
    held = [key[0][1][0][0].shape[1] for key in programs["elu._kernel"]]
    assert held == [6, 7, 1, 8]
    np.testing.assert_array_equal(graph(tf.ones((2, 6))), expected)


@pytest.mark.parametrize(
    ("shape", "training", "expected"),
    [
        ((64, 128), True, False),
        ((None, 128), True, False),
        ((None, 32, 32, 64), True, True),
        ((None, 16, 16, 64), True, False),
        ((256, 32, 32, 64), True, True),
        ((256, 32, 32, 64), None, False),
        ((256, 32, 32, 64), False, False),
        ((None, None, 1024), True, False),
        ((32, None, 1024), True, False),
        (None, True, False),
    ],
)
def test_large_tensors_of_known_sizes_run_compiled_in_training(shape, training, expected):
    import tensorflow as tf

    function = tf.function(lambda x: keras_rectifiers.activations.elu(x, training=training))
    graph = function.get_concrete_function(tf.TensorSpec(shape)).graph.as_graph_def()
    assert must_compile(graph) is expected


def test_an_eager_shape_is_compiled_when_it_has_come_many_times(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(compilation, "_eager_calls", collections.Counter())
    kernel = KERNELS["elu._kernel"]
    kernel.forget()
    layer = keras_rectifiers.ELU()
    for rows in range(2, 12):
        layer(tf.ones((rows, 2**22)), training=True)
    assert not kernel._programs
    for _ in range(compilation.MANY + 1):
        layer(tf.ones((1, 2**22)), training=True)
    assert len(kernel._programs) == 1


def test_noise_of_every_size_up_to_a_power_of_two_comes_from_one_program():
    import tensorflow as tf

    asked = []

    def uniform(shape: tuple, key: object, dtype: str) -> object:
        asked.append(shape)
        return noise.uniform(shape, key, dtype)

    draw = tf.constant([1, 2, 0])
    for rows in range(1, 200, 7):
        found = keys.variates_like(tf.ones((rows, rows % 5 + 1)), draw, uniform, True)
        np.testing.assert_array_equal(found, noise.uniform(found.shape, keys.mixed(draw)))
    assert len(asked) == 1


SIX_THREADS = """
import threading
import numpy as np
import tensorflow as tf
import keras_rectifiers as kr

def run(number):
    for unit in (kr.ELU(), kr.RReLU(seed=number), kr.NReLU(seed=number), kr.PReLU(), kr.Maxout(number + 1)):
        for size in range(4):
            for width in (840, 840 * 256):
                x = tf.ones((2 + size, width))
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = unit(x, training=True)
                tape.gradient(y, x)

threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_six_threads_draw_no_warning_of_retracing():
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    result = subprocess.run([sys.executable, "-c", SIX_THREADS], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "retracing" not in result.stderr


MANY_UNITS = """
import numpy as np
import tensorflow as tf
import keras_rectifiers as kr

for k in range(1, 9):
    kr.Maxout(k)(np.ones((2, 840), "float32"), training=True)
    x = tf.ones((2**22, *(1,) * (k - 1)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = kr.ELU(0.1 * k)(x, training=True)
    tape.gradient(y, x)
"""


def test_many_units_of_different_constants_draw_no_warning_of_retracing():
    # In a process of its own: TensorFlow warns twice and then keeps silent.
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    result = subprocess.run([sys.executable, "-c", MANY_UNITS], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "retracing" not in result.stderr


def must_compile(graph_def: object) -> bool:
    return b"_XlaMustCompile" in graph_def.SerializeToString()


def graph_of(layer: keras.layers.Layer, shape: tuple, **arguments: object) -> object:
    import tensorflow as tf

    layer.build((None, *shape))
    function = tf.function(lambda x: layer(x, **arguments))
    concrete = function.get_concrete_function(tf.TensorSpec((None, *shape)))
    return concrete.graph.as_graph_def()


@each_layer
def test_a_training_graph_on_a_processor_compiles_the_kernel(specimen, monkeypatch):
    # compile(jit_compile="auto") would not: Keras switches XLA off where there is no accelerator.
    pays = compilation.pays
    monkeypatch.setattr(compilation, "pays", lambda inputs, large: pays(inputs, 0))
    assert must_compile(graph_of(specimen.make(), specimen.input_shape, training=True))


@each_layer
@pytest.mark.parametrize("training", [False, None])
def test_an_inference_graph_is_plain(specimen, training):
    assert not must_compile(graph_of(specimen.make(), specimen.input_shape, training=training))


@each_layer
def test_plain_makes_a_training_graph_plain(specimen, monkeypatch):
    pays = compilation.pays
    monkeypatch.setattr(compilation, "pays", lambda inputs, large: pays(inputs, 0))
    with compilation.plain():
        assert not must_compile(graph_of(specimen.make(), specimen.input_shape, training=True))


@each_layer
def test_no_exported_model_holds_a_function_that_must_be_compiled(specimen, tmp_path):
    dense = keras.layers.Dense(specimen.input_shape[-1])
    model = keras.Sequential([keras.Input(specimen.input_shape), dense, specimen.make()])
    model.compile(loss="mse")
    model.fit(np.ones((2, *specimen.input_shape)), np.ones((2, *specimen.output_shape)), verbose=0)
    model.export(tmp_path / "model", verbose=False)
    assert b"_XlaMustCompile" not in (tmp_path / "model" / "saved_model.pb").read_bytes()


def test_plain_ends_with_its_context_even_after_an_error():
    with pytest.raises(KeyError), compilation.plain():
        assert not compilation.compiles(training=True)
        raise KeyError
    assert compilation.compiles(training=True)


def test_plain_reaches_the_threads_of_a_distribution_strategy():
    import threading

    seen = []
    with compilation.plain():
        thread = threading.Thread(target=lambda: seen.append(compilation.compiles(training=True)))
        thread.start()
        thread.join()
    assert seen == [False]


UNKNOWN_RANKS = {
    "elu": lambda x: keras_rectifiers.activations.elu(x, training=True),
    "prelu": lambda x: keras_rectifiers.activations.prelu(x, 0.3, training=True),
    "rrelu": lambda x: keras_rectifiers.activations.rrelu(x, seed=5, training=True),
    "nrelu": lambda x: keras_rectifiers.activations.nrelu(x, seed=5, training=True),
    "crelu": lambda x: keras_rectifiers.activations.crelu(x, training=True),
    "scaled_softplus": lambda x: keras_rectifiers.activations.scaled_softplus(x, training=True),
    "sign_flip": lambda x: keras_rectifiers.activations.sign_flip(x, training=True),
    "CReLU": lambda x: keras_rectifiers.CReLU()(x, training=True),
    "SignFlip": lambda x: keras_rectifiers.SignFlip()(x, training=True),
}


@pytest.mark.parametrize("name", UNKNOWN_RANKS)
def test_a_tensor_of_unknown_rank_gives_what_a_known_one_gives(name, rng):
    import tensorflow as tf

    function = tf.function(UNKNOWN_RANKS[name], input_signature=[tf.TensorSpec(None)])
    for shape in ((6,), (2, 6), (2, 3, 6))[name[0].isupper() :]:  # a layer's input has a batch
        x = rng.normal(size=shape).astype("float32")
        np.testing.assert_allclose(function(x), UNKNOWN_RANKS[name](x), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 600])
@pytest.mark.parametrize("shape", [(None,), None])
def test_prelu_takes_a_slope_of_unknown_sizes_in_training(shape, size, rng):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((600, 600)), tf.TensorSpec(shape)])
    def gradients(x, slope):
        with tf.GradientTape() as tape:
            tape.watch([x, slope])
            y = keras_rectifiers.activations.prelu(x, slope, training=True)
        return tape.gradient(y, [x, slope])

    x, slope = rng.normal(size=(600, 600)).astype("float32"), rng.normal(size=size).astype("float32")
    of_x, of_slope = gradients(x, slope)
    np.testing.assert_array_equal(of_x, np.where(x > 0, 1.0, slope + 0 * x))
    expected = np.minimum(x, 0.0).sum(0) if size > 1 else np.minimum(x, 0.0).sum(keepdims=True)[0]
    np.testing.assert_allclose(of_slope, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: keras_rectifiers.activations.maxout(x, 2), "`maxout` expected an input of known rank.*Received"),
        (lambda x: keras_rectifiers.activations.crelu(x, 1), "`crelu` expected an input of known rank.*axis=1"),
        (lambda x: keras_rectifiers.activations.sign_flip(x, 1), "`sign_flip` expected an input of known rank.*axis=1"),
    ],
)
def test_what_needs_a_rank_says_so(function, message):
    import tensorflow as tf

    with pytest.raises(ValueError, match=message):
        tf.function(function, input_signature=[tf.TensorSpec(None)]).get_concrete_function()


def test_a_kernel_inside_a_compiled_step_gives_the_same_words():
    import tensorflow as tf

    key = keys.make_key(3)
    compiled = tf.function(lambda: noise.words((1000,), key), jit_compile=True)()
    np.testing.assert_array_equal(compiled, noise.words((1000,), key))
