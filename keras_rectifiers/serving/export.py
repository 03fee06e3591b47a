"""Export a Keras model as the next version of a served model: all of it, or on any error nothing."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_rectifiers import plain
from keras_rectifiers.serving import card as cards
from keras_rectifiers.serving import graph, server_files, signatures
from keras_rectifiers.serving.signatures import Arrays, Signature


def export(
    model: keras.Model,
    folder: str | os.PathLike,
    *,
    version: int | None = None,
    output: str | None = None,
    probe: Arrays | None = None,
    preprocess: Callable | None = None,
    features: bool | str = False,
    normalized: bool = False,
    sample: bool = False,
    card: dict[str, Any] | None = None,
) -> Path:
    """Write a model as `folder/VERSION/`, ready for TensorFlow Serving and without this package.

    The signature `serving_default` is deterministic inference with a free batch size. A version is written under a
    temporary name and renamed when it is whole: a server, or a kill, sees all of it or nothing.

    Args:
        model: a functional or sequential Keras model, built.
        folder: the model's folder; its name is the name it is served by.
        version: a number of at least 1; left out, one more than the highest that is there.
        output: the name of a single output; left out, `probabilities` after a softmax and `outputs` after
            anything else. With `probabilities` come `classes`, the numbers of the largest.
        probe: inputs by name, each of shape (rows, ...), kept in the version with the outputs that belong to them; left
            out, 32 rows are drawn.
        preprocess: a function or Keras layer from pixels as float32, 0 to 255, to the model's input. It adds the
            signatures `preprocess` (uint8 images) and `preprocess_bytes` (encoded JPEG or PNG files, resized).
        features: adds the signature `features`: the last hidden layer, or the layer of this name.
        normalized: gives the features the length 1.
        sample: adds the signature `sample`, in which RReLU and NReLU draw noise from an int32[2] input `seed`, one for
            the whole request: for a server that does not batch.
        card: what the model card says besides signatures, versions, commit and checksums: data, metrics, licences.

    Returns:
        The path of the version.

    Raises:
        ValueError: if the model is not built, has a fixed batch size or no such signature, draws random numbers at
            inference, cannot run without Keras or gives no finite outputs, or an argument is none of the above.
        FileExistsError: if the version is there.
        OSError: if the folder cannot be written; a file in its place is a NotADirectoryError.

    Example:

    >>> import tempfile, keras
    >>> from keras_rectifiers import ELU, serving
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), ELU(), keras.layers.Dense(3)])
    >>> path = serving.export(model, tempfile.mkdtemp() + "/irises", output="logits")
    >>> path.parent.name, path.name
    ('irises', '1')
    """
    folder = Path(folder)
    _check_model(model)
    _check_arguments(folder, card, features, normalized)
    server_files.check_installed()
    with plain():
        served = [signatures.default(model, output, probe)]
        if preprocess is not None:
            served += signatures.preprocess(_of_images(served[0]), preprocess)
        if features:
            served.append(signatures.features(model, served[0], None if features is True else features, normalized))
        if sample:
            served.append(signatures.sample(model, served[0], output))
        tried = {signature.name: (signature.example, _finite(signature)) for signature in served}
        with _new_version(folder, version) as (unfinished, number):
            _write(model, served, unfinished)
            graph.check(unfinished)
            cards.write_probe(unfinished, tried)
            server_files.write(unfinished, folder.name, tried)
            # Last, for it holds the checksums of the others.
            cards.write(unfinished, {**(card or {}), "name": folder.name, "version": number})
    return folder / str(number)


def _check_model(model: keras.Model) -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected Keras on TensorFlow: a model that was trained on another backend is saved as a .keras file and "
            f"exported from a process with KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}"
        )
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        built = "not built" if isinstance(model, keras.Model) and not model.built else "without symbolic inputs"
        raise ValueError(
            f"Expected a functional or sequential Keras model that is built. Received: {type(model).__name__}, {built}"
        )
    fixed = [tensor.name for tensor in model.inputs if tensor.shape[0] is not None]
    if fixed:
        raise ValueError(f"Expected a free batch size, so that requests can be batched. Received: fixed in {fixed}")


def _check_arguments(folder: Path, card: Any, features: bool | str, normalized: bool) -> None:
    if not server_files.NAME.fullmatch(folder.name):
        raise ValueError(f"Expected a folder named as the model: letters, digits, _ . -. Received: {str(folder)!r}")
    try:
        json.dumps(card, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected a card of what JSON can say. Received: {error}") from None
    if card is not None and not isinstance(card, dict):
        raise ValueError(f"Expected a card that is a table of names. Received: {card!r}")
    if normalized and not features:
        raise ValueError(
            "Argument `normalized` is for the signature `features`. Received: normalized=True, features=False"
        )


def _finite(signature: Signature) -> Arrays:
    outputs = signature.outputs()
    for name, values in outputs.items():
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise ValueError(f"Expected finite outputs. Received: NaN or infinity in `{name}` of {signature.name}")
    return outputs


def _of_images(served: Signature) -> Signature:
    shapes = [tuple(spec.shape) for spec in served.specs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or None in shapes[0][1:] or shapes[0][3] not in (1, 3):
        raise ValueError(
            "Signature `preprocess` was asked of a model whose input is no image of a known size with 1 or 3 channels. "
            f"Received: inputs of shape {shapes}"
        )
    return served


def _write(model: keras.Model, served: list[Signature], path: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    for signature in served:
        archive.add_endpoint(signature.name, signature.function, input_signature=list(signature.specs))
    archive.write_out(path, verbose=False)


@contextlib.contextmanager
def _new_version(folder: Path, version: int | None) -> Iterator[tuple[Path, int]]:
    """Give a folder to write a version into, and rename it when that is done; on any error remove what was made."""
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 1):
        raise ValueError(f"Expected a version of at least 1. Received: {version!r}")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected the folder of a model.")
    number = version or max(server_files.versions(folder), default=0) + 1
    if (folder / str(number)).exists():
        raise FileExistsError(f"{folder / str(number)} is there; a version is never written over.")
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    unfinished = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # In the model's own folder, so that it is the same file system; a server passes over what is no number.
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
        yield unfinished / "version", number
        try:
            (unfinished / "version").rename(folder / str(number))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise FileExistsError(f"{folder / str(number)} was written by another export meanwhile.") from None
        try:
            server_files.write_config(folder.parent)
        except BaseException:
            (folder / str(number)).rename(unfinished / "version")
            raise
        unfinished.rmdir()
    except BaseException:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
        for path in new:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise
