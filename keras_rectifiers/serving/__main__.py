"""`python -m keras_rectifiers.serving`: the command, which `command.py` holds."""

from keras_rectifiers.serving.command import main, run

__all__ = ["main", "run"]

if __name__ == "__main__":
    run()
