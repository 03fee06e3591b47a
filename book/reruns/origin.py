"""Where a row comes from: the commit, the versions, the device and the threads of the process that computed it."""

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras

ROOT = Path(__file__).parents[2]
PACKAGES = ("keras-rectifiers", "keras", "tensorflow", "jax", "jaxlib", "torch", "numpy")
THREADS = 2  # of an operation: 1, 2 and 4 round sums in other orders


def pin(threads: int) -> None:
    """Let every operation of this process take so many threads; too late once TensorFlow has computed something."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)


def here() -> dict[str, Any]:
    """Return the commit, whether the code that was imported differs from it, and what else decides the numbers."""
    code = [*imported(), "requirements.lock"]
    changed = git("diff", "--name-only", COMMIT, "--", *code), git("ls-files", "--others", "--", *code)
    return {
        "commit": COMMIT,
        "dirty": any(changed),
        "backend": keras.backend.backend(),
        "device": _device(),
        **machine(),
        "threads": threads(),
        "versions": {
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in PACKAGES if _installed(package)},
        },
    }


def imported() -> list[str]:
    """Return the files of this project that the process has imported, from the root of the project."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {Path(file).resolve() for file in files if file}
    code = (ROOT / "keras_rectifiers", ROOT / "book")
    return sorted(str(path.relative_to(ROOT)) for path in paths if any(path.is_relative_to(room) for room in code))


def machine() -> dict[str, str]:
    """Return the kind of processor and the operating system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return {"processor": processor, "system": f"{platform.system()} {platform.release()}"}


def threads() -> int | None:
    """Return how many threads an operation takes in this process, where that is known."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    # 0 leaves it to TensorFlow, which takes one a core.
    return tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package.replace("-", "_")) is not None


def _device() -> str:
    if keras.backend.backend() == "jax":
        import jax

        graphics = jax.default_backend() != "cpu" and jax.devices()[0].device_kind
    else:
        import tensorflow as tf

        cards = tf.config.list_physical_devices("GPU")
        graphics = cards and tf.config.experimental.get_device_details(cards[0]).get("device_name", "GPU")
    return graphics or f"CPU, {os.cpu_count()} cores"


def git(*arguments: str) -> str:
    """Return what git prints in this project, or "unknown"."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return "unknown" if result.returncode else result.stdout.strip()


# Of the code that this process began with: somebody may edit and commit while it runs.
COMMIT = git("rev-parse", "HEAD")
