"""Export a Keras model as the next version of a served model: all of it, or on any error nothing."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_rectifiers import plain
from keras_rectifiers.rbm import RBM
from keras_rectifiers.serving import card as cards
from keras_rectifiers.serving import graph, machines, models, server_files, signatures
from keras_rectifiers.serving import version as versions
from keras_rectifiers.serving.probes import Arrays
from keras_rectifiers.serving.signatures import Signature


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

    The signature `serving_default` is deterministic inference with the batch size of the model, a free one as a rule.
    Each weight is written once. A version is written under a temporary name and renamed when it is whole: a server, or
    a kill, sees all of it or nothing; what a kill leaves under a temporary name, the next export removes.

    Args:
        model: a functional or sequential Keras model, built, or a subclassed one that has been called and can be called
            on a `keras.Input`: then its inputs are named as the arguments of `call`, a single one `inputs`, and take
            the type of the probe's, floating-point without one. Of a model with a fixed batch size each request has
            that many rows, and so must the probe. A name that is no Python argument is made one: `right side` is
            served as `right_side`. The signatures of a restricted Boltzmann machine, `keras_rectifiers.rbm.RBM`, are
            its methods: `transform`, which is the default too, `reconstruct`, and `free_energy` where it has one.
        folder: the model's folder; its name is the name it is served by.
        version: a number from 1 to 2**63 - 1; left out, one more than the highest that is there.
        output: the name of a single output; left out, `probabilities` where the last of the outermost layers is or has
            a softmax, and `outputs` after anything else, a model within this one or a subclassed one too. With
            `probabilities` come `classes`, the numbers of the largest. The outputs of a list are numbered behind the
            name, those of a dictionary have names and take no other.
        probe: inputs by name, each of shape (rows, ...), kept in the version with the outputs that belong to them; left
            out, 32 rows are drawn (of a fixed batch its own number): words from the vocabulary of the layer that looks
            them up, sizes of 4, or where the model refuses these of 8, 16 and so on up to 256.
        preprocess: a function or Keras layer from pixels as float32, 0 to 255, to the model's input. It adds the
            signatures `preprocess` (uint8 images) and `preprocess_bytes` (encoded JPEG or PNG files, resized).
        features: adds the signature `features`: what goes into the last of the outermost layers that has weights, or
            what comes out of the layer of this name. Where BatchNormalization or PReLU stands behind the output layer,
            the first are the logits: name the layer.
        normalized: gives the features the length 1.
        sample: adds the signature `sample`, in which RReLU and NReLU draw noise from an int32[2] input `seed`, one for
            the whole request: for a server that does not batch. A machine's takes `count` and `sweeps` too, and gives
            for a seed of (s, 0) what its method `sample` gives for s.
        card: what the model card says besides signatures, versions, commit and checksums: data, metrics, licences.

    Returns:
        The path of the version.

    Raises:
        ValueError: if the model is not built, has no such signature, draws random numbers at inference, cannot run
            without Keras, takes no inputs that are drawn or gives no finite outputs, or an argument is none of the
            above; if the `models.config` beside the folder is none that a server takes.
        FileExistsError: if the version is there.
        OSError: if the folder cannot be written; a file in its place is a NotADirectoryError.

    Warns:
        UserWarning: if a layer that draws noise was called with `training=True`: `serving_default` is inference.

    Example:

    >>> import tempfile, keras
    >>> from keras_rectifiers import ELU, serving
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), ELU(), keras.layers.Dense(3)])
    >>> path = serving.export(model, tempfile.mkdtemp() + "/irises", output="logits")
    >>> path.parent.name, path.name
    ('irises', '1')
    """
    folder = Path(folder)
    _check_given(probe, preprocess)
    model = models.accepted(model, probe)
    _check_arguments(folder, card, features, normalized)
    server_files.check_installed()
    models.warn_of_noise(model, sample)
    with plain():
        if isinstance(model, RBM):
            _check_not_given(output=output, preprocess=preprocess, features=features or None)
            served = machines.signatures(model, probe, sample)
        else:
            served = _of_network(model, output, probe, preprocess, features, normalized, sample)
        tried = {signature.name: (signature.example, _finite(signature)) for signature in served}
        with versions.new(folder, version) as (unfinished, number):
            _write(model, served, preprocess, unfinished)
            graph.check(unfinished)
            cards.write_probe(unfinished, tried)
            server_files.write(unfinished, folder.name, tried, served[0].specs[0].shape[0])
            # Last, for it holds the checksums of the others.
            cards.write(unfinished, {**(card or {}), "name": folder.name, "version": number})
    return folder / str(number)


def _of_network(
    model: keras.Model,
    output: str | None,
    probe: Arrays | None,
    preprocess: Callable | None,
    features: bool | str,
    normalized: bool,
    sample: bool,
) -> list[Signature]:
    inference = signatures.default(model, output, probe)
    served = [inference]
    if preprocess is not None:
        served += signatures.preprocess(_of_images(inference), preprocess)
    if features:
        served.append(signatures.features(model, inference, None if features is True else features, normalized))
    if sample:
        served.append(signatures.sample(model, inference, output))
    return served


def _check_not_given(**arguments: Any) -> None:
    if given := [f"{name}={value!r}" for name, value in arguments.items() if value is not None]:
        raise ValueError(
            "Expected of a restricted Boltzmann machine no argument but `probe`, `sample`, `version` and `card`: its "
            f"signatures are its methods. Received: {', '.join(given)}"
        )


def _check_given(probe: Any, preprocess: Any) -> None:
    if probe is not None and not isinstance(probe, Mapping):
        raise ValueError(f"Expected a `probe` of inputs by name. Received: {type(probe).__name__}")
    if preprocess is not None and not callable(preprocess):
        raise ValueError(f"Expected a function or layer as `preprocess`. Received: {preprocess!r}")


def _check_arguments(folder: Path, card: Any, features: bool | str, normalized: bool) -> None:
    if not server_files.NAME.fullmatch(folder.name):
        raise ValueError(f"Expected a folder named as the model: letters, digits, _ . -. Received: {str(folder)!r}")
    if folder.name.isdecimal():
        raise ValueError(
            "Expected the folder of a model, not of a version: a number is given as `version` (--version). "
            f"Received: {str(folder)!r}"
        )
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


def _of_images(inference: Signature) -> Signature:
    shapes = [tuple(spec.shape) for spec in inference.specs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or None in shapes[0][1:] or shapes[0][3] not in (1, 3):
        raise ValueError(
            "Signature `preprocess` was asked of a model whose input is no image of a known size with 1 or 3 channels. "
            f"Received: inputs of shape {shapes}"
        )
    return inference


def _write(model: keras.Model, served: list[Signature], preprocess: Any, path: Path) -> None:
    archive = keras.export.ExportArchive()
    # The variables that an endpoint reads are written with it. Tracking a model would write them a second time, as the
    # archive's own `variables`; under a module, only its lookup tables are found.
    tables = tf.Module()
    tables.model, tables.preprocess = model, preprocess
    archive.track(tables)
    for signature in served:
        archive.add_endpoint(signature.name, signature.function, input_signature=list(signature.specs))
    archive.write_out(path, verbose=False)
