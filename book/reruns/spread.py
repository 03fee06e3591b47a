"""Where the trials are computed: here one after another, in processes of this machine, or as tasks of a Ray cluster.

All three yield outcomes as they come, in any order. Only who calls them writes the record.
"""

import collections
import concurrent.futures
import functools
import json
import multiprocessing
import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras

from reruns import origin, results
from reruns.experiment import Experiment, fixed
from reruns.results import Row


class Task(NamedTuple):
    """One trial, as it travels to the process that computes it."""

    experiment: Experiment
    config: Any
    seed: int
    factors: dict[str, Any]
    threads: int | None = None  # None leaves the process as it is
    plan: str | None = None  # the digest of the plan that it belongs to, if to any

    def __str__(self) -> str:
        return " ".join([f"seed {self.seed}", *(f"{name}={level}" for name, level in self.factors.items())])


class Outcome(NamedTuple):
    """The row of a trial, or why there is none, and the name of the machine that tried."""

    task: Task
    row: Row | None
    fault: str = ""
    machine: str = ""


def computed(task: Task) -> Outcome:
    """Compute one trial in this process."""
    if task.threads is not None:
        origin.pin(task.threads)
    start = time.monotonic()
    try:
        data = _data(task.experiment, task.config)
        keras.utils.clear_session()
        keras.utils.set_random_seed(task.seed)
        metrics = results.rounded(task.experiment.trial(task.config, task.seed, **task.factors))
        json.dumps(metrics, allow_nan=False)
    except Exception as error:
        traceback.print_exc()
        return Outcome(task, None, f"{type(error).__name__}: {error}", platform.node())
    here = metrics.pop("origin", None) or origin.here()
    row = {
        "seed": task.seed,
        "factors": task.factors,
        "metrics": metrics,
        "seconds": round(time.monotonic() - start, 1),
        "config": fixed(task.config),
        "data": data,
        "origin": {**here, "plan": task.plan},
    }
    return Outcome(task, row, machine=platform.node())


@functools.cache
def _data(experiment: Experiment, config: Any) -> dict:
    return experiment.data(config)


def in_turn(tasks: list[Task]) -> Iterator[Outcome]:
    """Compute the trials in this process."""
    return map(computed, tasks)


def in_processes(tasks: list[Task], workers: int) -> Iterator[Outcome]:
    """Compute the trials in so many processes. A trial whose process is killed runs again, twice at most."""
    waiting, lives = list(reversed(tasks)), collections.Counter(3 * [str(task) for task in tasks])
    free = [_process() for _ in range(min(workers, len(tasks)))]
    running: dict[concurrent.futures.Future, tuple[concurrent.futures.Executor, Task]] = {}
    while waiting or running:
        while free and waiting:
            process, task = free.pop(), waiting.pop()
            running[process.submit(computed, task)] = process, task
        for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
            process, task = running.pop(future)
            try:
                yield future.result()
            except concurrent.futures.BrokenExecutor:
                process, lives[str(task)] = _process(), lives[str(task)] - 1
                if lives[str(task)]:
                    waiting.append(task)
                else:
                    yield Outcome(task, None, "the process that computed it was killed", platform.node())
            free.append(process)
    for process in free:
        process.shutdown()


def _process() -> concurrent.futures.Executor:
    # One process alone: of several in a pool a killed one takes the others' trials with it. And not a forked one, in
    # whose copy TensorFlow's threads would be missing.
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(1, context, initializer=_end_with_the_parent)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def on_ray(tasks: list[Task], address: str, gpus: float = 0) -> Iterator[Outcome]:
    """Compute the trials as tasks of a Ray cluster, each in a process of its own, as many as there are processors."""
    ray = _ray()
    ray.init(address=address, log_to_driver=False)
    try:
        remote = ray.remote(num_cpus=tasks[0].threads or 1, num_gpus=gpus, max_retries=5, max_calls=1)(computed)
        running = {remote.remote(task): task for task in tasks}
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            task = running.pop(done)
            try:
                yield ray.get(done)
            except ray.exceptions.RayError as error:
                yield Outcome(task, None, f"{type(error).__name__}: {error}")
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise SystemExit("--ray needs Ray: pip install '.[cluster]'") from None
    return ray


Spread = Callable[[list[Task]], Iterator[Outcome]]
