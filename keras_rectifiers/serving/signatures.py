"""What a served model answers to: one endpoint a signature, traced from a Keras model as plain operations."""

import contextlib
import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_rectifiers import keys
from keras_rectifiers.serving import probes
from keras_rectifiers.serving.probes import Arrays
from keras_rectifiers.serving.reasons import reason

DEFAULT = "serving_default"
# The names that Keras gives to inputs without one: they change from run to run.
_NAMELESS = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?")


class Signature(NamedTuple):
    """An endpoint: a function of named tensors, the specifications of these, and what it is tried with."""

    name: str
    function: Callable[..., dict[str, tf.Tensor]]
    specs: tuple[tf.TensorSpec, ...]
    example: Arrays

    def outputs(self) -> Arrays:
        """Return what Keras, eagerly, makes of the example."""
        try:
            return _run(self.function, self.specs, self.example)
        except (ValueError, tf.errors.OpError) as error:
            # Of one line are those of this package.
            if len(str(error).splitlines()) == 1 and isinstance(error, ValueError):
                raise
            raise _not_taken(self.name, error) from None


def default(model: keras.Model, output: str | None, example: Arrays | None) -> Signature:
    """Return deterministic inference, with inputs and outputs of names that stay."""
    probes.check_vocabularies(model)
    _check_outputs(model, output)
    names = input_names(model)
    specs = tuple(
        tf.TensorSpec(tensor.shape, _wide(tensor.dtype), name=name)
        for name, tensor in zip(names, model.inputs, strict=True)
    )

    def serve(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return named(model(_arranged(model, values), training=False), model, output)

    if example is not None:
        renamed = dict(zip((tensor.name for tensor in model.inputs), names, strict=True))
        given = probes.checked({renamed.get(name, name): values for name, values in example.items()}, specs)
        try:
            _check_shapes(model, specs, given)
        except Exception as error:
            raise _not_taken(DEFAULT, error) from None
        return Signature(DEFAULT, serve, specs, given)

    def run(drawn: Arrays) -> Arrays:
        _check_shapes(model, specs, drawn)
        return _run(serve, specs, drawn)

    return Signature(DEFAULT, serve, specs, probes.drawn(specs, probes.vocabularies(model), run))


def preprocess(inference: Signature, scaling: Callable[[tf.Tensor], tf.Tensor]) -> list[Signature]:
    """Return the two signatures that take images as clients have them: uint8 pixels, and encoded JPEG or PNG files."""
    rows, height, width, channels = inference.specs[0].shape

    def of_pixels(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return inference.function(scaling(tf.cast(images, tf.float32)))

    def decoded(file: tf.Tensor) -> tf.Tensor:
        # This operation reads PNG too; its default method is faster and inexact.
        image = tf.io.decode_jpeg(file, channels=channels, dct_method="INTEGER_ACCURATE")
        resized = tf.image.resize(image, (height, width), antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)

    def of_files(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.map_fn(decoded, image_bytes, fn_output_signature=tf.TensorSpec((height, width, channels), tf.uint8))
        return of_pixels(images)

    images = np.random.default_rng(0).integers(0, 256, (rows or 4, height, width, channels)).astype("uint8")
    files = np.array([tf.io.encode_png(image).numpy() for image in images], object)
    return [
        Signature(
            "preprocess",
            of_pixels,
            (tf.TensorSpec((rows, height, width, channels), tf.uint8, "images"),),
            {"images": images},
        ),
        Signature(
            "preprocess_bytes", of_files, (tf.TensorSpec((rows,), tf.string, "image_bytes"),), {"image_bytes": files}
        ),
    ]


def features(model: keras.Model, inference: Signature, layer: str | None, normalized: bool) -> Signature:
    """Return the input of the last layer with weights, or the output of the one named, of length 1 if `normalized`."""
    hidden = keras.Model(model.inputs, _last_hidden(model) if layer is None else model.get_layer(layer).output)

    def extract(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.cast(hidden(_arranged(model, values), training=False), tf.float32)
        return {"features": tf.math.l2_normalize(found, axis=range(1, found.shape.rank)) if normalized else found}

    return Signature("features", extract, inference.specs, inference.example)


def sample(model: keras.Model, inference: Signature, output: str | None) -> Signature:
    """Return inference in which the units that draw noise in training draw it from a seed that the client sends."""
    if "seed" in inference.example:
        raise ValueError("Signature `sample` takes an input `seed` of its own. Received: a model with one of that name")

    def draw(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        *inputs, seed = values
        with keys.drawn_from(seed) as draws:
            outputs = named(model(_arranged(model, inputs), training=False), model, output)
        if not draws:
            raise ValueError(
                "Signature `sample` was asked of a model without a unit that draws noise. Received: "
                f"{', '.join(sorted({type(layer).__name__ for layer in model.layers}))}"
            )
        return outputs

    specs = (*inference.specs, tf.TensorSpec((2,), tf.int32, "seed"))
    return Signature("sample", draw, specs, {**inference.example, "seed": np.array([7, 11], "int32")})


def input_names(model: keras.Model) -> list[str]:
    """Return the names of the inputs: those that were given, and `inputs`, numbered if there are more, for others.

    A signature takes them as arguments, so what Python allows no argument to be called is made into what it does.
    """
    given = [tensor.name for tensor in model.inputs]
    alone = len(given) == 1
    names = [
        ("inputs" if alone else f"inputs_{number}") if _NAMELESS.fullmatch(name) else _argument(name)
        for number, name in enumerate(given)
    ]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Expected inputs of different names. Received: {given}, served as {', '.join(twice)}")
    return names


def _argument(name: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if keyword.iskeyword(name) or name == "self":
        return f"{name}_"
    return name if re.match("[A-Za-z]", name) else f"input_{name.lstrip('_')}"


def named(outputs: Any, model: keras.Model, output: str | None) -> dict[str, tf.Tensor]:
    """Return a model's outputs by name and in types that TensorFlow Serving's REST interface knows.

    One output is called `output`; left out, `probabilities` after a softmax of the outermost layers and `outputs` after
    anything else. With probabilities come the classes, the numbers of the largest.
    """
    values = {
        name: tf.cast(value, tf.float32) if value.dtype.is_floating else value
        for name, value in _by_name(outputs, model, output).items()
    }
    if "probabilities" in values and "classes" not in values:
        values["classes"] = tf.argmax(values["probabilities"], axis=-1)
    return values


def _by_name(outputs: Any, model: keras.Model, output: str | None) -> dict[str, Any]:
    if isinstance(outputs, Mapping):
        return dict(outputs)
    if isinstance(outputs, list | tuple):
        return {f"{output or 'outputs'}_{number}": value for number, value in enumerate(outputs)}
    return {output or ("probabilities" if _ends_in_softmax(model) else "outputs"): outputs}


def _check_outputs(model: keras.Model, output: str | None) -> None:
    outputs = model.compute_output_spec(_arranged(model, model.inputs))
    if isinstance(outputs, Mapping) and output is not None:
        raise ValueError(
            f"Expected no `output` (--output) for a model that names its own. Received: {output=}, of outputs named "
            f"{', '.join(map(str, outputs))}"
        )
    for name, value in _by_name(outputs, model, output).items():
        if not hasattr(value, "dtype"):
            raise ValueError(f"Expected one tensor as output `{name}`. Received: {type(value).__name__}")


def _check_shapes(model: keras.Model, specs: tuple[tf.TensorSpec, ...], example: Arrays) -> None:
    """Let Keras refuse what is too small for the model.

    A convolution by oneDNN whose output has size 0 gives memory that nobody wrote, in the shape of its input.
    """
    tensors = [keras.KerasTensor(example[spec.name].shape, dtype=spec.dtype.name) for spec in specs]
    model.compute_output_spec(_arranged(model, tensors))


def _not_taken(name: str, error: Exception) -> ValueError:
    return ValueError(f"Expected inputs that {name} takes. Received: {reason(error)}")


def _run(function: Callable, specs: tuple[tf.TensorSpec, ...], example: Arrays) -> Arrays:
    values = function(*(tf.constant(example[spec.name], spec.dtype) for spec in specs))
    return {name: value.numpy() for name, value in values.items()}


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
