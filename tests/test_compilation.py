"""Is each kernel compiled where it should be, as seldom as it should be, and plain where it must be?"""

import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from specimens import NAMES, SPECIMENS

import keras_rectifiers.layers
from keras_rectifiers import compilation, noise

pytestmark = pytest.mark.tensorflow_only


def kernels() -> Iterator[tuple[str, compilation.Kernel]]:
    for module in pkgutil.iter_modules(keras_rectifiers.layers.__path__):
        members = vars(importlib.import_module(f"keras_rectifiers.layers.{module.name}"))
        for name, member in members.items():
            if isinstance(member, compilation.Kernel):
                yield f"{module.name}.{name}", member


KERNELS = dict(kernels())
SLOPES = {"lower": 0.1, "upper": 0.7, "uniform_in": "divisor"}
# The compile-time constants of each kernel, and what it takes beside x of shape (batch, 6).
CALLS = {
    "elu._kernel": ({"alpha": 1.0}, ()),
    "softplus._kernel": ({"sharpness": 2.0}, ()),
    "sign_flip._kernel": ({"axis": 1}, ()),
    "crelu._kernel": ({"axis": 1}, ()),
    "prelu._kernel": ({"shared": (0,)}, (np.ones(6, "float32"),)),
    "maxout._kernel": ({"pieces": 2, "axis": 1, "grouping": "contiguous"}, ()),
    "rrelu._kernel": (SLOPES, (np.array([1, 2], "int32"),)),
    "rrelu._leaky_kernel": ({"slope": 0.2}, ()),
    "nrelu._kernel": ({}, (np.array([1, 2], "int32"),)),
    "nrelu._kernel_keeping_output": ({}, (np.array([1, 2], "int32"),)),
    "nrelu._rectified_kernel": ({}, ()),
    "nrelu._mean_kernel": ({}, ()),
}
each_kernel = pytest.mark.parametrize("name", KERNELS)
each_layer = pytest.mark.parametrize("specimen", SPECIMENS, ids=NAMES)


def test_every_kernel_is_asked():
    assert set(CALLS) == set(KERNELS)


def inputs(name: str, batch: int) -> tuple:
    return tuple(map(keras.ops.convert_to_tensor, (np.ones((batch, 6), "float32"), *CALLS[name][1])))


@each_kernel
def test_forward_and_backward_have_an_optimized_program(name):
    constants, _ = CALLS[name]
    x = inputs(name, 4)
    forward, backward = KERNELS[name].compiled(tuple(len(t.shape) for t in x), **constants)
    g = KERNELS[name](*x, **constants)
    kept = (g,) if KERNELS[name].keeps_output else ()
    for function, arguments in ((forward, x), (backward, (g, *kept, *x))):
        program = function.experimental_get_compiler_ir(*arguments)(stage="optimized_hlo")
        assert program.startswith("HloModule")
        assert "f32[4," in program


@each_kernel
def test_two_traces_serve_every_batch_size(name):
    import tensorflow as tf

    kernel, (constants, others) = KERNELS[name], CALLS[name]
    pair = kernel.compiled((2, *(np.ndim(other) for other in others)), **constants)
    before = [function.experimental_get_tracing_count() for function in pair]
    for batch in (3, 1, 8, 2, 5, 3, 8):
        x = inputs(name, batch)
        with tf.GradientTape() as tape:
            tape.watch(x[0])
            y = kernel(*x, **constants)
        assert tape.gradient(y, x[0]).shape == (batch, 6)
    traces = [f.experimental_get_tracing_count() - b for f, b in zip(pair, before, strict=True)]
    assert max(traces) <= 2
    assert min(traces) + min(before) >= 1


MANY_UNITS = """
import numpy as np
import tensorflow as tf
import keras_rectifiers as kr

for k in range(1, 9):
    kr.Maxout(k)(np.ones((2, 840), "float32"))
    x = tf.ones((2, *(1,) * k))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = kr.ELU(0.1 * k)(x)
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
def test_a_training_graph_on_a_processor_compiles_the_kernel(specimen):
    # compile(jit_compile="auto") would not: Keras switches XLA off where there is no accelerator.
    assert must_compile(graph_of(specimen.make(), specimen.input_shape, training=True))


@each_layer
@pytest.mark.parametrize("training", [False, None])
def test_an_inference_graph_is_plain(specimen, training):
    assert not must_compile(graph_of(specimen.make(), specimen.input_shape, training=training))


@each_layer
def test_plain_makes_a_training_graph_plain(specimen):
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


def test_an_unknown_rank_runs_plain():
    import tensorflow as tf

    function = tf.function(keras_rectifiers.activations.elu, input_signature=[tf.TensorSpec(None)])
    for rank in (1, 3):
        np.testing.assert_allclose(function(tf.ones((2,) * rank)), 1.0)


def test_a_kernel_inside_a_compiled_step_gives_the_same_words():
    import tensorflow as tf

    key = noise.make_key(3)
    compiled = tf.function(lambda: noise.words((1000,), key), jit_compile=True)()
    np.testing.assert_array_equal(compiled, noise.words((1000,), key))
