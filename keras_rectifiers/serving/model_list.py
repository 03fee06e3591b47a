"""`models.config`, the list of models that a server is started with: read and written by the server's own protocol."""

import os
import shutil
from pathlib import Path
from typing import Any

from keras_rectifiers.serving import unfinished

FILE = "models.config"
MODELS = "/models"  # the folder of a server's container that the models' folder is mounted at


def read(folder: Path) -> Any:
    """Return the list in a folder, empty if there is none; refuse what a server would refuse, by line and column."""
    return _parsed(_text(folder / FILE), folder / FILE)


def add(folder: Path, names: list[str]) -> None:
    """Add models to the list in a folder, by name.

    What is there stays, a version that was pinned by hand too, and comments where the text with the new entries before
    a closing brace says the same; else the list is written anew without them. Nothing is written if no name is new.
    """
    with unfinished.locked(folder):
        file, text = folder / FILE, _text(folder / FILE)
        wanted = read(folder)
        listed = {entry.name for entry in wanted.model_config_list.config}
        wanted.model_config_list.SetInParent()
        new = [name for name in names if name not in listed]
        for name in new:
            wanted.model_config_list.config.add(name=name, base_path=f"{MODELS}/{name}", model_platform="tensorflow")
        if new or not file.exists():
            _replace(Path(os.path.realpath(file)), _edited(text, new, wanted, file))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8") if file.exists() else ""
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not text: {error}") from None


def _parsed(text: str, file: Path) -> Any:
    # Imported here, so that `server_files.check_installed` can say what is missing.
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    try:
        found = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        # The position stands in the message too, in front of " : ".
        place = ":".join(str(number) for number in (error.GetLine(), error.GetColumn()) if number is not None)
        said = str(error).split(" : ", 1)[-1].strip()
        raise ValueError(f"{file}:{place} is no list of models that a server takes: {said} Mend it first.") from None
    if found.WhichOneof("config") == "custom_model_config":
        raise ValueError(f"{file} holds a `custom_model_config`, beside which no list of models can stand.")
    return found


def _edited(text: str, new: list[str], wanted: Any, file: Path) -> str:
    """Return a text that says what is wanted: the old one with the new entries in it, or else one without comments."""
    from google.protobuf import text_format

    entries = "".join(
        f'  config {{\n    name: "{name}"\n    base_path: "{MODELS}/{name}"\n    model_platform: "tensorflow"\n  }}\n'
        for name in new
    )
    broken = "" if not text or text.endswith("\n") else "\n"
    tried = [f"{text}{broken}model_config_list {{\n{entries}}}\n"]
    places = [place for place, letter in enumerate(text) if letter in "}>"]
    for place in reversed(places[-20:]):
        before = text[:place].rstrip(" \t")
        tried.append(f"{before}{'' if before.endswith(chr(10)) else chr(10)}{entries}{text[place:]}")
    for edited in tried:
        try:
            if _parsed(edited, file) == wanted:
                return edited
        except ValueError:
            continue
    return text_format.MessageToString(wanted)


def _replace(file: Path, text: str) -> None:
    # One name, so that what a kill leaves is written over; only the holder of the lock comes here.
    temporary = file.with_name(f".{file.name}.unfinished")
    try:
        temporary.write_text(text, encoding="utf-8")
        if file.exists():
            shutil.copymode(file, temporary)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
