"""What a served model answers to: one endpoint a signature, traced from a Keras model as plain operations."""

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_rectifiers import noise

DEFAULT = "serving_default"
# The names that Keras gives to inputs without one: they change from run to run.
_NAMELESS = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?")

Arrays = dict[str, np.ndarray]


class Signature(NamedTuple):
    """An endpoint: a function of named tensors, the specifications of these, and what it is tried with."""

    name: str
    function: Callable[..., dict[str, tf.Tensor]]
    specs: tuple[tf.TensorSpec, ...]
    example: Arrays

    def outputs(self) -> Arrays:
        """Return what Keras, eagerly, makes of the example."""
        values = self.function(*(tf.constant(self.example[spec.name]) for spec in self.specs))
        return {name: value.numpy() for name, value in values.items()}


def default(model: keras.Model, output: str | None, example: Arrays | None) -> Signature:
    """Return deterministic inference, with inputs and outputs of names that stay."""
    names = input_names(model)
    specs = tuple(
        tf.TensorSpec((None, *tensor.shape[1:]), _wide(tensor.dtype), name=name)
        for name, tensor in zip(names, model.inputs, strict=True)
    )

    def serve(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return named(model(_arranged(model, values), training=False), model, output)

    return Signature(DEFAULT, serve, specs, drawn(specs) if example is None else checked(example, specs))


def preprocess(served: Signature, scaling: Callable[[tf.Tensor], tf.Tensor]) -> list[Signature]:
    """Return the two signatures that take images as clients have them: uint8 pixels, and encoded JPEG or PNG files."""
    height, width, channels = served.specs[0].shape[1:]

    def of_pixels(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return served.function(scaling(tf.cast(images, tf.float32)))

    def decoded(file: tf.Tensor) -> tf.Tensor:
        # This operation reads PNG too; its default method is faster and inexact.
        image = tf.io.decode_jpeg(file, channels=channels, dct_method="INTEGER_ACCURATE")
        resized = tf.image.resize(image, (height, width), antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)

    def of_files(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.map_fn(decoded, image_bytes, fn_output_signature=tf.TensorSpec((height, width, channels), tf.uint8))
        return of_pixels(images)

    images = np.random.default_rng(0).integers(0, 256, (4, height, width, channels)).astype("uint8")
    files = np.array([tf.io.encode_png(image).numpy() for image in images])
    return [
        Signature(
            "preprocess",
            of_pixels,
            (tf.TensorSpec((None, height, width, channels), tf.uint8, "images"),),
            {"images": images},
        ),
        Signature(
            "preprocess_bytes", of_files, (tf.TensorSpec((None,), tf.string, "image_bytes"),), {"image_bytes": files}
        ),
    ]


def features(model: keras.Model, served: Signature, layer: str | None, normalized: bool) -> Signature:
    """Return the outputs of the last hidden layer, or of the one that is named, of length 1 if `normalized`."""
    hidden = keras.Model(model.inputs, _last_hidden(model) if layer is None else model.get_layer(layer).output)

    def extract(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.cast(hidden(_arranged(model, values), training=False), tf.float32)
        return {"features": tf.math.l2_normalize(found, axis=range(1, found.shape.rank)) if normalized else found}

    return Signature("features", extract, served.specs, served.example)


def sample(model: keras.Model, served: Signature, output: str | None) -> Signature:
    """Return inference in which the units that draw noise in training draw it from a seed that the client sends."""

    def draw(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        *inputs, seed = values
        with noise.drawn_from(seed) as draws:
            outputs = named(model(_arranged(model, inputs), training=False), model, output)
        if not draws:
            raise ValueError(
                "Signature `sample` was asked of a model without a unit that draws noise. Received: "
                f"{', '.join(sorted({type(layer).__name__ for layer in model.layers}))}"
            )
        return outputs

    specs = (*served.specs, tf.TensorSpec((2,), tf.int32, "seed"))
    return Signature("sample", draw, specs, {**served.example, "seed": np.array([7, 11], "int32")})


def input_names(model: keras.Model) -> list[str]:
    """Return the names of the inputs: those that were given, and `inputs`, numbered if there are more, for others."""
    given = [tensor.name for tensor in model.inputs]
    alone = len(given) == 1
    return [
        ("inputs" if alone else f"inputs_{number}") if _NAMELESS.fullmatch(name) else name
        for number, name in enumerate(given)
    ]


def named(outputs: Any, model: keras.Model, output: str | None) -> dict[str, tf.Tensor]:
    """Return a model's outputs by name and in types that TensorFlow Serving's REST interface knows.

    One output is called `output`; left out, `probabilities` after a softmax and `outputs` after anything else. With
    probabilities come the classes, the numbers of the largest.
    """
    if isinstance(outputs, Mapping):
        values = dict(outputs)
    elif isinstance(outputs, list | tuple):
        values = {f"{output or 'outputs'}_{number}": value for number, value in enumerate(outputs)}
    else:
        values = {output or ("probabilities" if _ends_in_softmax(model) else "outputs"): outputs}
    values = {n: tf.cast(v, tf.float32) if v.dtype.is_floating else v for n, v in values.items()}
    if "probabilities" in values and "classes" not in values:
        values["classes"] = tf.argmax(values["probabilities"], axis=-1)
    return values


def drawn(specs: tuple[tf.TensorSpec, ...], rows: int = 32) -> Arrays:
    """Return inputs to try a model with where none are given: uniform on [0, 1), or 0 and 1 for integers."""
    rng = np.random.default_rng(0)
    arrays = {}
    for spec in specs:
        shape = (rows, *(size or 4 for size in spec.shape[1:]))
        values = rng.random(shape) if spec.dtype.is_floating else rng.integers(0, 2, shape)
        arrays[spec.name] = values.astype(spec.dtype.as_numpy_dtype)
    return arrays


def checked(example: Arrays, specs: tuple[tf.TensorSpec, ...]) -> Arrays:
    """Return the caller's inputs in the types of the signature, refused if they do not fit it."""
    if set(example) != {spec.name for spec in specs}:
        raise ValueError(
            f"Expected inputs to try the model with, named {', '.join(spec.name for spec in specs)}. "
            f"Received: {', '.join(example)}"
        )
    arrays = {spec.name: np.asarray(example[spec.name]).astype(spec.dtype.as_numpy_dtype) for spec in specs}
    for spec in specs:
        if not spec.shape.is_compatible_with(arrays[spec.name].shape) or not len(arrays[spec.name]):
            raise ValueError(
                f"Expected `{spec.name}` of shape {tuple(spec.shape)}. Received: shape {arrays[spec.name].shape}"
            )
    return arrays


def _arranged(model: keras.Model, values: Any) -> Any:
    # Private, but no public attribute tells the structure that the model was made with.
    structure = getattr(model, "_inputs_struct", None)
    return values[0] if len(values) == 1 else keras.tree.pack_sequence_as(structure or model.inputs, list(values))


def _wide(dtype: Any) -> tf.DType:
    dtype = tf.as_dtype(dtype)
    return tf.float32 if dtype in (tf.float16, tf.bfloat16) else dtype


def _ends_in_softmax(model: keras.Model) -> bool:
    for layer in model.layers:
        of_units = isinstance(layer, keras.layers.Softmax) and layer.axis == -1
        if of_units or getattr(layer, "activation", None) is keras.activations.softmax:
            # Of a layer that is called twice there is no one output.
            with contextlib.suppress(AttributeError, ValueError):
                if layer.output is model.outputs[0]:
                    return True
    return False


def _last_hidden(model: keras.Model) -> Any:
    """Return the input of the last layer that has weights."""
    weighted = [layer for layer in model.layers if layer.weights]
    if len(weighted) < 2:
        raise ValueError(
            f"Signature `features` was asked of a model without a hidden layer. Received: {len(weighted)} layers with "
            "weights"
        )
    return weighted[-1].input
