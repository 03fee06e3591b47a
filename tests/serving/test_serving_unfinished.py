"""What a killed export leaves, does the next one take away, and never what another one is writing?"""

import os
import signal
import subprocess
import sys
import threading

import pytest
from test_serving import tiny

from keras_rectifiers import serving
from keras_rectifiers.serving import unfinished

pytestmark = pytest.mark.xdist_group("serving unfinished")


# Holds an unfinished folder, as an export does, tells its name, and waits.
HOLDER = """
import sys
from pathlib import Path
from keras_rectifiers.serving import unfinished
with unfinished.inside(Path(sys.argv[1])) as path:
    (path / "version").mkdir()
    print(path.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", HOLDER, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_folder_is_there_as_long_as_its_process_and_swept_by_the_next(holder, tmp_path):
    process, name = holder
    with unfinished.inside(tmp_path) as mine:
        assert {path.name for path in tmp_path.iterdir()} == {name, mine.name}
    assert os.listdir(tmp_path) == [name]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.listdir(tmp_path) == [name]
    with unfinished.inside(tmp_path) as mine:
        assert os.listdir(tmp_path) == [mine.name]
    assert os.listdir(tmp_path) == []


def test_an_export_sweeps_what_killed_ones_left(tmp_path):
    for number in range(25):
        (tmp_path / "x" / f".unfinished-{number}" / "version" / "variables").mkdir(parents=True)
    serving.export(tiny(), tmp_path / "x")
    assert os.listdir(tmp_path / "x") == ["1"]


def test_nobody_sweeps_between_the_making_of_a_folder_and_its_lock(tmp_path, monkeypatch):
    made, seen = threading.Event(), []
    lock = unfinished._lock

    def slow(descriptor: int, wait: bool) -> bool:
        # The second lock of the first export: its folder is made, and not yet locked.
        if wait and list(tmp_path.iterdir()) and not made.is_set():
            made.set()
            other.join(0.3)
        return lock(descriptor, wait)

    def second() -> None:
        made.wait(10)
        with unfinished.inside(tmp_path):
            seen.extend(tmp_path.iterdir())

    monkeypatch.setattr(unfinished, "_lock", slow)
    other = threading.Thread(target=second)
    other.start()
    with unfinished.inside(tmp_path) as mine:
        other.join(10)
        assert mine in seen


@pytest.mark.parametrize("error", [OSError(9, "Bad file descriptor"), BlockingIOError(11, "busy")])
def test_where_nothing_can_be_locked_nothing_is_swept(error, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("fcntl.flock", refuse)
    (tmp_path / ".unfinished-1").mkdir()
    with unfinished.inside(tmp_path) as mine:
        assert mine.is_dir()
    assert os.listdir(tmp_path) == [".unfinished-1"]


def test_a_conversion_is_not_swept_by_an_export(tmp_path, monkeypatch):
    path = serving.export(tiny(), tmp_path / "x")
    checking, alone = sys.modules["keras_rectifiers.serving.check"], []

    def converted(script, path, *arguments):
        if script == "conversions":
            serving.export(tiny(), tmp_path / "x")
            alone.append(arguments[1].parent.is_dir())
            arguments[1].write_text("made")
        return {"errors": {"serving_default": 0.0}, "warm_up": 2}

    monkeypatch.setattr(checking, "_alone", converted)
    serving.check(path, ["onnx"])
    assert alone == [True]
    assert sorted(os.listdir(tmp_path / "x")) == ["1", "1.onnx", "2"]
