"""What a run of `pretrain` keeps of its finished epochs, so that one that was killed goes on after the last of them."""

import json
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import cases
from keras_rectifiers.diverging import DivergedError

# Of one autoencoder: its weights, the state of its noise, and that of its optimizer, after so many epochs or for good.
_STATE = "autoencoder_{number}.{when}.weights.h5"
_FINISHED = "finished"
_RUN = "run.json"


class Progress:
    """The folder of one run."""

    def __init__(self, folder: Path, stack: Sequence[keras.Model], epochs: int) -> None:
        self.folder, self.stack, self.epochs = folder, stack, epochs

    @classmethod
    def of(cls, folder: str | Path, stack: Sequence[keras.Model], data: Any, run: dict[str, Any]) -> "Progress":
        """Return the progress of a run, made anew or found, refusing a folder that belongs to another one."""
        configs = [{**model.get_config(), "optimizer": model.optimizer.get_config()} for model in stack]
        told = json.dumps({**run, "data": _described(data), "stack": _own(configs)}, indent=1, default=str)
        path = Path(folder) / _RUN
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, lambda unfinished: unfinished.write_text(told))
        elif path.read_text() != told:
            raise ValueError(f"Expected a folder of this run, or an empty one. Received: {folder}, of another: {path}")
        return cls(path.parent, stack, run["epochs"])

    def begin(self, number: int) -> int:
        """Give an autoencoder the last state that was kept, or keep its first; return how many epochs are done."""
        self.stack[number].optimizer.build(self.stack[number].trainable_variables)
        states = self._states(number)
        if not states:
            # So that a run that is called again in this process begins where it began.
            self.keep(number, 0)
            return 0
        done = max(states)
        try:
            self.stack[number].load_weights(states[done])
        except Exception as error:
            wanted = "Expected the state of a finished epoch; remove the file to do without it"
            raise ValueError(f"{wanted}. Received: {states[done]}") from error
        return done

    def _states(self, number: int) -> dict[int, Path]:
        """Return the files of an autoencoder by the epochs that are done."""
        pattern = (
            re.escape(_STATE).replace(r"\{number\}", str(number + 1)).replace(r"\{when\}", r"(epoch_(\d+)|finished)")
        )
        # In order, so that after a kill between two files the finished one counts, and not that of the last epoch.
        found = ((re.fullmatch(pattern, path.name), path) for path in sorted(self.folder.iterdir()))
        return {int(match[2]) if match[2] else self.epochs: path for match, path in found if match}

    def keep(self, number: int, epochs: int) -> None:
        """Keep the state after so many epochs."""
        self._keep(number, f"epoch_{epochs}")

    def finish(self, number: int) -> None:
        """Keep the state for good: a training may end early, and may change weights as it ends."""
        self._keep(number, _FINISHED)

    def _keep(self, number: int, when: str) -> None:
        earlier = list(self._states(number).values())
        path = self.folder / _STATE.format(number=number + 1, when=when)
        _write(path, lambda unfinished: self.stack[number].save_weights(unfinished, overwrite=True))
        for kept in earlier:
            if kept != path:
                kept.unlink()

    def keeper(self, number: int) -> keras.callbacks.Callback:
        """Return what keeps the state after each epoch."""
        return _Keeper(self, number)


class _Keeper(keras.callbacks.Callback):
    def __init__(self, progress: Progress, number: int) -> None:
        super().__init__()
        self.progress, self.number = progress, number

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # The loss is that before the last step, which may be the one that diverges.
        if not all(np.isfinite(ops.convert_to_numpy(weight)).all() for weight in self.model.trainable_variables):
            raise DivergedError(f"The training diverged: a weight is not finite after epoch {epoch + 1}")
        self.progress.keep(self.number, epoch + 1)


def _described(data: Any) -> dict[str, Any]:
    if cases.is_pipeline(data):
        return {"batches": str(data.element_spec), "count": int(data.cardinality())}
    return {"shape": data.shape, "dtype": str(data.dtype), "crc32": zlib.crc32(np.ascontiguousarray(data).data)}


def _own(config: Any) -> Any:
    """Return a configuration without names, which Keras numbers through, and without what a layer tells once built."""
    if isinstance(config, dict):
        return {key: _own(value) for key, value in config.items() if key not in ("name", "build_config")}
    return [_own(entry) for entry in config] if isinstance(config, list | tuple) else config


def _write(path: Path, write: Any) -> None:
    # Under another name until it is whole. Keras wants the ending of a weights file.
    unfinished = path.with_name(f"unfinished.{path.name}")
    write(unfinished)
    os.replace(unfinished, path)
