"""Folders to write into that no server sees, and the sweeping of those that killed processes left behind.

A process holds a lock on its folder, which ends with the process however that ends: so a folder whose lock can be had
is nobody's any more. A lock on the folder above is held while one is made and locked, so that nobody sweeps it between.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and nothing swept.
    fcntl = None  # type: ignore[assignment]

PREFIX = ".unfinished-"


@contextlib.contextmanager
def inside(parent: Path) -> Iterator[Path]:
    """Give a new folder in `parent`, which is there, and remove it at the end; sweep what nobody holds any more."""
    with contextlib.ExitStack() as held:
        with locked(parent):
            _sweep(parent)
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            held.enter_context(locked(path))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a folder and give whether it was to be had: not on every file system, nor without waiting."""
    if fcntl is None:
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(descriptor, wait)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _sweep(parent: Path) -> None:
    for path in parent.glob(f"{PREFIX}*"):
        # Another process may remove its own meanwhile.
        with contextlib.suppress(OSError), locked(path, wait=False) as nobodys:
            if nobodys:
                shutil.rmtree(path, ignore_errors=True)
