"""What a run of `pretrain` keeps of its finished epochs, so that one that was killed goes on after the last of them."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

# Of one epoch: the weights of an autoencoder, the state of its noise, and that of its optimizer.
_STATE = "autoencoder_{number}.epoch_{epoch}.weights.h5"
_RUN = "run.json"


class Progress:
    """The folder of one run."""

    def __init__(self, folder: Path, stack: Sequence[keras.Model]) -> None:
        self.folder, self.stack = folder, stack

    @classmethod
    def of(cls, folder: str | Path, stack: Sequence[keras.Model], run: dict[str, Any]) -> "Progress":
        """Return the progress of a run, made anew or found, refusing a folder that belongs to another one."""
        configs = [{**model.get_config(), "optimizer": model.optimizer.get_config()} for model in stack]
        told = json.dumps({**run, "stack": _nameless(configs)}, indent=1, default=str)
        path = Path(folder) / _RUN
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, lambda unfinished: unfinished.write_text(told))
        elif path.read_text() != told:
            raise ValueError(f"Expected a folder of this run, or an empty one. Received: {folder}, of another: {path}")
        return cls(path.parent, stack)

    def restore(self, number: int) -> int:
        """Give an autoencoder the state of its last finished epoch, and return how many are finished."""
        epochs = self._finished(number)
        if not epochs:
            return 0
        model, path = self.stack[number], epochs[max(epochs)]
        model.optimizer.build(model.trainable_variables)
        try:
            model.load_weights(path)
        except Exception as error:
            raise ValueError(
                f"Expected the state of a finished epoch; remove the file to do without it: {path}"
            ) from error
        return max(epochs)

    def _finished(self, number: int) -> dict[int, Path]:
        pattern = re.escape(_STATE).replace(r"\{number\}", str(number + 1)).replace(r"\{epoch\}", r"(\d+)")
        found = ((re.fullmatch(pattern, path.name), path) for path in self.folder.iterdir())
        return {int(match[1]): path for match, path in found if match}

    def keeper(self, number: int) -> keras.callbacks.Callback:
        """Return what keeps the state after each epoch."""
        return _Keeper(self, number)

    def keep(self, number: int, epoch: int) -> None:
        """Write the state after an epoch, then drop those of earlier ones."""
        earlier = self._finished(number)
        path = self.folder / _STATE.format(number=number + 1, epoch=epoch)
        _write(path, lambda unfinished: self.stack[number].save_weights(unfinished, overwrite=True))
        for before, kept in earlier.items():
            if before != epoch:
                kept.unlink()


class _Keeper(keras.callbacks.Callback):
    def __init__(self, progress: Progress, number: int) -> None:
        super().__init__()
        self.progress, self.number = progress, number

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.progress.keep(self.number, epoch + 1)


def _nameless(config: Any) -> Any:
    """Return a configuration without names, which Keras numbers through."""
    if isinstance(config, dict):
        return {key: _nameless(value) for key, value in config.items() if key != "name"}
    return [_nameless(entry) for entry in config] if isinstance(config, list | tuple) else config


def _write(path: Path, write: Any) -> None:
    # Under another name until it is whole. Keras wants the ending of a weights file.
    unfinished = path.with_name(f"unfinished.{path.name}")
    write(unfinished)
    os.replace(unfinished, path)
