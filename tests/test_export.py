"""Does an exported SavedModel run in a process that cannot import this package?"""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_rectifiers import plain
from specimens import NAMES, SPECIMENS

pytestmark = pytest.mark.tensorflow_only

# Runs alone: neither Keras nor this package may be imported there.
STRANGER = """
import sys
sys.modules["keras_rectifiers"] = sys.modules["keras"] = None
import numpy as np, tensorflow as tf
arrays = dict(np.load(sys.argv[2]))
model = tf.saved_model.load(sys.argv[1])
for size in (3, 5):
    np.testing.assert_allclose(model.serve(arrays[f"x{size}"]), arrays[f"y{size}"], rtol=1e-5, atol=1e-6)
print("agrees")
"""


def agrees(exported: Path, probe: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", STRANGER, exported, probe],
        cwd=exported,
        capture_output=True,
        text=True,
        check=False,
    )


def every_unit() -> keras.Model:
    """One model with every layer in it, each on a width that its arguments take."""
    inputs = keras.Input((8, 8, 3), name="images")
    x = keras.layers.Conv2D(6, 3)(inputs)
    for specimen in SPECIMENS:
        x = specimen.make()(keras.layers.Conv2D(6, 3, padding="same")(x))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))


def test_a_model_of_every_layer_exports_and_runs_in_a_process_without_this_package(tmp_path, rng):
    model = every_unit()
    model.compile("sgd", "mse")
    model.fit(rng.normal(size=(8, 8, 8, 3)), rng.normal(size=(8, 2)), batch_size=4, verbose=0)
    model.export(tmp_path / "model", verbose=False)
    batches = {f"x{size}": rng.normal(size=(size, 8, 8, 3)).astype("float32") for size in (3, 5)}
    outputs = {f"y{name[1:]}": model.predict(x, verbose=0) for name, x in batches.items()}
    np.savez(tmp_path / "probe.npz", **batches, **outputs)
    result = agrees(tmp_path / "model", tmp_path / "probe.npz")
    assert result.stdout == "agrees\n", result.stderr


def test_the_stranger_notices_another_output(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.export(tmp_path / "model", verbose=False)
    x = np.ones((3, 4), "float32")
    np.savez(tmp_path / "probe.npz", x3=x, y3=model.predict(x, verbose=0) + 0.1, x5=x, y5=x)
    assert "Not equal to tolerance" in agrees(tmp_path / "model", tmp_path / "probe.npz").stderr


@pytest.mark.parametrize("specimen", SPECIMENS, ids=NAMES)
def test_each_layer_gives_its_outputs_after_export(specimen, tmp_path, rng):
    import tensorflow as tf

    model = keras.Sequential([keras.Input(specimen.input_shape), specimen.make()])
    model.export(tmp_path / "model", verbose=False)
    served = tf.saved_model.load(tmp_path / "model")
    for size in (2, 5):
        x = rng.normal(size=(size, *specimen.input_shape)).astype("float32")
        np.testing.assert_allclose(served.serve(x), model(x), rtol=1e-5, atol=1e-6)


def test_a_model_that_samples_exports_under_plain(tmp_path):
    from keras_rectifiers import NReLU

    class Sampler(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.unit = NReLU(seed=1)

        def call(self, x):
            return self.unit(x, training=True)

    model, x = Sampler(), np.ones((2, 50), "float32")
    model(x)
    with plain():
        model.export(tmp_path / "model", verbose=False)
    assert b"_XlaMustCompile" not in (tmp_path / "model" / "saved_model.pb").read_bytes()
    import tensorflow as tf

    served = tf.saved_model.load(tmp_path / "model")
    assert (served.serve(x).numpy() != served.serve(x).numpy()).any()


def test_a_model_of_every_layer_survives_its_keras_file_in_mixed_precision(tmp_path, rng):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = every_unit()
        x = rng.normal(size=(8, 8, 8, 3)).astype("float32")
        model.compile("sgd", "mse")
        history = model.fit(x, rng.normal(size=(8, 2)), batch_size=4, epochs=2, verbose=0)
        assert np.isfinite(history.history["loss"]).all()
        model.save(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy(policy)
    revived = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(revived.predict(x, verbose=0), model.predict(x, verbose=0))
