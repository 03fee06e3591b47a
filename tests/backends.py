"""What a script leaves behind on every backend that is installed, each in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


def arrays_of_each(script: str, folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Run a script that writes its arrays to the file it is given, and return them by backend and name."""
    for backend in BACKENDS:
        environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
        subprocess.run([sys.executable, "-c", script, folder / f"{backend}.npz"], env=environment, check=True)
    return {backend: dict(np.load(folder / f"{backend}.npz")) for backend in BACKENDS}
