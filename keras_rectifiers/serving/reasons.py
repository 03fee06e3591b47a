"""What an error of another library says, in one line."""

import re
import textwrap


def line(error: BaseException | str) -> str:
    """Return a message as one line without colours."""
    named = type(error).__name__ if isinstance(error, BaseException) else ""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()) or named


def reason(error: BaseException) -> str:
    """Return the part of a foreign error's message that says what is wrong, short enough to stand in another one."""
    # Keras appends the arguments, tensors and all; TensorFlow the name of the operation.
    said = line(re.split(r"\n+Arguments received|\s*\[Op:", str(error))[0])
    return textwrap.shorten(said, 300, placeholder=" ...") or type(error).__name__
