"""The passes of each unit, by us and by its peers, timed in turns with a copy."""

import itertools
import time
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_rectifiers as kr
from reruns.chapters.cost import passes, peers, timing
from reruns.chapters.cost.timing import Config

# A name for each setting of the units' passes: (size, dtype, whether backward too).
SETTINGS = {
    "forward and backward": ("far", "float32", True),
    "forward": ("far", "float32", False),
    "bfloat16": ("far", "bfloat16", True),
    "in cache": ("near", "float32", True),
}


def units(config: Config) -> dict:
    """Time each unit, by us and by its peers, in every setting and mode."""
    copy = timing.Case(passes.copy(config.far), _moved(2, config.far))
    timing.seconds(copy)
    rows: list[dict] = []
    for setting in SETTINGS:
        rows += _in_setting(setting, config)
    return {"copy_bytes_per_second": timing.bandwidth(copy, config.rounds), "rows": rows}


def _in_setting(setting: str, config: Config) -> list[dict]:
    size, dtype, backward = SETTINGS[setting]
    shape = getattr(config, size)
    calls = 20 if size == "near" else 1
    runs, prepared = {}, {}
    for name, (function, arguments) in _functions(shape, dtype, backward).items():
        peers.forget_programs()
        prepared[name], runs[name] = _prepared(function, arguments, name[2])
    if setting == "forward and backward" and not passes.on_accelerator():
        runs |= _pytorch(shape, backward)
    cases = {name: timing.Case(run, _bytes(name[0], shape, dtype, backward), calls) for name, run in runs.items()}
    copy = timing.Case(passes.copy(shape), _moved(2, shape), calls)
    label = f"{passes.BACKEND}: {setting}"
    measured = timing.in_turns(cases, copy, config.rounds, config.patience, label)
    return [
        {"setting": setting, "unit": u, "by": by, "mode": mode, **m, **prepared.get((u, by, mode), {})}
        for (u, by, mode), m in measured.items()
    ]


def _functions(shape: tuple, dtype: str, backward: bool) -> dict:
    policy = {"dtype": "mixed_bfloat16"} if dtype == "bfloat16" else {}
    name, native = peers.framework()
    found = {}
    for by, makers in (("ours", peers.OURS), ("keras", peers.KERAS)):
        for (unit, make), mode in itertools.product(makers.items(), passes.MODES):
            found[unit, by, mode] = passes.of_layer(make(**policy), shape, dtype, backward)
    for (unit, function), mode in itertools.product(native.items(), passes.MODES):
        found[unit, name, mode] = passes.of_function(function, shape, dtype, backward)
    return found


def _prepared(function: Any, arguments: tuple, mode: str) -> tuple[dict, Any]:
    """Trace and compile, and return the seconds of each with the run."""
    run = passes.compiled(function, mode)
    if mode == "eager":
        passes.repeated(run, *arguments)
    start = time.perf_counter()
    if mode != "eager" and passes.BACKEND == "tensorflow":
        run.get_concrete_function(*arguments)
    elif mode != "eager":
        run.lower(*arguments)
    traced = time.perf_counter()
    ready = passes.waited(run, *arguments)
    ready()
    first = time.perf_counter()
    ready()
    again = time.perf_counter() - first
    return {"trace_seconds": traced - start, "compile_seconds": max(0.0, first - traced - again)}, ready


def _pytorch(shape: tuple, backward: bool) -> dict:
    functions = peers.pytorch() if passes.BACKEND == "tensorflow" else None
    runs = {}
    for (unit, function), optimized in itertools.product((functions or {}).items(), (False, True)):
        run = passes.of_pytorch(function, shape, backward, optimized)
        runs[unit, "torch", "compiled" if optimized else "eager"] = run
    return runs


def _bytes(unit: str, shape: tuple, dtype: str, backward: bool) -> float:
    tensors = peers.MOVED.get(unit, peers.MOVED_BY_DEFAULT)[backward]
    return _moved(tensors, shape) / (2 if dtype == "bfloat16" else 1)


def _moved(tensors: float, shape: tuple) -> float:
    return tensors * 4.0 * float(np.prod(shape))


def fresh(config: Config) -> dict:
    """Time the graphs again as glibc is without settings: each large tensor on pages that the kernel clears first."""
    copy = timing.Case(passes.copy(config.far), _moved(2, config.far))
    cases = {
        (unit, by, mode): timing.Case(
            passes.waited(passes.compiled(function, mode), *arguments), _bytes(unit, config.far, "float32", True)
        )
        for (unit, by, mode), (function, arguments) in _functions(config.far, "float32", True).items()
        if mode == "graph"
    }
    measured = timing.in_turns(cases, copy, config.rounds, config.patience, "fresh pages")
    speed = timing.bandwidth(copy, config.rounds)
    rows = [{"unit": unit, "by": by, "mode": mode, **m} for (unit, by, mode), m in measured.items()]
    return {"copy_bytes_per_second": speed, "rows": rows}


def dense(config: Config) -> list[dict]:
    """Time a step of MaxoutDense over its three matrix products, in turns with them."""
    batch, inputs, outputs, pieces = config.dense
    width = outputs * pieces
    x, g, w = (passes.normals(s) for s in ((batch, inputs), (batch, width), (inputs, width)))

    def products(x: Any, g: Any, w: Any) -> tuple:
        return ops.matmul(x, w), ops.matmul(g, ops.transpose(w)), ops.matmul(ops.transpose(x), g)

    def composed() -> keras.layers.Layer:
        largest = keras.layers.Lambda(lambda x: ops.max(ops.reshape(x, (batch, outputs, pieces)), axis=-1))
        return keras.Sequential([keras.Input(batch_shape=(batch, inputs)), keras.layers.Dense(width), largest])

    rows = []
    for mode in passes.MODES[1:]:  # eager, the yardstick would be slow by its transpositions
        layers = {"ours": kr.MaxoutDense(outputs, pieces), "keras": composed()}
        cases = {}
        for by, layer in layers.items():
            function, arguments = passes.of_layer(layer, (batch, inputs), "float32", backward=True)
            cases[by] = timing.Case(passes.waited(passes.compiled(function, mode), *arguments), 1)
        yardstick = timing.Case(passes.waited(passes.compiled(products, mode), x, g, w), 1)
        measured = timing.in_turns(cases, yardstick, config.rounds, config.patience, f"MaxoutDense, {mode}")
        rows += [{"by": by, "mode": mode, "over_products": m["over_floor"]} for by, m in measured.items()]
    return rows
