"""Any rectifier in a network that one already has."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import keras

from keras_rectifiers import activations, layers

Unit = type[keras.layers.Layer] | Callable[[keras.layers.Layer], keras.layers.Layer]

# What is known as a rectifier, by the name that `of` has for it.
_LAYERS: dict[type, str] = {
    keras.layers.LeakyReLU: "leaky_relu",
    keras.layers.PReLU: "prelu",
    keras.layers.ELU: "elu",
    layers.PReLU: "prelu",
    layers.ELU: "elu",
    layers.RReLU: "rrelu",
    layers.NReLU: "nrelu",
    layers.ScaledSoftplus: "scaled_softplus",
}
_FUNCTIONS: dict[Any, str] = {
    keras.activations.relu: "relu",
    keras.activations.relu6: "relu6",
    keras.activations.leaky_relu: "leaky_relu",
    keras.activations.elu: "elu",
    activations.elu: "elu",
    activations.rrelu: "rrelu",
    activations.nrelu: "nrelu",
    activations.scaled_softplus: "scaled_softplus",
}
# Of keras.ops, called on the tensors of a functional model.
_OPERATIONS = {"Relu": "relu", "Relu6": "relu6", "LeakyRelu": "leaky_relu", "Elu": "elu"}
NAMES = tuple(dict.fromkeys([*_FUNCTIONS.values(), *_LAYERS.values()]))
_BY_CLASS = {"ReLU": "relu", **{kind.__name__: name for kind, name in _LAYERS.items()}}
# They apply their activation to what they return, so that a layer after them can take its place.
_LAST = (
    *(keras.layers.Dense, keras.layers.EinsumDense),
    *(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose),
    *(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),
    *(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
)


def swap(
    model: keras.Model,
    unit: Unit,
    of: str | Collection[str] = "relu",
    *,
    new_weights: bool = False,
    report: Callable[[str], Any] | None = None,
) -> keras.Model:
    """Return the same network with each of its rectifiers replaced by another unit.

    A rectifier is a layer (ReLU, LeakyReLU, PReLU, ELU and those of this package), an `Activation`, a function of
    `keras.ops` on a functional model's tensors, or the argument
    `activation` of a dense or a convolutional layer, which becomes a layer after it. All other weights are kept, and
    all names. A unit that has weights of the same shapes as the layer that it replaces takes them over. The network is
    not compiled.

    Args:
        model: a Sequential or functional model; models inside it are searched too. It is left as it is.
        unit: the class of a layer, or a function that gets the layer which has the rectifier and returns the unit for
            it. Units that draw noise want seeds of their own.
        of: the name, or the names, of the rectifiers to replace: relu, relu6, leaky_relu, elu, rrelu, nrelu,
            scaled_softplus, prelu.
        new_weights: lets a unit change the number of channels, as CReLU and Maxout do; layers after it whose weights no
            longer fit are drawn anew.
        report: called with a line for each rectifier that was replaced, and each layer that was drawn anew.

    Raises:
        ValueError: nothing to replace; a rectifier inside a layer that cannot be taken apart, such as a recurrent one;
            a unit that changes the shape or whose successor does not fit, without `new_weights`; two units of one seed.

    Examples:
        >>> import keras
        >>> import keras_rectifiers as kr
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu", name="hidden")])
        >>> swapped = kr.swap(model, kr.PReLU, report=print)
        hidden: PReLU instead of relu
        >>> [layer.name for layer in swapped.layers]
        ['hidden', 'hidden_prelu']
    """
    names = {of} if isinstance(of, str) else set(of)
    if not names or not names <= set(NAMES):
        raise ValueError(f"swap expected `of` to name rectifiers, of {', '.join(NAMES)}. Received: {of!r}")
    if not isinstance(model, keras.Model):
        raise ValueError(f"swap expected a Keras model. Received: {model!r}")
    swapping = _Swapping(unit, names, new_weights)
    clone = swapping.model(model, "")
    if not swapping.lines:
        raise ValueError(f"{model.name} has no rectifier of {', '.join(sorted(names))}: there is nothing to swap")
    swapping.keep_weights()
    if report is not None:
        for line in swapping.lines:
            report(line)
    return clone


class _Swapping:
    """One call of `swap`: what it has made so far, so that a shared layer is made once."""

    def __init__(self, unit: Unit, names: set[str], new_weights: bool) -> None:
        self.unit, self.names, self.new_weights = unit, names, new_weights
        self.made: dict[int, keras.layers.Layer] = {}  # by the layer that it stands for
        self.after: dict[int, keras.layers.Layer] = {}  # the unit after a layer that was made
        self.pairs: list[tuple[str, keras.layers.Layer, keras.layers.Layer]] = []
        self.units: dict[int, str] = {}
        self.seeds: dict[int, str] = {}
        self.lines: list[str] = []

    def model(self, model: keras.Model, within: str = "") -> keras.Model:
        """Return a model with its rectifiers replaced."""

        def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
            with _naming(f"{within}{layer.name}"):
                outputs = layer(*args, **kwargs)
            if id(layer) in self.units:
                self.refuse_another_shape(layer, args[0], outputs)
            if unit := self.after.get(id(layer)):
                return call(unit, outputs)
            return outputs

        if isinstance(model, keras.Sequential):
            clone = self.sequential(model, within, call)
        else:
            clone = keras.models.clone_model(
                model, clone_function=lambda layer: self.layer(layer, within), call_function=call
            )
        if not model.trainable:
            clone.trainable = False
        return clone

    def sequential(self, model: keras.Sequential, within: str, call: Callable) -> keras.Sequential:
        if not model.built:
            raise ValueError(f"{within}{model.name} is not built: give it a keras.Input, or call it once")
        first = model.inputs[0]
        sequence: list[Any] = [keras.Input(batch_shape=first.shape, dtype=first.dtype, name=first.name)]
        x = sequence[0]
        for layer in model.layers:
            made = self.layer(layer, within)
            with keras.name_scope(model.name):
                x = call(made, x)
            sequence += [made, self.after[id(made)]] if id(made) in self.after else [made]
        return keras.Sequential(sequence, name=model.name)

    def layer(self, layer: keras.layers.Layer, within: str) -> keras.layers.Layer:
        """Return a layer's like without its rectifier, or the unit that takes its place."""
        if id(layer) not in self.made:
            self.made[id(layer)] = self.new(layer, within)
        return self.made[id(layer)]

    def new(self, layer: keras.layers.Layer, within: str) -> keras.layers.Layer:
        path, kind = f"{within}{layer.name}", _name(layer)
        if isinstance(layer, keras.Model):
            return self.model(layer, f"{path}/")
        if kind in self.names:
            made = self.new_unit(layer, kind, path, layer.name)
        else:
            config, of_argument = layer.get_config(), _FUNCTIONS.get(getattr(layer, "activation", None))
            if takes_place := isinstance(layer, _LAST) and of_argument in self.names:
                config["activation"] = "linear"
            elif hidden := _hidden(config, self.names):
                raise ValueError(
                    f"{path} has {hidden} inside a {type(layer).__name__}, where no layer can take its place"
                )
            made = type(layer).from_config(config)
            if takes_place:
                self.after[id(made)] = self.new_unit(layer, of_argument, path)
        self.pairs.append((path, layer, made))
        return made

    def new_unit(self, layer: keras.layers.Layer, kind: str | None, path: str, name: str = "") -> keras.layers.Layer:
        policy = getattr(layer, "dtype_policy", None)
        unit = self.unit(dtype=policy) if isinstance(self.unit, type) else self.unit(layer)
        if not isinstance(unit, keras.layers.Layer):
            raise ValueError(f"swap expected a layer for {path}. Received: {unit!r}")
        by = type(unit).__name__
        config = {**unit.get_config(), "name": name or f"{layer.name}_{by.lower()}"}
        if (seed := config.get("seed")) is not None and (other := self.seeds.setdefault(seed, path)) != path:
            raise ValueError(f"The units of {other} and {path} would draw the same noise: both have seed {seed}")
        self.lines.append(f"{path}: {by} instead of {kind}")
        unit = type(unit).from_config(config)
        self.units[id(unit)] = path
        return unit

    def refuse_another_shape(self, unit: keras.layers.Layer, inputs: Any, outputs: Any) -> None:
        if not self.new_weights and tuple(inputs.shape) != tuple(outputs.shape):
            raise ValueError(
                f"{self.units[id(unit)]}: {type(unit).__name__} makes {tuple(outputs.shape)} of {tuple(inputs.shape)}. "
                "With new_weights=True the layers after it that no longer fit are drawn anew"
            )

    def keep_weights(self) -> None:
        """Copy the weights of each layer to its like, and to a unit if it has those of the layer that it replaces."""
        for path, old, new in self.pairs:
            if not isinstance(old, keras.layers.Layer):
                continue
            if [weight.shape for weight in old.weights] == [weight.shape for weight in new.weights]:
                new.set_weights(old.get_weights())
            elif id(new) not in self.units:
                self.lines.append(f"{path}: drawn anew")


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path} does not fit after the swap: {error}") from error


def _name(layer: keras.layers.Layer) -> str | None:
    """Return the name of a layer that is a rectifier."""
    if not isinstance(layer, keras.layers.Layer):
        return _OPERATIONS.get(type(layer).__name__)
    if isinstance(layer, keras.layers.Activation):
        return _FUNCTIONS.get(layer.activation)
    if not isinstance(layer, keras.layers.ReLU):
        return _LAYERS.get(type(layer))
    plain = not layer.threshold and not layer.negative_slope
    if layer.max_value is not None:
        return "relu6" if plain and layer.max_value == 6 else None
    return "relu" if plain else None if layer.threshold else "leaky_relu"


def _hidden(config: Any, names: set[str]) -> str | None:
    """Return a rectifier that stands somewhere within a layer's configuration."""
    if isinstance(config, dict):
        if {kind: name for kind, name in _BY_CLASS.items() if name in names}.get(config.get("class_name", "")):
            return str(config["class_name"])
        own = [value for key, value in config.items() if "activation" in key and isinstance(value, str)]
        if found := [value for value in own if value in names]:
            return found[0]
        config = list(config.values())
    if isinstance(config, list | tuple):
        return next(filter(None, (_hidden(value, names) for value in config)), None)
    return None
