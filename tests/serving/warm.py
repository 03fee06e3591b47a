"""A process that has loaded TensorFlow, and forks for each script that it is asked to run: what `check` starts anew.

The script runs as in a process of its own - its own memory, arguments, environment and streams - but without the four
seconds in which TensorFlow loads.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PARENT = """
import json, os, runpy, sys, traceback
import tensorflow

def run(request):
    os.environ.clear()
    os.environ.update(request["environment"])
    for stream, path in ((1, request["out"]), (2, request["errors"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    sys.argv = request["arguments"]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else (print(end.code, file=sys.stderr), 1)[1] if end.code else 0
    except BaseException:
        traceback.print_exc()
        return 1

for line in sys.stdin:
    child = os.fork()
    if not child:
        status = run(json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
START = [sys.executable, "-P", "-W", "ignore"]


class Warm:
    """Stands in for the module `subprocess` where a script is run by START."""

    def __init__(self, environment: dict[str, str]) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.parent = subprocess.Popen([*START, "-c", PARENT], env=environment, text=True, **pipes)

    def run(self, command: list[str], *, env: dict[str, str], **ignored: Any) -> subprocess.CompletedProcess:
        assert command[: len(START)] == START and ignored == {"capture_output": True, "text": True, "check": False}
        assert self.parent.stdin and self.parent.stdout
        with tempfile.TemporaryDirectory() as folder:
            out, errors = Path(folder) / "out", Path(folder) / "errors"
            request = {"arguments": command[len(START) :], "environment": env, "out": str(out), "errors": str(errors)}
            print(json.dumps(request), file=self.parent.stdin, flush=True)
            status = int(self.parent.stdout.readline())
            return subprocess.CompletedProcess(command, status, out.read_text(), errors.read_text())

    def end(self) -> None:
        self.parent.communicate()
