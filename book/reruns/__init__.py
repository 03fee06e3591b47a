"""The code behind the pages: data, networks, experiments and their records.

Importing it loads TensorFlow without the lines that its C++ code writes about this machine's processor and graphics
card: they would end up in the pages.
"""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Send what C++ code writes to standard error nowhere; Python's own errors still come as exceptions."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Where a processor has no AVX-512 TensorFlow leaves oneDNN off: convolutions take twice as long and round otherwise.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# The benchmark also runs where there is JAX alone.
if importlib.util.find_spec("tensorflow"):
    with _silenced():
        import tensorflow as tf

        # The graphics card's libraries are looked for, and missed, only when devices are listed.
        tf.config.list_physical_devices()
