"""Break the negative branch of each kernel in turn, and more, and show which test notices.

python tools/mutate.py
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
    ("elu", "return ops.elu(x, alpha)", "return ops.relu(x)", "ELU becomes ReLU"),
    ("elu", "return ops.elu(x, alpha)", "return ops.elu(x)", "it forgets alpha"),
    ("elu", "x, alpha * ops.elu(x)), gradient", "x, ops.elu(x)), gradient", "above 1 it forgets alpha"),
    ("elu", "alpha * elementary.expm1(ops.where", "-7.0 * (ops.where", "compiled it becomes -7x below zero"),
    ("elu", "alpha * elementary.expm1(", "elementary.expm1(", "compiled it forgets alpha"),
    ("elu", "alpha * root * root", "root * root", "its gradient forgets alpha"),
    ("elu", "exp(0.5 * ops.where", "exp(ops.where", "its gradient squares e^x"),
    ("prelu", "x * ops.where(x > 0, 1.0, slope)", "ops.maximum(x, slope * x)", "max(x, slope x)"),
    ("prelu", "ops.where(x > 0, x, slope * x)", "ops.maximum(x, slope * x)", "compiled max(x, slope x)"),
    ("prelu", "x * ops.where(x > 0, 1.0", "x * ops.where(x >= 0, 1.0", "the kink moves to the right branch"),
    ("prelu", "g * ops.where(x > 0, 1.0", "g * ops.where(x >= 0, 1.0", "compiled the kink moves to the right branch"),
    ("prelu", "ops.where(x > 0, 0.0, x)", "ops.where(x > 0, x, x)", "the slope's gradient takes positive inputs too"),
    ("prelu", "for n in range(slices))", "for n in range(slices - 1))", "the slope's gradient drops a slice"),
    ("rrelu", "x / _divisor(u, lower, upper)", "x * lower", "compiled no noise"),
    ("rrelu", "value / ops.where(x > 0, 1.0, _divisor", "value * ops.where(x > 0, 1.0, _slope", "the slope is uniform"),
    ("rrelu", "(_scaled(g, x, u, **constants),)", "(g * ops.where(x > 0, 1.0, 0.2),)", "its gradient draws no slopes"),
    ("rrelu", "ops.where(x > 0, x, slope * x)", "ops.where(x > 0, x, 0.0 * x)", "compiled, inference becomes ReLU"),
    ("rrelu", "ops.leaky_relu(x, slope)", "ops.relu(x)", "inference becomes ReLU"),
    (
        "rrelu",
        "(g * ops.where(x > 0, 1.0, slope),)",
        "(g * ops.where(x > 0, 1.0, 0.0),)",
        "its gradient becomes ReLU's",
    ),
    ("rrelu", "2 / (1 / lower + 1 / upper)", "(lower + upper) / 2", "inference takes the mean slope"),
    ("crelu", "ops.relu(-x)]", "ops.relu(x)]", "the negative half keeps its sign"),
    ("crelu", "[1.0, -1.0]", "[1.0, 1.0]", "compiled the negative half keeps its sign"),
    ("crelu", "ops.where(x < 0, -of_negative, 0.0)", "0.0 * x", "no gradient below zero"),
    ("maxout", "ops.cast(b > a", "ops.cast(b >= a", "the second of two tied pieces"),
    ("maxout", "takes = ops.logical_and(", "takes = ops.logical_or(", "every tied piece has it"),
    ("maxout", "ops.logical_not(first))", "ops.logical_not(first) | True)", "every tied block gets the gradient"),
    ("maxout", "ops.argmax(ops", "ops.argmin(ops", "of three pieces none gets the gradient"),
    ("maxout", "ops.maximum if", "ops.minimum if", "the smallest wins"),
    ("maxout", "b > a, b != b", "ops.absolute(b) > ops.absolute(a), b != b", "compiled the largest magnitude wins"),
    ("nrelu", "return ops.sqrt(ops.sigmoid(x) + 1e-37)", "return ops.sigmoid(x)", "sigmoid(x) as the deviation"),
    ("nrelu", "ops.sqrt(1.0 / (1.0 +", "(1.0 / (1.0 +", "compiled sigmoid(x) as the deviation"),
    ("nrelu", "ops.relu(x + n", "(x + n", "the noise is not rectified"),
    ("nrelu", "_fast_rectified_formula(x + n", "(x + n", "compiled the noise is not rectified"),
    ("nrelu", "0.5 * g * drawn", "g * drawn", "the gradient from the output takes twice the noise"),
    ("nrelu", "ops.where(x < 100.0, y - x, 0.0)", "y - x", "the gradient from the output at infinity is not a number"),
    ("nrelu", "return ops.relu(x)\n", "return ops.leaky_relu(x, 0.01)\n", "inference leaks"),
    ("nrelu", "return ops.where(x <= 0, 0.0, x)", "return ops.where(x <= 0, 0.01 * x, x)", "compiled inference leaks"),
    ("nrelu", "ops.cast(x > 0, g", "ops.cast(x >= 0, g", "the kink moves to the right branch"),
    ("nrelu", "mean = clipped * below + deviation * density", "mean = ops.relu(clipped)", "the mean becomes ReLU"),
    ("softplus", "return ops.softplus(x)", "return ops.relu(x)", "softplus becomes ReLU"),
    ("softplus", "ops.leaky_relu(x, -1.0)", "ops.absolute(x)", "its derivative at 0 is 0"),
    ("softplus", "elementary.log1p_of_fraction(e) * (1.0 / sharpness)", "0.0 * x", "compiled softplus becomes ReLU"),
    ("softplus", "ops.sigmoid(sharpness * x)", "ops.sigmoid(x)", "its gradient forgets the sharpness"),
    ("sign_flip", "(number % 2)", "(1 - number % 2)", "the other half flips"),
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
