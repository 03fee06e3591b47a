"""Break the negative branch of each kernel in turn and show which test notices: the table in CONTRIBUTING.md.

python tests/mutate.py
"""

import os
import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "keras_rectifiers"
TESTS = [f"tests/test_{name}.py" for name in ("kernels", "laws", "elementary")]

# (file, what is there, what a mutant has, what that does)
MUTATIONS = [
    ("elu", "alpha * ops.expm1(ops.where(x > 0, 0.0, x)))", "0.0 * x)", "ELU becomes ReLU"),
    ("elu", "alpha * ops.expm1(ops.where", "-7.0 * (ops.where", "ELU becomes -7x below zero"),
    ("elu", "ops.expm1(ops.where(x > 0, 0.0, x))", "(ops.exp(ops.where(x > 0, 0.0, x)) - 1.0)", "exp - 1 for expm1"),
    ("elu", "alpha * elementary.expm1(", "elementary.expm1(", "under XLA it forgets alpha"),
    ("elu", "alpha * ops.exp(ops.where", "1.0 * ops.exp(ops.where", "its gradient forgets alpha"),
    ("elu", "alpha * elementary.exp(ops.where", "elementary.exp(ops.where", "under XLA its gradient forgets alpha"),
    ("prelu", "ops.where(x > 0, x, slope * x)", "ops.maximum(x, slope * x)", "max(x, slope x)"),
    (
        "prelu",
        "g * ops.where(x > 0, 1.0, slope)",
        "g * ops.where(x >= 0, 1.0, slope)",
        "the kink moves to the right branch",
    ),
    ("prelu", "ops.where(x > 0, 0.0, x)", "ops.where(x > 0, x, x)", "the slope's gradient takes positive inputs too"),
    ("prelu", "for n in range(slices))", "for n in range(slices - 1))", "under XLA the slope's gradient drops a slice"),
    ("rrelu", "x, _sloped(x, key, lower, upper, uniform_in))", "x, x * lower)", "no noise"),
    (
        "rrelu",
        "return value / (least + u * (most - least))",
        "return value * (lower + u * (upper - lower))",
        "the slope is uniform, not the divisor",
    ),
    (
        "rrelu",
        "g, _sloped(g, key, lower, upper, uniform_in)), None",
        "g, g * lower), None",
        "its gradient draws no slopes",
    ),
    ("rrelu", "ops.where(x > 0, x, slope * x)", "ops.where(x > 0, x, 0.0 * x)", "inference becomes ReLU"),
    ("rrelu", "ops.where(x > 0, g, slope * g)", "ops.where(x > 0, g, 0.0 * g)", "its gradient becomes ReLU's"),
    ("rrelu", "2 / (1 / lower + 1 / upper)", "(lower + upper) / 2", "inference takes the mean slope"),
    ("crelu", "[1.0, -1.0]", "[1.0, 1.0]", "the negative half keeps its sign"),
    ("crelu", "ops.where(x < 0, -of_negative, 0.0)", "0.0 * x", "no gradient below zero"),
    (
        "maxout",
        "ops.cast(b > a",
        "ops.cast(b >= a",
        "the second of two tied pieces",
    ),
    (
        "maxout",
        "takes = ops.logical_and(",
        "takes = ops.logical_or(",
        "every tied piece has it",
    ),
    ("maxout", "ops.logical_not(first))", "ops.logical_not(first) | True)", "every tied block gets the gradient"),
    ("maxout", "ops.argmax(ops", "ops.argmin(ops", "of three pieces none gets the gradient"),
    ("maxout", "piece > largest", "ops.absolute(piece) > ops.absolute(largest)", "the largest magnitude wins"),
    ("nrelu", "deviation = ops.sqrt(variance)", "deviation = variance", "sigmoid(x) as the standard deviation"),
    ("nrelu", "ops.sqrt(1.0 / (1.0 +", "(1.0 / (1.0 +", "under XLA sigmoid(x) as the standard deviation"),
    ("nrelu", "_rectified_formula(x + _deviation(x)[0]", "(x + _deviation(x)[0]", "the noise is not rectified"),
    ("nrelu", "_rectified_formula(x + deviation", "(x + deviation", "under XLA the noise is not rectified"),
    ("nrelu", "g * (1.0 + n * slope), 0.0), None", "g, 0.0), None", "no gradient through the noise"),
    ("nrelu", "0.5 * g * drawn", "g * drawn", "the gradient from the output takes twice the noise"),
    ("nrelu", "ops.where(x < 100.0, y - x, 0.0)", "y - x", "the gradient from the output at infinity is not a number"),
    ("nrelu", "return ops.where(x <= 0, 0.0, x)", "return ops.where(x <= 0, 0.01 * x, x)", "inference leaks"),
    ("nrelu", "(ops.where(x > 0, g, 0.0),)", "(ops.where(x >= 0, g, 0.0),)", "the kink moves to the right branch"),
    ("nrelu", "mean = x * below + deviation * density", "mean = ops.where(x > 0, x, 0.0)", "the mean becomes ReLU"),
    ("softplus", "ops.log1p(ops.exp(-sharpness * ops.absolute(x))) / sharpness", "0.0 * x", "softplus becomes ReLU"),
    ("softplus", "ops.log1p(ops.exp", "ops.log(1.0 + ops.exp", "log(1 + ...) for log1p"),
    ("softplus", "elementary.log1p_of_fraction(e) * (1.0 / sharpness)", "0.0 * x", "under XLA softplus becomes ReLU"),
    ("softplus", "ops.sigmoid(sharpness * x)", "ops.sigmoid(x)", "its gradient forgets the sharpness"),
    ("sign_flip", "% 2 == 1", "% 2 == 0", "the other half flips"),
    ("elementary", "0.5, 0.166665062", "0.5, 0.166", "a coefficient of e^r is cut"),
    ("elementary", "-0.49999648", "-0.4999", "a coefficient of log(1 + e) is cut"),
    ("elementary", "_LOG = (1.00000325", "_LOG = (1.00003", "a coefficient of log(1 + f) is cut"),
    ("elementary", "- k * -2.12194440e-4", "", "the second part of log(2) is dropped"),
    ("elementary", "+ 127, 23)", "+ 126, 23)", "half the power of two"),
]


def path_of(name: str) -> Path:
    (path,) = PACKAGE.rglob(f"{name}.py")
    return path


def first_failure(environment: dict[str, str]) -> str | None:
    command = [sys.executable, "-m", "pytest", "-x", "-n0", *TESTS]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    found = re.search(r"^FAILED (\S+?::\w+)", result.stdout, re.MULTILINE)
    if result.returncode not in (0, 1):
        raise SystemExit(result.stdout + result.stderr)
    return found[1].split("::")[1] if found else None


def main() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    print("| file | mutation | first failing test |\n|---|---|---|")
    survivors = 0
    for name, old, new, effect in MUTATIONS:
        path = path_of(name)
        source = path.read_text()
        if source.count(old) < 1:
            raise SystemExit(f"{path}: the mutation {effect!r} no longer applies: {old!r} is not there")
        path.write_text(source.replace(old, new, 1))
        try:
            failure = first_failure(environment)
        finally:
            path.write_text(source)
        survivors += failure is None
        print(f"| `{name}.py` | {effect} | {f'`{failure}`' if failure else '**none**'} |", flush=True)
    sys.exit(survivors)


if __name__ == "__main__":
    main()
