"""One row a layer: every question of the suite is asked of every row.

`arguments` names every argument of the constructor at a non-default value, so that a config that forgets one shows.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import keras
import numpy as np

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


NO_TEXTS = (None, "", b"mean", 0, True, [], {}, ["mean"], np.array("mean"), np.array(["slope"]), np.array(["a", "b"]))
NO_BOOLEANS = (None, "no", "", 0, 1, 1.0, [True], np.array([True]), np.array([True, False]), object)
NO_INTEGERS = (None, True, np.True_, 1.0, np.float32(1), "1", b"1", 1j, [1], (1,), np.array([1]), np.array(1.0))
NO_INTEGERS += (np.array(True), Fraction(1), Decimal(1), float("nan"), {}, object)
# In float32 the last are infinite, the very last unless it is rounded down.
NO_NUMBERS = (
    None,
    True,
    np.True_,
    "1",
    b"1",
    bytearray(b"1"),
    1j,
    np.complex64(1),
    [0.5],
    np.array([0.5, 0.5]),
    object,
)
NO_NUMBERS += (np.array("1"), np.array(b"1"), np.array(True), float("nan"), float("-inf"), Decimal("nan"))
NO_NUMBERS += (
    10**5000,
    1e39,
    -1e39,
    Decimal("1e400"),
    Fraction(10**400),
    np.float64(1e39),
    np.array(1e39),
    3.4028235e38,
)
NO_SEEDS = (*NO_INTEGERS[1:], -1, 2**31, 10**30)
NO_INITIAL_ARRAYS = [np.full(4, value) for value in (float("nan"), float("inf"), 1e39, True, "1", 1j)]


def each(name: str, *values: Any) -> tuple[dict[str, Any], ...]:
    return tuple({name: value} for value in values)


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
            *each("shared_axes", "channels", "", "12", b"12", 1.5, True, {1, 2}, {1: 2}, object),
            *each("shared_axes", [1.5], [1, [2]], [[1], [2]], [True], [None], ["1"], iter([1, 2])),
            *each("shared_axes", np.array([1.0]), np.array([True]), np.array([[1, 2]]), np.array([])),
            *each("data_format", "channels_middle", *NO_TEXTS[1:]),
            # A class is Keras's to judge, and an array may have axes.
            *each("alpha_initializer", *(v for v in NO_NUMBERS if v is not object and np.ndim(v) == 0), [0.5]),
            *each("alpha_initializer", *map(keras.initializers.Constant, (float("nan"), 1e39))),
            *each("alpha_initializer", *NO_INITIAL_ARRAYS, *map(keras.initializers.Constant, NO_INITIAL_ARRAYS)),
            *({"alpha_initializer": value, "dtype": "float16"} for value in (1e5, np.full(4, 1e5))),
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
            {"lower": 0.0, "uniform_in": "divisor"},
            {"lower": -0.1, "uniform_in": "divisor"},
            # Without a divisor that float32 holds, and without a width.
            *({"lower": lower, "uniform_in": "divisor"} for lower in (1e-50, 1e-40)),
            {"upper": 3e38, "uniform_in": "divisor"},
            {"lower": -3e38, "upper": 3e38},
            *each("lower", *NO_NUMBERS),
            *each("upper", *NO_NUMBERS),
            *each("uniform_in", "normal", *NO_TEXTS),
            *each("seed", *NO_SEEDS),
        ),
        function=activations.rrelu,
        function_arguments={"lower": 0.1, "upper": 0.7, "seed": 11},
    ),
    Specimen(
        kr.ELU,
        {"alpha": 1.7},
        (4, 4, 6),
        (4, 4, 6),
        wrong_arguments=each("alpha", -0.5, -1e-50, float("inf"), *NO_NUMBERS),
        function=activations.elu,
        function_arguments={"alpha": 1.7},
    ),
    Specimen(
        kr.CReLU,
        {"axis": 1},
        (4, 4, 6),
        (8, 4, 6),
        wrong_arguments=each("axis", *NO_INTEGERS),
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
        wrong_arguments=(
            *each("pieces", 0, *NO_INTEGERS),
            *each("grouping", "strided", *NO_TEXTS),
            *each("axis", "last", *NO_INTEGERS),
        ),
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
        wrong_arguments=(
            # Three pieces a unit; larger widths are more than any backend counts.
            *each("units", 0, -1, 2**30, 10**30, *NO_INTEGERS),
            *each("pieces", 0, 2**30, *NO_INTEGERS),
            *each("use_bias", *NO_BOOLEANS),
            *each("kernel_initializer", None, "unheard_of", keras.initializers.Constant(float("nan"))),
            *each("bias_initializer", None, keras.initializers.Constant(1e39), *NO_INITIAL_ARRAYS),
        ),
        wrong_shapes=(({}, (None, None)), ({}, (None,))),
    ),
    Specimen(
        kr.NReLU,
        {"inference": "mean", "seed": 11},
        (4, 4, 6),
        (4, 4, 6),
        stochastic=True,
        wrong_arguments=(*each("inference", "median", *NO_TEXTS), *each("seed", *NO_SEEDS)),
        function=activations.nrelu,
        function_arguments={"inference": "mean", "seed": 11},
    ),
    Specimen(
        kr.ScaledSoftplus,
        {"sharpness": 2.5},
        (4, 4, 6),
        (4, 4, 6),
        # The last two are 0 in float32, and below the numbers that compiled programs tell from it.
        wrong_arguments=each("sharpness", 0.0, -1.0, *NO_NUMBERS, 1e-50, 1e-40),
        function=activations.scaled_softplus,
        function_arguments={"sharpness": 2.5},
    ),
    Specimen(
        kr.SignFlip,
        {"axis": 1},
        (4, 4, 6),
        (4, 4, 6),
        wrong_arguments=each("axis", 0.5, *NO_INTEGERS),
        wrong_shapes=(({"axis": 4}, (None, 4, 4, 6)), ({"axis": 0}, (None, 4))),
        function=activations.sign_flip,
        function_arguments={"axis": 1},
    ),
]

NAMES = [specimen.layer.__name__ for specimen in SPECIMENS]
