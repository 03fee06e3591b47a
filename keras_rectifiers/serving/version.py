"""The next version of a model: written where no server looks, then renamed; on any error what was made is removed."""

import contextlib
import errno
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.serving import model_list, server_files, unfinished


@contextlib.contextmanager
def new(folder: Path, version: int | None) -> Iterator[tuple[Path, int]]:
    """Give a folder to write a version into, and its number; rename it when that is done."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected the folder of a model.")
    number = _number(folder, version)
    # Before the work rather than after it.
    model_list.read(folder.parent)
    above = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # In the model's own folder, so that it is the same file system; a server passes over what is no number.
        with unfinished.inside(folder) as place:
            yield place / "version", number
            _publish(place / "version", folder / str(number))
    except BaseException:
        for path in above:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _number(folder: Path, version: int | None) -> int:
    number = max(server_files.versions(folder), default=0) + 1 if version is None else _given(version)
    if number > server_files.LARGEST:
        what = f"Received: {version}" if version else f"{folder} holds version {server_files.LARGEST}"
        raise ValueError(f"Expected a version of at most 2**63 - 1, the largest that a server takes. {what}")
    if (folder / str(number)).exists():
        raise FileExistsError(f"{folder / str(number)} is there; a version is never written over.")
    return number


def _given(version: Any) -> int:
    # NumPy's integers too, but no truth values.
    with contextlib.suppress(TypeError):
        if not isinstance(version, bool) and operator.index(version) >= 1:
            return operator.index(version)
    raise ValueError(f"Expected a version of at least 1. Received: {version!r}")


def _publish(written: Path, target: Path) -> None:
    try:
        written.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise FileExistsError(f"{target} was written by another export meanwhile.") from None
    try:
        server_files.write_config(target.parent.parent)
    except BaseException:
        target.rename(written)
        raise
