"""What the chapter on table 1 claims, and how the recorded trials decide it."""

import functools

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Judgement, Rule, Verdict
from reruns.results import Results

GLOROT, VINCENT = "Glorot, Bordes and Bengio 2011", "Vincent and others 2010"
# Test error in percent, with pre-training and without; the published shares of zeros, of pre-trained networks or not.
TABLE_1 = {
    ("MNIST", "rectifier"): (1.20, 1.43),
    ("MNIST", "tanh"): (1.16, 1.57),
    ("MNIST", "softplus"): (1.17, 1.77),
    ("CIFAR-10", "rectifier"): (49.96, 50.86),
    ("CIFAR-10", "tanh"): (50.79, 52.62),
    ("CIFAR-10", "softplus"): (49.52, 53.20),
}
ZEROS = {"MNIST": 83.4, "CIFAR-10": 72.0}
PLAIN, DENOISING = 1.40, 1.28
SETS = tuple(ZEROS)
WITH, WITHOUT = "denoising", "none"

# Fixed before the recorded runs. Errors and shares in percent.
BETTER_BY = {"MNIST": 0.05, "CIFAR-10": 0.8}
AS_PUBLISHED = 0.15
SPARSE = 60.0
EXACT = 1e-5
AT_THE_START = (45.0, 55.0)
CENTRED = 80.0
DRAWS = 10

SMALLER = {
    "MNIST": "batches of 20, 12 epochs, 4 of pre-training a layer, a penalty on rectifiers alone",
    "CIFAR-10": "three layers of 300, 10,000 of 50,000 images, batches of 20",
}

on_page = functools.partial(Claim, rule=Rule.IDENTITY)
HALF = on_page(
    "G-1, 1000 units",
    "about half of the outputs are exact zeros at the start, of centred pixels and of others",
    f"each layer's mean share over {DRAWS} draws in [{AT_THE_START[0]:g}, {AT_THE_START[1]:g}] %",
    f"{GLOROT}, section 3.1",
    published="about half",
)
RESCALED = on_page(
    "G-2",
    "layers whose scales multiply to 1 give the same function",
    f"largest change of an output, over the largest output, < {EXACT:g}",
    f"{GLOROT}, section 3.2",
    published="shown by argument",
)
FLIPPED = on_page(
    "G-10",
    "to negate half of the units takes the mean of a layer away",
    f"each layer's absolute mean over {DRAWS} draws falls by {CENTRED:g} % at least",
    f"{GLOROT}, section 4.1",
    published="said in words",
)


def _lowest(data: str, other: str) -> Claim:
    by = TABLE_1[data, other][1] - TABLE_1[data, "rectifier"][1]
    return Claim(
        f"G-4, {data}, {other}",
        f"without pre-training a rectifier network errs less than one of {other} on {data}",
        f"difference of the test errors, L > 0 and mean ≥ {BETTER_BY[data]:g} points",
        f"{GLOROT}, table 1",
        margin=BETTER_BY[data],
        unlike=SMALLER[data],
        published=f"by {by:.2f} points",
        predicted=Verdict.CONFIRMED,
    )


LOWEST = {(data, other): _lowest(data, other) for data in SETS for other in ("tanh", "softplus")}
NEAR = Claim(
    "G-4, published",
    f"not pre-trained, rectifiers err as the published ones on MNIST, {TABLE_1['MNIST', 'rectifier'][1]:.2f} %",
    f"its test error less the published one, all of the interval within {AS_PUBLISHED:g} points",
    f"{GLOROT}, table 1",
    Rule.EQUIVALENCE,
    margin=AS_PUBLISHED,
    unlike=SMALLER["MNIST"],
    published="1.43 %",
    predicted=Verdict.INCONCLUSIVE,
)
LEAST_HELPED = Claim(
    "G-6",
    "pre-training helps tanh more than rectifiers",
    "difference of what it takes off the test error, a mean of MNIST and CIFAR-10, L > 0",
    f"{GLOROT}, table 1",
    unlike="; ".join(f"{data}: {how}" for data, how in SMALLER.items()),
    published="by 0.18 and 0.93 points",
    predicted=Verdict.INCONCLUSIVE,
)
TRULY = {
    data: Claim(
        f"G-7, {data}",
        f"trained rectifier networks are truly sparse on {data}",
        f"mean share of zeros over layers and both networks minus {SPARSE:g} %, L > 0",
        f"{GLOROT}, section 4.1",
        unlike=SMALLER[data],
        published=f"{published:g} %",
        predicted=Verdict.CONFIRMED,
    )
    for data, published in ZEROS.items()
}
NONE_OF_TANH = Claim(
    "G-7, tanh, trained",
    "networks of tanh have no exact zeros",
    "no zero in any run",
    f"{GLOROT}, section 3.1",
    Rule.NEVER,
    published="0 %",
    predicted=Verdict.CONFIRMED,
)
NOISE_HELPS = Claim(
    "V-1",
    "three denoising autoencoders make a better classifier than three plain ones",
    "difference of the test errors, L > 0 and mean ≥ 0.06 points",
    f"{VINCENT}, table 3",
    margin=0.06,
    unlike=f"tanh units, and a size of our own: {SMALLER['MNIST']}",
    published=f"{PLAIN:.2f} % against {DENOISING:.2f} %",
    predicted=Verdict.INCONCLUSIVE,
)
CLAIMS = (
    *(HALF, RESCALED, FLIPPED, *LOWEST.values(), NEAR, LEAST_HELPED),
    *(*TRULY.values(), NONE_OF_TANH, NOISE_HELPS),
)


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""

    def error(data: str, unit: str, pretraining: str = WITHOUT) -> np.ndarray:
        return results.of("test_error", data=data, unit=unit, pretraining=pretraining)

    def gain(data: str, unit: str) -> np.ndarray:
        return error(data, unit) - error(data, unit, WITH)

    def zeros(data: str, unit: str) -> np.ndarray:
        both = [results.of("zeros", data=data, unit=unit, pretraining=how) for how in (WITHOUT, WITH)]
        return np.concatenate(both, axis=1)

    published = TABLE_1["MNIST", "rectifier"][1]
    more = np.mean([gain(data, "tanh") - gain(data, "rectifier") for data in SETS], axis=0)
    of_plain = results.of("zeros", data="MNIST", unit="tanh", pretraining="plain")
    of_tanh = np.concatenate([of_plain, *(zeros(data, "tanh") for data in SETS)], axis=1)
    plain, denoising = (error("MNIST", "tanh", how) for how in ("plain", WITH))
    return [
        *(
            verdicts.decide(claim, error(data, other) - error(data, "rectifier"), "points")
            for (data, other), claim in LOWEST.items()
        ),
        verdicts.decide(NEAR, error("MNIST", "rectifier") - published, f"points from {published:g} %"),
        verdicts.decide(LEAST_HELPED, more, "points"),
        *(
            verdicts.decide(claim, zeros(data, "rectifier").mean(axis=1) - SPARSE, f"points above {SPARSE:g}")
            for data, claim in TRULY.items()
        ),
        verdicts.never(NONE_OF_TANH, of_tanh),
        verdicts.decide(NOISE_HELPS, plain - denoising, "points"),
    ]
