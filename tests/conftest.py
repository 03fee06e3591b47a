"""An environment stricter than production: every warning is an error, and seeds are set before each test."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Two logical processors, so that a two-replica strategy can run anywhere; only possible before the first op.
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if keras.backend.backend() == "tensorflow":
        return
    for item in items:
        if item.get_closest_marker("tensorflow_only"):
            item.add_marker(pytest.mark.skip(reason="asks about something that only TensorFlow has"))
        if item.get_closest_marker("one_backend"):
            item.add_marker(pytest.mark.skip(reason="asks about a law, of draws that are the same on every backend"))


@pytest.fixture(autouse=True)
def _seeds() -> None:
    keras.utils.set_random_seed(20101124)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20101124)


@pytest.fixture(scope="session")
def strategy() -> object:
    """Return two replicas, one pair a process: TensorFlow numbers every strategy's exchanges from the same start."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
