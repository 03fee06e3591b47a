"""Which arguments the units take; others are refused in Keras's grammar: what was expected, then what was received."""

import math
import operator
from collections.abc import Collection
from decimal import Decimal
from numbers import Real
from typing import Any

import keras
import numpy as np


def number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
    dtype: str = "float32",
    wanted: str = "a finite number",
) -> float:
    """Return `value` as a plain float if it is finite, more than `above`, at least `least` and at most `most`.

    So must its value in `dtype` be, in which a formula or a weight takes it.
    """

    def fits(candidate: float) -> bool:
        return math.isfinite(candidate) and candidate > above and least <= candidate <= most

    plain = _real(value)
    if fits(plain) and fits(_in(dtype, plain)):
        return plain
    bounds = (("above", above), ("of at least", least), ("of at most", most))
    wanted += "".join(f" {words} {bound:g}" for words, bound in bounds if math.isfinite(bound))
    raise refusal(name, f"{wanted} in {dtype}" if fits(plain) else wanted, value)


def _real(value: Any) -> float:
    """Return a real number of Python's or NumPy's as a plain float, NaN for anything else."""
    # For a backend's tensor too: its gradient would be cut without a word.
    if _is_scalar_array(value):
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _is_scalar_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 0


def _in(dtype: str, value: float) -> float:
    if abs(value) > _largest(dtype):
        return math.inf
    # Compiled programs take what is below the normal numbers of float32 for 0.
    return 0.0 if abs(value) < float(np.finfo("float32").tiny) else value


def _largest(dtype: str) -> float:
    # PyTorch refuses as a constant what only rounding would bring down to the largest number.
    return 65504.0 if dtype == "float16" else float(np.finfo("float32").max)


def numbers(name: str, value: Any) -> Any:
    """Return a number or a nested list of numbers as plain floats, and a tensor of numbers as it is."""
    wanted = "a finite number or a tensor of real numbers"
    if isinstance(value, list | tuple):
        try:
            return np.asarray(_floats(name, value)).tolist()
        except ValueError:
            raise refusal(name, wanted, value) from None
    if not hasattr(value, "dtype") or isinstance(value, np.generic) or _is_scalar_array(value):
        return number(name, value, wanted=wanted)
    if isinstance(value, keras.KerasTensor) or not any(kind in _dtype(value) for kind in ("float", "int")):
        raise refusal(name, wanted, value)
    return value


def _dtype(value: Any) -> str:
    try:
        return keras.backend.standardize_dtype(value.dtype)
    except ValueError:  # one of NumPy's that Keras does not have
        return ""


def _floats(name: str, value: Any) -> Any:
    return [_floats(name, entry) for entry in value] if isinstance(value, list | tuple) else number(name, value)


def integer(name: str, value: Any, *, least: int | None = None) -> int:
    """Return `value` as a plain int if it is a whole number of at least `least`."""
    whole = _whole(value)
    if whole is not None and (least is None or whole >= least) and abs(whole) < 2**31:
        return whole
    wanted = "an integer" if least is None else f"an integer of at least {least}"
    raise refusal(name, wanted if whole is None or abs(whole) < 2**31 else f"{wanted} in (-2**31, 2**31)", value)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")) or not _has_one_element(value):
        return None
    try:
        return operator.index(value)
    except Exception:  # what each backend's tensors raise is its own
        return None


def _has_one_element(value: Any) -> bool:
    try:
        return len(getattr(value, "shape", ())) == 0
    except (TypeError, ValueError):
        return False


def boolean(name: str, value: Any) -> bool:
    """Return `value` as a plain bool if it is one of Python's, NumPy's or a backend's."""
    truth = _truth(value)
    if truth is None:
        raise refusal(name, "True or False", value)
    return truth


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if "bool" not in str(getattr(value, "dtype", "")) or not _has_one_element(value):
        return None
    try:
        return bool(value)
    except Exception:  # a symbolic one, which each backend refuses in its own way
        return None


def seed(value: Any) -> int | None:
    """Return `value` if it is None or a seed that every backend can hold."""
    if value is None:
        return None
    whole = _whole(value)
    # From 2**31 on, one backend or another fails on a seed or wraps it.
    if whole is None or not 0 <= whole < 2**31:
        raise refusal("seed", "None or an integer in [0, 2**31)", value)
    return whole


def seed_or_generator(value: Any) -> Any:
    """Return `value` if it is what a functional form draws from."""
    return value if isinstance(value, keras.random.SeedGenerator) else seed(value)


def training(value: Any) -> bool | None:
    """Return `value` as None or a plain bool, refusing what has none: a graph is made for one of them."""
    if value is None or isinstance(value, bool):
        return value
    # Keras hands NumPy's booleans on as tensors.
    truth = _truth(value)
    whole = _whole(value) if truth is None else truth
    if whole not in (0, 1):
        raise refusal("training", "None, True or False", value)
    return bool(whole)


def choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return the one of `choices` that `value` is."""
    for candidate in choices:
        if isinstance(value, str) and value == candidate:
            return candidate
    raise refusal(name, "one of " + ", ".join(f'"{c}"' for c in choices), value)


def initializer(name: str, value: Any, *, dtype: str = "float32") -> Any:
    """Return the initializer that Keras makes of `value`, refusing None and a constant that is no finite number.

    An array or a tensor becomes a constant, for Keras itself saves it as something that it cannot load.
    """
    # Keras draws from Glorot's distribution where a weight has None.
    if value is None:
        raise refusal(name, "an initializer", value)
    if _is_array(value):
        value = keras.initializers.Constant(_finite_array(name, value, dtype))
    made = keras.initializers.get(value)
    if isinstance(made, keras.initializers.Constant):
        if _is_array(made.value):
            _finite_array(name, made.value, dtype)
        else:
            number(name, made.value, dtype=dtype, wanted="an initializer of finite numbers")
    return made


def _is_array(value: Any) -> bool:
    known = isinstance(value, np.ndarray | keras.Variable) or keras.ops.is_tensor(value)
    return known and not isinstance(value, keras.KerasTensor) and len(value.shape) > 0


def _finite_array(name: str, value: Any, dtype: str) -> Any:
    array = value if isinstance(value, np.ndarray) else keras.ops.convert_to_numpy(value)
    numeric = any(kind in _dtype(array) for kind in ("float", "int"))
    # Written so that NaN fails the comparison.
    if not (numeric and np.all(np.abs(array.astype("float64")) <= _largest(dtype))):
        raise refusal(name, f"an initializer of finite numbers in {dtype}", value)
    return array


def fills(name: str, initializer: Any, shape: tuple) -> Any:
    """Return the initializer, refusing an array that does not broadcast to the shape of its weight."""
    own = getattr(getattr(initializer, "value", None), "shape", ())
    if len(own) > len(shape) or any(n not in (1, m) for n, m in zip(own[::-1], shape[::-1], strict=False)):
        raise refusal(name, f"an initializer that broadcasts to the weight's shape {shape}", initializer.value)
    return initializer


def refusal(name: str, wanted: str, value: Any) -> ValueError:
    """Return the error that says what an argument must be and what it was."""
    return ValueError(f"Argument `{name}` must be {wanted}. Received: {name}={shown(value)}")


def shown(value: Any) -> str:
    """Return a value as one line of at most about 200 characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # for one, integers of more than 4,300 digits have no text
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 200 else f"{text[:200]}..."
