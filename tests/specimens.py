"""One row a layer: every question of the suite is asked of every row.

`arguments` names every argument of the constructor at a non-default value, so that a config that forgets one shows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

import keras_rectifiers as kr
from keras_rectifiers import activations


class Specimen(NamedTuple):
    layer: type[keras.layers.Layer]
    arguments: dict[str, Any]
    input_shape: tuple[int, ...]  # without the batch
    output_shape: tuple[int, ...]
    weights: int = 0
    stochastic: bool = False
    wrong_arguments: tuple[dict[str, Any], ...] = ()
    wrong_shapes: tuple[tuple[dict[str, Any], tuple[int | None, ...]], ...] = ()  # (arguments, with the batch)
    function: Callable | None = None  # the functional form, and arguments for it
    function_arguments: dict[str, Any] = {}  # noqa: RUF012

    def make(self, **overrides: Any) -> keras.layers.Layer:
        return self.layer(**{**self.arguments, **overrides})


SPECIMENS = [
    Specimen(
        kr.PReLU,
        {
            "alpha_initializer": keras.initializers.Constant(0.6),
            "alpha_regularizer": keras.regularizers.L2(0.01),
            "alpha_constraint": keras.constraints.NonNeg(),
            "shared_axes": [-3, 2],
            "data_format": "channels_first",
        },
        (4, 4, 6),
        (4, 4, 6),
        weights=1,
        wrong_arguments=(
            {"shared_axes": "channels"},
            {"shared_axes": [1.5]},
            {"data_format": "channels_middle"},
            {"alpha_initializer": float("nan")},
        ),
        wrong_shapes=(
            ({"shared_axes": [0]}, (None, 4)),
            ({"shared_axes": [4]}, (None, 4, 4, 6)),
            ({"shared_axes": [-5]}, (None, 4, 4, 6)),
            ({"shared_axes": None}, (None, None, 6)),
            ({}, (None, 8, 8, None)),
        ),
        function=activations.prelu,
        function_arguments={"slope": 0.3},
    ),
    Specimen(
        kr.RReLU,
        {"lower": 0.1, "upper": 0.7, "uniform_in": "slope", "seed": 11},
        (4, 4, 6),
        (4, 4, 6),
        stochastic=True,
        wrong_arguments=(
            {"lower": 0.5, "upper": 0.2},
            {"uniform_in": "normal"},
            {"lower": 0.0, "uniform_in": "divisor"},
            {"lower": -0.1, "uniform_in": "divisor"},
            {"upper": float("inf")},
            {"lower": float("nan")},
            {"seed": -1},
            {"seed": 2**31},
            {"seed": 1.5},
        ),
        function=activations.rrelu,
        function_arguments={"lower": 0.1, "upper": 0.7, "seed": 11},
    ),
    Specimen(
        kr.ELU,
        {"alpha": 1.7},
        (4, 4, 6),
        (4, 4, 6),
        wrong_arguments=({"alpha": -0.5}, {"alpha": float("inf")}, {"alpha": "one"}, {"alpha": None}),
        function=activations.elu,
        function_arguments={"alpha": 1.7},
    ),
    Specimen(
        kr.CReLU,
        {"axis": 1},
        (4, 4, 6),
        (8, 4, 6),
        wrong_arguments=({"axis": 1.0}, {"axis": None}),
        wrong_shapes=(
            ({"axis": 4}, (None, 4, 4, 6)),
            ({"axis": -5}, (None, 4, 4, 6)),
            ({"axis": 0}, (None, 4)),
        ),
        function=activations.crelu,
        function_arguments={"axis": 1},
    ),
    Specimen(
        kr.Maxout,
        {"pieces": 3, "axis": 3, "grouping": "interleaved"},
        (4, 4, 6),
        (4, 4, 2),
        wrong_arguments=({"pieces": 0}, {"pieces": 2.5}, {"grouping": "strided"}, {"axis": "last"}),
        wrong_shapes=(
            ({"pieces": 4}, (None, 4, 4, 6)),
            ({"axis": 4}, (None, 4, 4, 6)),
            ({"axis": 0}, (None, 4)),
            ({"axis": 1}, (None, None, 4, 6)),
        ),
        function=activations.maxout,
        function_arguments={"pieces": 3, "axis": 3, "grouping": "interleaved"},
    ),
    Specimen(
        kr.MaxoutDense,
        {
            "units": 5,
            "pieces": 3,
            "use_bias": False,
            "kernel_initializer": keras.initializers.RandomUniform(-0.5, 0.5, seed=3),
            "bias_initializer": keras.initializers.Constant(0.1),
            "kernel_regularizer": keras.regularizers.L2(0.01),
            "bias_regularizer": keras.regularizers.L1(0.01),
            "kernel_constraint": keras.constraints.MaxNorm(1.9365, axis=0),
            "bias_constraint": keras.constraints.NonNeg(),
        },
        (4, 4, 6),
        (4, 4, 5),
        weights=1,
        wrong_arguments=({"units": 0}, {"units": 2.5}, {"pieces": 0}, {"kernel_initializer": "unheard_of"}),
        wrong_shapes=(({}, (None, None)), ({}, (None,))),
    ),
    Specimen(
        kr.NReLU,
        {"inference": "mean", "seed": 11},
        (4, 4, 6),
        (4, 4, 6),
        stochastic=True,
        wrong_arguments=({"inference": "median"}, {"seed": -1}, {"seed": 2**31}, {"seed": "eleven"}),
        function=activations.nrelu,
        function_arguments={"inference": "mean", "seed": 11},
    ),
    Specimen(
        kr.ScaledSoftplus,
        {"sharpness": 2.5},
        (4, 4, 6),
        (4, 4, 6),
        wrong_arguments=({"sharpness": 0.0}, {"sharpness": -1.0}, {"sharpness": float("nan")}),
        function=activations.scaled_softplus,
        function_arguments={"sharpness": 2.5},
    ),
    Specimen(
        kr.SignFlip,
        {"axis": 1},
        (4, 4, 6),
        (4, 4, 6),
        wrong_arguments=({"axis": 0.5},),
        wrong_shapes=(({"axis": 4}, (None, 4, 4, 6)), ({"axis": 0}, (None, 4))),
        function=activations.sign_flip,
        function_arguments={"axis": 1},
    ),
]

NAMES = [specimen.layer.__name__ for specimen in SPECIMENS]
