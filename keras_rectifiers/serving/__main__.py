"""`python -m keras_rectifiers.serving`: the command, which `command.py` holds."""

import sys

from keras_rectifiers.serving.command import main

if __name__ == "__main__":
    sys.exit(main())
