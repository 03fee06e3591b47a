"""SavedModels are made and checked with TensorFlow."""

import os
import sys
from collections.abc import Iterator

import keras
import pytest

collect_ignore_glob = [] if keras.backend.backend() == "tensorflow" else ["*"]


@pytest.fixture(scope="session")
def warm() -> Iterator:
    from warm import Warm

    process = Warm({**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"})
    yield process
    process.end()


@pytest.fixture(autouse=True, scope="module")
def _warm_checks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the scripts of `check` in forks of one process; `test_serving_command.py` starts them as users do."""
    if sys.platform != "linux" or request.module.__name__ == "test_serving_command":
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        check = sys.modules["keras_rectifiers.serving.check"]
        patch.setattr(check, "subprocess", request.getfixturevalue("warm"))
        yield
