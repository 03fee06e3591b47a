"""The only code that writes book/results and savedmodels: what a run gave, and under which conditions."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "book" / "results"
SAVEDMODELS = ROOT / "savedmodels"


def provenance() -> dict[str, Any]:
    """Return the commit, whether the tree differed from it, the versions and the kind of device."""
    packages = ("keras-rectifiers", "keras", "tensorflow", "jax", "jaxlib", "torch", "numpy")
    return {
        "commit": _git("rev-parse", "HEAD"),
        # Of the code that decides what a run gives; pages, results and models do not make it another.
        "dirty": bool(_git("status", "--porcelain", "--", "keras_rectifiers", "book/reruns", "requirements.lock")),
        "backend": keras.backend.backend(),
        "device": _device(),
        "versions": {
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in packages if _installed(package)},
        },
    }


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package.replace("-", "_")) is not None


def _device() -> str:
    if keras.backend.backend() == "jax":
        import jax

        graphics = jax.default_backend() != "cpu" and jax.devices()[0].device_kind
    else:
        import tensorflow as tf

        graphics = tf.config.list_physical_devices("GPU") and "GPU"
    return graphics or f"CPU, {os.cpu_count()} cores"


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        return "unknown"
    return result.stdout.strip()


def load(chapter: str) -> dict[str, Any]:
    """Return the recorded results of a chapter; a file that is none is refused by name."""
    path = RESULTS / f"{chapter}.json"
    try:
        results = json.loads(path.read_text())
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is not there. {_writer(chapter)} writes it.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON ({error}). Restore it from git, or remove it and rerun.") from None
    if fault := _fault(results, chapter):
        raise ValueError(f"{path} {fault}. Restore it from git, or remove it and rerun.")
    return results


# What a file of results holds, and what each of its runs holds: the type of every entry.
OF_RESULTS = {"chapter": str, "config": dict, "data": dict, "runs": dict}
OF_A_RUN = {"metrics": dict, "wall_seconds": float | int, "provenance": dict}
OF_PROVENANCE = {"commit": str, "dirty": bool, "backend": str, "device": str, "versions": dict}


def _fault(results: Any, chapter: str) -> str | None:
    """Return what is wrong with the contents of a file of results, if anything is."""
    if fault := _misfit(results, OF_RESULTS, "the file"):
        return fault
    if results["chapter"] != chapter:
        return f"holds the results of chapter {results['chapter']!r}"
    for seed, run in results["runs"].items():
        if not seed.isdecimal():
            return f"has a run whose seed is no number: {seed!r}"
        if fault := _misfit(run, OF_A_RUN, f"run {seed}"):
            return fault
        if fault := _misfit(run["provenance"], OF_PROVENANCE, f"the provenance of run {seed}"):
            return fault
    return None


def _misfit(entry: Any, schema: dict[str, Any], name: str) -> str | None:
    if not isinstance(entry, dict):
        return f"has no table where {name} should be"
    if missing := sorted(set(schema) - set(entry)):
        return f"lacks {', '.join(missing)} in {name}"
    wrong = [key for key, kind in schema.items() if not isinstance(entry[key], kind)]
    return f"holds another type than expected as {', '.join(wrong)} in {name}" if wrong else None


def _writer(chapter: str) -> str:
    return "`make bench`" if chapter == "cost" else f"`python -m reruns {chapter} --scale paper` in book/"


def check_same(chapter: str, config: dict, data: dict) -> None:
    """Refuse to add to the results of another config or of other data."""
    results = load(chapter)
    for name, value in (("config", config), ("data", data)):
        # Through JSON, where tuples become lists as in the file.
        if results[name] != json.loads(json.dumps(value)):
            raise ValueError(
                f"{RESULTS / chapter}.json holds runs of another {name}. Remove it to record this one. "
                f"Received: {value}"
            )


def append(chapter: str, config: dict, data: dict, seed: int, metrics: dict, wall_seconds: float) -> None:
    """Add the run of one seed to a chapter's results; a results file of another config or other data is refused."""
    path = RESULTS / f"{chapter}.json"
    results: dict = {"chapter": chapter, "config": config, "data": data, "runs": {}}
    if path.exists():
        check_same(chapter, config, data)
        results = load(chapter)
    results["runs"][str(seed)] = {
        "metrics": metrics,
        "wall_seconds": round(wall_seconds, 1),
        "provenance": provenance(),
    }
    write_json(path, results)


def replace(chapter: str, config: dict, metrics: dict, wall_seconds: float) -> Path:
    """Write the results of a measurement of this machine over those of the last one."""
    path = RESULTS / f"{chapter}.json"
    run = {"metrics": metrics, "wall_seconds": round(wall_seconds, 1), "provenance": {**provenance(), **machine()}}
    write_json(path, {"chapter": chapter, "config": config, "data": {}, "runs": {"0": run}})
    return path


def machine() -> dict[str, str]:
    """Return the kind of processor and the operating system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return {"processor": processor, "system": f"{platform.system()} {platform.release()}"}


def write_json(path: Path, value: Any) -> None:
    """Write under a temporary name and rename, so that a reader never meets half a file."""
    text = json.dumps(_rounded(value), indent=1, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        # A diverged loss is recorded as null: JSON has no NaN.
        return float(f"{value:.6g}") if np.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list | tuple) else value


def export(model: keras.Model, name: str, probe: dict[str, np.ndarray], card: dict, **signatures: Any) -> Path:
    """Export a model as the only version in savedmodels/NAME: all of it, or on any error nothing."""
    # Here, because a page needs no serving to read a record.
    from keras_rectifiers import serving
    from keras_rectifiers.serving import server_files

    SAVEDMODELS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SAVEDMODELS, prefix=f".{name}-") as folder:
        serving.export(model, Path(folder) / name, probe=probe, card={**card, **provenance()}, **signatures)
        target, old = SAVEDMODELS / name, Path(folder) / "old"
        if target.exists():
            target.rename(old)
        try:
            (Path(folder) / name).rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
    server_files.write_config(SAVEDMODELS)
    return SAVEDMODELS / name
