"""Does each layer pass the test that Keras asks of its own layers?

It compares configs, shapes, dtypes, weights and generators, symbolic and eager, trains a model for a step as each
backend does it, and asks for mixed precision. It is private to Keras: where it is gone, these tests are skipped.
"""

import numpy as np
import pytest

from specimens import NAMES, SPECIMENS, Specimen

# The test's own call of `fit` gives a generator, and to layers without weights too.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*shuffle=True.*generator:UserWarning"),
    pytest.mark.filterwarnings("ignore:The model does not have any trainable weights:UserWarning"),
]

each_layer = pytest.mark.parametrize("specimen", SPECIMENS, ids=NAMES)


def run_layer_test(specimen: Specimen, arguments: dict, **options: object) -> None:
    try:
        from keras.src.testing import TestCase

        ask = TestCase().run_layer_test
    except (ImportError, AttributeError):
        pytest.skip("this Keras has no keras.src.testing.TestCase.run_layer_test")
    ask(
        specimen.layer,
        arguments,
        supports_masking=True,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=int(specimen.stochastic),
        assert_built_after_instantiation=not specimen.weights,
        **options,
    )


@each_layer
@pytest.mark.parametrize("training", [None, False, True])
def test_a_layer_passes_keras_s_own_test(specimen, training):
    run_layer_test(
        specimen,
        specimen.arguments,
        input_shape=(2, *specimen.input_shape),
        call_kwargs={"training": training},
        expected_output_shape=(2, *specimen.output_shape),
        expected_output_dtype="float32",
        expected_num_trainable_weights=specimen.weights,
        expected_num_losses=sum("regularizer" in name for name in specimen.arguments) and 1,
    )


@each_layer
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_layer_passes_keras_s_own_test_with_its_defaults_in_every_precision(specimen, dtype):
    run_layer_test(
        specimen,
        {"dtype": dtype, **({"units": 5} if "units" in specimen.arguments else {})},
        input_data=np.random.default_rng(0).normal(size=(2, 3, 6)).astype(dtype),
        expected_output_dtype=dtype,
        run_mixed_precision_check=False,
    )
