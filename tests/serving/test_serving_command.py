"""Does the command answer at once, say what it does and what is wrong, and print nothing that is not its own?"""

import os
import pty
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from test_serving import tiny, tree

import keras_rectifiers as kr
from keras_rectifiers import serving
from keras_rectifiers.serving import command

pytestmark = pytest.mark.xdist_group("serving command")


Input, layers = keras.Input, keras.layers

# The command by its path, in a process of its own.
ALONE = """
import importlib.util, sys
sys.modules.update(dict.fromkeys(sys.argv[2].split()))
spec = importlib.util.spec_from_file_location("command", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.exit(module.main(sys.argv[3:]))
"""


def alone(*arguments: object, without: str = "", **streams: object) -> subprocess.CompletedProcess:
    file = Path(serving.__file__).with_name("command.py")
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    streams = streams or {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    start = [sys.executable, "-c", ALONE, file, without, *arguments]
    return subprocess.run(start, text=True, check=False, env=environment, **streams)


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"]])
def test_help_needs_neither_tensorflow_nor_keras_nor_this_package(arguments):
    told = alone(*arguments, without="tensorflow keras numpy keras_rectifiers")
    assert (told.returncode, told.stderr) == (0, "") and "usage: keras-rectifiers" in told.stdout


def test_wrong_arguments_are_told_before_anything_is_loaded():
    told = alone("model.keras", without="tensorflow keras numpy keras_rectifiers")
    assert told.returncode == 2 and told.stderr.endswith("the following arguments are required: folder\n")


def test_its_formats_are_those_that_check_knows():
    assert set(command.FORMATS) == set(sys.modules["keras_rectifiers.serving.check"].FORMATS)


def test_nothing_is_printed_but_the_answer(tmp_path):
    tiny().save(tmp_path / "m.keras")
    told = alone(tmp_path / "m.keras", tmp_path / "x")
    assert (told.returncode, told.stdout, told.stderr) == (0, f"exported {tmp_path}/x/1\n", "")
    assert alone("check", tmp_path / "x").stderr == ""


def test_what_libraries_say_is_told_where_loading_them_fails(tmp_path):
    (tmp_path / "keras.py").write_text(
        "import os; os.write(2, b'no such driver\\n'); raise ImportError('no keras here')"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(kr.__file__).parents[1]}"}
    start = [sys.executable, "-P", "-c", ALONE, Path(serving.__file__).with_name("command.py"), "", "a.keras", "b"]
    told = subprocess.run(start, text=True, check=False, capture_output=True, env=environment)
    assert (told.returncode, told.stderr) == (1, "no such driver\nkeras-rectifiers: no keras here\n")


def test_on_a_terminal_it_shows_what_it_does(tmp_path):
    tiny().save(tmp_path / "m.keras")
    ours, theirs = pty.openpty()
    with subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.PIPE) as reader:
        told = alone(tmp_path / "m.keras", tmp_path / "x", stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        shown = reader.stdout.read().decode()
    os.close(ours)
    assert (told.returncode, told.stdout) == (0, f"exported {tmp_path}/x/1\n")
    places = [shown.index(step) for step in ("loading TensorFlow", "m.keras", "exporting")]
    assert places == sorted(places) and "oneDNN" not in shown


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    tiny().save(folder / "good.keras")
    whole = (folder / "good.keras").read_bytes()
    (folder / "cut.keras").write_bytes(whole[:-500])
    (folder / "empty.keras").touch()
    with zipfile.ZipFile(folder / "good.keras") as given, zipfile.ZipFile(folder / "inside.keras", "w") as made:
        for name in given.namelist():
            made.writestr(name, given.read(name)[:800] if name.endswith("h5") else given.read(name))
    (folder / "text.txt").write_text("no model")
    (folder / "folder").mkdir()
    (folder / "served" / "1").mkdir(parents=True)
    (folder / "served" / "1" / "saved_model.pb").touch()
    (folder / "full" / str(2**63 - 1)).mkdir(parents=True)
    (folder / "empty.npz").touch()
    np.save(folder / "one.npy", np.ones((2, 4)))
    np.savez(folder / "objects.npz", inputs=np.array([["a", 1]], object))
    square = keras.Sequential([Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])
    square.save(folder / "square.keras")
    x = Input((None,))
    keras.Model(x, layers.Reshape((7,))(x)).save(folder / "seven.keras")
    return folder


# What is given, and what the message says.
COMMANDS = {
    "cut.keras new": "cut.keras is no whole .keras file: cut off, or of another kind",
    "empty.keras new": "empty.keras is no whole .keras file.*\\(0 bytes\\)",
    "inside.keras new": "inside.keras cannot be loaded.*truncated",
    "text.txt new": "text.txt is not named as a Keras model; expected a .keras file",
    "folder new": "folder is a folder; expected a .keras file.$",
    "served new": "served is a folder; expected a .keras file. What is exported already is checked",
    "served/1 new": "served/1 is a folder.*`keras-rectifiers check`",
    "good.keras new --version 99999999999999999999999": "at most 2\\*\\*63 - 1.*Received: 99999999999999999999999",
    "good.keras full": "at most 2\\*\\*63 - 1.*full holds version 9223372036854775807",
    "good.keras new/7": "folder of a model, not of a version.*--version.*new/7",
    "good.keras served/1": "folder of a model, not of a version.*served/1",
    "good.keras new --probe objects.npz": "objects.npz is no .npz.*as an array of text",
    "good.keras new --probe empty.npz": "empty.npz is no .npz file of arrays by name: No data left in file$",
    "good.keras new --probe one.npy": "one.npy holds one array without a name; expected an .npz file of inputs by",
    "square.keras new --preprocess inf": "finite DIVISOR above 0. Received: inf",
    "square.keras new --preprocess nan": "finite DIVISOR above 0. Received: nan",
    "square.keras new --preprocess -1": "finite DIVISOR above 0. Received: -1",
    "seven.keras new": "Expected a `probe` \\(--probe\\)",
    "check .": "holds no version.*It holds models, one of which can be checked: full, served",
}


@pytest.mark.parametrize("given", COMMANDS)
def test_what_is_wrong_is_said_in_one_line(given, files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    before = tree(files)
    assert command.main(given.split()) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and re.match(f"keras-rectifiers: .*{COMMANDS[given]}", told)
    assert tree(files) == before


def test_a_saved_model_whose_words_were_not_adapted_is_told_of(tmp_path, capsys):
    words = Input((1,), dtype="string")
    model = keras.Model(words, layers.Embedding(9, 2)(layers.TextVectorization(output_sequence_length=3)(words)))
    model.save(tmp_path / "m.keras")
    assert command.main([f"{tmp_path}/m.keras", f"{tmp_path}/x"]) == 1
    # Keras warns too.
    told = capsys.readouterr().err.splitlines()[-1]
    assert re.search("m.keras cannot be loaded.* Was a lookup layer in it never adapted[?]$", told)


def test_the_largest_version_of_a_server_is_taken(files, tmp_path):
    assert command.main([f"{files}/good.keras", f"{tmp_path}/x", "--version", str(2**63 - 1)]) == 0
    assert serving.check(tmp_path / "x").path.name == str(2**63 - 1)


def test_a_warning_is_one_line_and_no_error(tmp_path, capsys):
    x = Input((4,))
    keras.Model(x, layers.Dense(2)(kr.RReLU(name="noisy")(x, training=True))).save(tmp_path / "m.keras")
    assert command.main([f"{tmp_path}/m.keras", f"{tmp_path}/x"]) == 0
    told = capsys.readouterr()
    assert told.out == f"exported {tmp_path}/x/1\n"
    assert re.fullmatch("keras-rectifiers: .*training=True.*Received: noisy; .*--sample.*\n", told.err)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert command.main([f"{tmp_path}/m.keras", f"{tmp_path}/x", "--sample"]) == 0
    assert capsys.readouterr().err == ""


def test_what_a_mac_leaves_in_folders_and_a_file_named_as_a_number_are_passed_over(files, tmp_path):
    for place in (tmp_path / "served", tmp_path / "served" / "x"):
        place.mkdir()
        (place / ".DS_Store").touch()
    (tmp_path / "served" / "x" / "5").touch()
    model, folder = f"{files}/good.keras", tmp_path / "served" / "x"
    assert [command.main([model, str(folder)]) for _ in range(2)] == [0, 0]
    assert sorted(os.listdir(folder)) == [".DS_Store", "1", "2", "5"]
    (folder / "2" / ".DS_Store").touch()
    (folder / "2" / "variables" / ".DS_Store").touch()
    assert serving.check(folder).path.name == "2"
