"""What the chapter on the post claims, and how the recorded trials decide it."""

import functools

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.results import Results

POST = "ReLUs revisited"
# Fixed before the recorded runs.
EXACT = 1e-5
LEARNED = 20.0  # percent of errors, at most, of a network that trains
MOST = 0.8
TIMES = 10.0
BY, ALIKE = 1.0, 1.0

DISTANCE = Claim(
    "R3-1",
    "what a rectifier gives is the distance from its hyperplane, times the length of its weights",
    f"largest difference from the distance to the nearest point of the plane, relative, < {EXACT:g}",
    "ours, after the post",
    Rule.IDENTITY,
    published="without the length",
)
of_gradients = functools.partial(
    Claim,
    source=POST,
    rule=Rule.SHARE,
    margin=MOST,
    unlike="which network it speaks of, the post does not say",
    lost="it counts as one that only guesses",
)
LARGE = Claim(
    "R3-2, gradients",
    f"at the start the gradient of rectifiers is at least {TIMES:g} times as large as that of tanh",
    f"logarithm of the ratio of their lengths, to the base {TIMES:g}, less 1: L > 0",
    POST,
    unlike="which network it speaks of, the post does not say",
    published="gradients can be very large",
    predicted=Verdict.CONFIRMED,
)
EXPLODES = of_gradients(
    "R3-2",
    "rectifiers whose weights are too large do not train at a high rate",
    f"share of the seeds that err on more than {LEARNED:g} %, at least {MOST:g}",
    published="gradients can be very large",
    predicted=Verdict.CONFIRMED,
)
LOWER = of_gradients(
    "R3-2, lower rate",
    "at a lower rate they train",
    f"share of the seeds that err on no more than {LEARNED:g} %, at least {MOST:g}",
    published="very easily avoided",
    predicted=Verdict.CONFIRMED,
)
CLIPPED = of_gradients(
    "R3-2, clipped norm",
    "with gradients of a bounded norm they train",
    f"share of the seeds that err on no more than {LEARNED:g} %, at least {MOST:g}",
    published="very easily avoided",
    predicted=Verdict.CONFIRMED,
)
CONTROL = of_gradients(
    "R3-2, tanh",
    "tanh trains at the high rate",
    f"share of the seeds that err on no more than {LEARNED:g} %, at least {MOST:g}",
    published="bounded",
    predicted=Verdict.CONFIRMED,
)
of_lengths = functools.partial(Claim, source=POST, unlike="features of a small perceptron, by their inner products")
SETS = ("MNIST", "CIFAR-10")
NEEDED = {
    data: of_lengths(
        f"R3-3, {data}",
        f"features of rectifiers retrieve better when they are scaled to unit length, on {data}",
        f"difference of the precision at 10, L > 0 and mean ≥ {BY:g} point",
        margin=BY,
        published="said in words",
        predicted=Verdict.CONFIRMED,
    )
    for data in SETS
}
NOT_NEEDED = {
    data: of_lengths(
        f"R3-4, {data}",
        f"features of tanh need no scaling, on {data}",
        f"gain in precision at 10 by scaling, its whole interval within {ALIKE:g} point",
        rule=Rule.EQUIVALENCE,
        margin=ALIKE,
        published="said in words",
        predicted=Verdict.CONFIRMED,
    )
    for data in SETS
}
INPUTS = {
    data: of_lengths(
        f"R3-5, {data}",
        f"networks of rectifiers whose inputs have unit length retrieve better, on {data}",
        f"difference of the precision at 10 by inner product, L > 0 and mean ≥ {BY:g} point",
        margin=BY,
        published="said in words",
        predicted=Verdict.INCONCLUSIVE,
    )
    for data in SETS
}
CLAIMS = (
    *(DISTANCE, LARGE, EXPLODES, LOWER, CLIPPED, CONTROL),
    *(*NEEDED.values(), *NOT_NEEDED.values(), *INPUTS.values()),
)


def gain(results: Results, unit: str, data: str, inputs: str = "pixels") -> np.ndarray:
    """Return by how many points the precision grows when features are scaled to unit length."""
    of = {"unit": unit, "data": data, "inputs": inputs}
    return results.of("cosine", **of) - results.of("inner product", **of)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""

    def trains(remedy: str, unit: str = "ReLU") -> np.ndarray:
        return results.of("test_error", unit=unit, remedy=remedy) <= LEARNED

    first = {unit: results.of("first_gradient", unit=unit, remedy="none") for unit in ("ReLU", "tanh")}
    times = np.log(first["ReLU"] / first["tanh"]) / np.log(TIMES)
    inner = {
        (data, inputs): results.of("inner product", unit="ReLU", data=data, inputs=inputs)
        for data in SETS
        for inputs in ("pixels", "unit length")
    }
    return [
        verdicts.decide(LARGE, times - 1, f"powers of {TIMES:g} above 1"),
        verdicts.decide(EXPLODES, ~trains("none"), "of the seeds"),
        verdicts.decide(LOWER, trains("lower rate"), "of the seeds"),
        verdicts.decide(CLIPPED, trains("clipped norm"), "of the seeds"),
        verdicts.decide(CONTROL, trains("none", "tanh"), "of the seeds"),
        *(verdicts.decide(claim, gain(results, "ReLU", data), "points") for data, claim in NEEDED.items()),
        *(verdicts.decide(claim, gain(results, "tanh", data), "points") for data, claim in NOT_NEEDED.items()),
        *(
            verdicts.decide(claim, inner[data, "unit length"] - inner[data, "pixels"], "points")
            for data, claim in INPUTS.items()
        ),
    ]
