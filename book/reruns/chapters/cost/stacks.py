"""The memory that a training step of a deep stack of units keeps, in tensors a unit."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from rich.progress import track

from reruns.chapters.cost import passes, peers, timing

UNITS = ("ReLU", "ELU", "PReLU", "RReLU", "NReLU", "ScaledSoftplus")
# Keras's generators inside XLA on a processor take hundreds of times as long as the rest: minutes a stack.
TOO_SLOW = {("RReLU", "keras", "xla"), ("NReLU", "keras", "xla")} if passes.BACKEND == "tensorflow" else set()


def tensors_a_unit(depths: tuple[int, int], shape: tuple) -> list[dict]:
    """Return by how many tensors the peak of a step rises with each further unit of a stack."""
    if passes.on_accelerator():
        # The resident memory of the process says nothing about the device's.
        return []
    modes = [mode for mode in passes.MODES if mode != "eager"]
    cases = [
        (unit, by, mode)
        for unit, (by, makers), mode in itertools.product(UNITS, (("ours", peers.OURS), ("keras", peers.KERAS)), modes)
        if unit in makers and (unit, by, mode) not in TOO_SLOW
    ]
    rows = []
    for unit, by, mode in track(cases, f"memory on {passes.BACKEND}"):
        make = (peers.OURS if by == "ours" else peers.KERAS)[unit]
        rows.append(_row(unit, by, mode, shape, depths, functools.partial(_step, make, shape, mode)))
    functions = (peers.pytorch() if passes.BACKEND == "tensorflow" else None) or {}
    for unit in track([unit for unit in UNITS if unit in functions], "memory on PyTorch"):
        rows.append(_row(unit, "torch", "eager", shape, depths, functools.partial(_torch_step, functions[unit], shape)))
    return rows


def _row(unit: str, by: str, mode: str, shape: tuple, depths: tuple[int, int], step: Callable[[int], Callable]) -> dict:
    peaks = []
    for depth in depths:
        run = step(depth)
        run()
        peaks.append(timing.peak_bytes(run))
    few, many = peaks
    tensor = 4 * np.prod(shape)
    rise = None if few is None or many is None else float((many - few) / tensor / (depths[1] - depths[0]))
    whole = None if many is None else float(many / tensor)
    return {"unit": unit, "by": by, "mode": mode, "tensors_a_unit": rise, "peak_tensors": whole, "depth": depths[1]}


def _step(make: Callable[[], keras.layers.Layer], shape: tuple, mode: str, depth: int) -> Callable[[], Any]:
    stack = keras.Sequential([keras.Input(batch_shape=shape), *(make() for _ in range(depth))])
    function, arguments = passes.of_layer(stack, shape, "float32", backward=True)
    return passes.waited(passes.compiled(_without_output(function), mode), *arguments)


def _without_output(function: Callable) -> Callable:
    # The gradients only: returned, the output would be a tensor more.
    return lambda *arguments: function(*arguments)[1]


def _torch_step(function: Callable, shape: tuple, depth: int) -> Callable[[], Any]:
    def stack(x: Any, slope: Any) -> Any:
        for _ in range(depth):
            x = function(x, slope)
        return x

    both = passes.of_pytorch(stack, shape, backward=True, optimized=False)

    def gradients() -> Any:
        return both()[1]

    return gradients
