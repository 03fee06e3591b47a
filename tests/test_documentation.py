"""Are the README, the docstrings and the reference true: does every example run, and is every symbol there?"""

import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import pytest

import keras_rectifiers
from keras_rectifiers import activations, autoencoders, rbm, serving
from specimens import SPECIMENS

ROOT = Path(__file__).parents[1]


def modules() -> list[ModuleType]:
    found = [module.name for module in pkgutil.walk_packages(keras_rectifiers.__path__, "keras_rectifiers.")]
    # Models are exported from TensorFlow alone.
    left_out = () if keras.backend.backend() == "tensorflow" else ("keras_rectifiers.serving",)
    return [keras_rectifiers, *(importlib.import_module(name) for name in found if not name.startswith(left_out))]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_every_docstring_example_runs(module):
    failed, _ = doctest.testmod(module)
    assert failed == 0


def documented(symbol: Any) -> set[str]:
    """Return the names in the docstring's list of arguments."""
    arguments = re.search(r"^    Args:\n(.*?)\n\n", symbol.__doc__, re.MULTILINE | re.DOTALL)[1]
    return set(", ".join(re.findall(r"^        \**(\w+(?:, \w+)*): ", arguments, re.MULTILINE)).split(", "))


def parameters(function: Callable) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self", "kwargs"}


@pytest.mark.parametrize("layer", [specimen.layer for specimen in SPECIMENS], ids=lambda layer: layer.__name__)
def test_every_layer_has_a_whole_docstring(layer):
    for part in (".. math::", "Args:", "Raises:", ">>>", "Reference: "):
        assert part in layer.__doc__, part
    assert documented(layer) == parameters(layer.__init__)


FUNCTIONAL = [(specimen.function, specimen.layer) for specimen in SPECIMENS if specimen.function]


@pytest.mark.parametrize(("function", "layer"), FUNCTIONAL, ids=lambda symbol: symbol.__name__)
def test_every_functional_form_names_its_layer_and_explains_the_arguments_that_are_its_own(function, layer):
    assert f"the functional form of `{layer.__name__}`" in function.__doc__.splitlines()[0]
    # An integer draws the same noise at every call of a function, and new noise at every call of a layer.
    own = parameters(function) - parameters(layer.__init__) | parameters(function) & {"seed"}
    assert documented(function) == own
    if own != {"x", "training"}:
        assert "Raises:" in function.__doc__


def test_plain_has_an_example():
    assert ">>>" in keras_rectifiers.plain.__doc__


def test_every_public_symbol_is_in_the_reference():
    page = (ROOT / "book" / "api.md").read_text()
    found, module = set(), None
    for directive, name in re.findall(r"^\.\. (\w+):: ([\w.]+)$", page, re.MULTILINE):
        module = name if directive.endswith("module") else module
        if directive in ("autoclass", "autofunction"):
            found.add(f"{module}.{name}")
    named = {
        f"{module.__name__}.{name}"
        for module in (keras_rectifiers, activations, autoencoders, rbm, serving)
        for name in module.__all__
    }
    assert found == named - {"keras_rectifiers.activations"}


# What a function returns: its fields are explained, and nobody makes one.
RETURNED = rbm.Bracket, rbm.LogLikelihood, rbm.PartitionEstimate
EXPLAINED = [getattr(module, name) for module in (rbm, autoencoders) for name in module.__all__]
EXPLAINED += [keras_rectifiers.unit_activity, keras_rectifiers.UnitActivity]
EXPLAINED = [symbol for symbol in EXPLAINED if symbol not in RETURNED]


@pytest.mark.parametrize("symbol", EXPLAINED, ids=lambda symbol: symbol.__name__)
def test_every_symbol_of_machines_and_autoencoders_has_an_example_and_explains_its_arguments(symbol):
    assert ">>>" in symbol.__doc__
    arguments = parameters(symbol if inspect.isfunction(symbol) else symbol.__init__)
    if arguments:
        assert documented(symbol) == arguments


def readme_code(folder: Path = ROOT) -> str:
    return re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[1]


def test_the_readmes_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(readme_code(), names)
    x = keras.random.uniform((3, 28, 28, 1))
    revived = keras.saving.load_model("digits.keras")
    assert keras.ops.all(revived(x) == names["model"](x))


@pytest.mark.tensorflow_only
def test_the_example_beside_the_exported_models_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(readme_code(ROOT / "savedmodels"), {})


def test_the_readmes_commands_exist():
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    commands = re.findall(r"^make (\S+)", readme, re.MULTILINE)
    assert set(commands) == {"book", "test"}
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


WITHOUT_TENSORFLOW = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ImportError("tensorflow was imported")

sys.meta_path.insert(0, Refusal())
import keras, numpy as np
import keras_rectifiers as kr

units = [kr.PReLU(), kr.RReLU(), kr.ELU(), kr.CReLU(), kr.Maxout(), kr.MaxoutDense(6), kr.NReLU(), kr.ScaledSoftplus()]
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), *units, kr.SignFlip(), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
model.save(sys.argv[1])
keras.saving.load_model(sys.argv[1]).predict(np.ones((2, 4)), verbose=0)
assert "tensorflow" not in sys.modules
print("no tensorflow")
"""


@pytest.mark.tensorflow_only
def test_on_jax_nothing_imports_tensorflow(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, tmp_path / "model.keras"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.stdout == "no tensorflow\n", result.stderr


@pytest.mark.tensorflow_only
def test_importing_the_package_imports_nothing_that_keras_does_not():
    code = (
        "import sys, keras; before = set(sys.modules); import keras_rectifiers; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["keras_rectifiers"]
