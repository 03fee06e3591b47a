"""Is `models.config` read and written as TensorFlow Serving reads it, whatever stands in it?"""

import os
import re
import threading
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2
from test_serving import tiny, tree

from keras_rectifiers import serving
from keras_rectifiers.serving import model_list, unfinished

pytestmark = pytest.mark.xdist_group("serving list")


Y = 'config { name: "y" base_path: "/elsewhere/y" model_platform: "tensorflow" }'
PINNED = Y.replace(" }", " model_version_policy { specific { versions: 3 } } }")
# What stands in the file, and the models that a server then finds.
TEXTS = {
    "nothing": ("", ["x"]),
    "a comment alone": ("# ours\n", ["x"]),
    "an empty list": ("model_config_list {}", ["x"]),
    "a comment after the last brace": (f"model_config_list {{\n {Y}\n}}\n# mine }}\n", ["y", "x"]),
    "a comment in the last line": (f"model_config_list {{ {Y} }} # mine", ["y", "x"]),
    "angle brackets": ("model_config_list <\n config < name: 'y' base_path: '/elsewhere/y' >\n>\n", ["y", "x"]),
    "semicolons": (f"model_config_list {{\n {Y};\n}};\n", ["y", "x"]),
    "a colon before the brace": (f"model_config_list: {{ {Y} }}", ["y", "x"]),
    "a list in brackets": ("model_config_list { config: [{ name: 'y' }, { name: 'z' }] }", ["y", "z", "x"]),
    "a name without a space": ('model_config_list { config { name:"x" base_path:"/x" } }', ["x"]),
    "a name in single quotes": ("model_config_list { config { name: 'x' base_path: '/x' } }", ["x"]),
    "a name in two parts": ("model_config_list { config { name: 'x' '' base_path: '/x' } }", ["x"]),
    "a name that is commented out": ('model_config_list {\n# config { name: "x" }\n}\n', ["x"]),
    "a brace in a name": ("model_config_list { config { name: 'y}' } }", ["y}", "x"]),
    "a pinned version": (f"model_config_list {{\n {PINNED} # as agreed\n}}\n", ["y", "x"]),
}


def parsed(file: Path):
    return text_format.Parse(file.read_text(), model_server_config_pb2.ModelServerConfig()).model_config_list.config


@pytest.mark.parametrize("text", TEXTS)
def test_a_model_is_added_to_whatever_a_server_would_read(text, tmp_path):
    given, names = TEXTS[text]
    file = tmp_path / "models.config"
    file.write_text(given)
    before = list(parsed(file))
    model_list.add(tmp_path, ["x"])
    after = list(parsed(file))
    assert [entry.name for entry in after] == names
    assert after[: len(before)] == before
    assert re.findall("#.*", file.read_text()) == re.findall("#.*", given)
    if len(after) > len(before):
        assert (after[-1].base_path, after[-1].model_platform) == ("/models/x", "tensorflow")
    else:
        assert file.read_text() == given


def test_where_no_place_says_what_is_wanted_the_list_is_written_anew(tmp_path):
    (tmp_path / "models.config").write_text("model_config_list { config: [{ name: 'y' }] " + 25 * "# } }\n" + "}")
    model_list.add(tmp_path, ["x"])
    assert [entry.name for entry in parsed(tmp_path / "models.config")] == ["y", "x"]


BAD = {
    b"model_config_list {\n nonsense\n}": r":2:\d+ is no list of models.*nonsense",
    b"model_config_list {": r":1:\d+ is no list of models",
    b"model_config_list {}\nmodel_config_list {}": r":2:\d+ is no list of models",
    b'custom_model_config { type_url: "a/b" }': " holds a `custom_model_config`",
    b"model_config_list { # \xff\n}": " is not text",
}


@pytest.mark.parametrize("content", BAD)
def test_what_a_server_would_not_take_is_refused_by_its_place_and_nothing_is_exported(content, tmp_path):
    (tmp_path / "models.config").write_bytes(content)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path}/models.config{BAD[content]}") as refused:
        serving.export(tiny(), tmp_path / "x")
    assert len(str(refused.value).splitlines()) == 1
    assert tree(tmp_path) == before


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one_and_its_target_is_written(there, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "served").mkdir()
    target, link = tmp_path / "kept" / "list", tmp_path / "served" / "models.config"
    if there:
        target.write_text("model_config_list {\n}\n")
        target.chmod(0o640)
    link.symlink_to(target)
    model_list.add(tmp_path / "served", ["x"])
    assert link.is_symlink() and [entry.name for entry in parsed(target)] == ["x"]
    assert not there or target.stat().st_mode & 0o777 == 0o640
    assert os.listdir(target.parent) == ["list"] and os.listdir(link.parent) == ["models.config"]


def test_two_exports_at_once_lose_no_model_to_each_other(tmp_path):
    with unfinished.locked(tmp_path):
        other = threading.Thread(target=model_list.add, args=(tmp_path, ["x"]))
        other.start()
        other.join(0.2)
        assert other.is_alive()
        (tmp_path / "models.config").write_text(f"model_config_list {{ {Y} }}")
    other.join()
    assert [entry.name for entry in parsed(tmp_path / "models.config")] == ["y", "x"]


def test_only_folders_that_hold_a_version_are_models(tmp_path):
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "drafts").mkdir()
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".DS_Store").touch()
    serving.export(tiny(), tmp_path / "x")
    assert [entry.name for entry in parsed(tmp_path / "models.config")] == ["x"]
