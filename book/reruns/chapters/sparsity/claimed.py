"""What the chapter on exact zeros claims, and how the recorded trials decide it."""

import numpy as np

from reruns import verdicts
from reruns.claims import Claim, Evidence, Judgement, Rule, Verdict, by_evidence
from reruns.results import Results

# Fixed before the recorded runs, in percent of exact zeros.
AT_THE_START = (45.0, 55.0)
SPARSE = 60.0
# The range over the paper's four data sets, at 3 x 1000 units.
PUBLISHED = (68.0, 83.4)

PAPER = "Glorot, Bordes and Bengio 2011"
SMALLER = "three layers of 300 instead of 1000, and MNIST alone of four data sets"
START = Claim(
    "G-1",
    "about half of the outputs are exact zeros at the start",
    f"each layer's mean over the seeds in [{AT_THE_START[0]:g}, {AT_THE_START[1]:g}] %, with its whole interval",
    f"{PAPER}, section 3.1",
    Rule.EQUIVALENCE,
    margin=float(np.ptp(AT_THE_START)) / 2,
    unlike=SMALLER,
    published="about half",
)
END = Claim(
    "G-7",
    "with an L1 penalty the trained network is truly sparse",
    f"mean share of zeros over the layers minus {SPARSE:g} %, L > 0",
    f"{PAPER}, table 1",
    unlike=SMALLER,
    published=f"{PUBLISHED[0]:g} to {PUBLISHED[1]:g} %",
)
TANH = Claim("G-7, tanh", "a network of tanh has no exact zeros", "no zero in any run", PAPER, Rule.NEVER)

# Figure 3, read off: mean test error in percent by share of zeros, from and to.
FIGURE_3 = {
    (72, 75): 1.38,
    (75, 78): 1.40,
    (78, 82): 1.37,
    (82, 85): 1.41,
    (85, 88): 1.47,
    (88, 91): 1.54,
    (91, 94): 1.77,
    (94, 97): 1.84,
    (97, 100): 2.25,
}
# Of the paper's bins: where zeros are said to be free, and where they are not.
FREE, COSTLY = (70.0, 85.0), (95.0, 100.0)
RISE, DEARER = 0.2, 0.2
LEARNED = 50.0  # percent of errors; a network that makes more of them has died
WIDER = "one learning rate for all, 10 epochs, a penalty that is summed over the units"
FOR_FREE = Claim(
    "G-8, free",
    f"between {FREE[0]:g} and {FREE[1]:g} % of zeros the test error does not depend on them",
    f"rise of a line through each seed's errors over that range, its whole interval within {RISE:g} points",
    f"{PAPER}, figure 3",
    Rule.EQUIVALENCE,
    margin=RISE,
    unlike=WIDER,
    published="1.38, 1.40, 1.37 and 1.41 %",
    predicted=Verdict.CONFIRMED,
)
COST = Claim(
    "G-8, cost",
    f"from {COSTLY[0]:g} % on they cost accuracy",
    f"mean error there over the mean error between {FREE[0]:g} and {FREE[1]:g} %, less 1: L > 0 and mean ≥ {DEARER:g}",
    f"{PAPER}, figure 3",
    margin=DEARER,
    unlike=WIDER,
    published="2.0 against 1.39 %",
    predicted=Verdict.CONFIRMED,
)
# Of 1,000 units in a product with the next layer's weights, at MNIST's published share of zeros.
UNITS, SHARE, CASES = 1000, 0.834, {"one": 1, "batch": 100}
REVISITED = "ReLUs revisited"
SLOWEST = 1.0  # seconds; none takes as long


def _faster(case: str, predicted: Verdict) -> Claim:
    return Claim(
        f"Z-1, {case}",
        f"at the published share of zeros a sparse product is faster for {'one case' if case == 'one' else 'a batch'}",
        "time of the dense product over that of compressing and the sparse one, interval above 1; refuted below 1",
        REVISITED,
        Rule.RATIO,
        margin=1.0,
        unlike="SciPy's compressed rows against BLAS, one core",
        published="said in words",
        predicted=predicted,
    )


FASTER = {"one": _faster("one", Verdict.INCONCLUSIVE), "batch": _faster("batch", Verdict.REFUTED)}
SMALLER_STORE = Claim(
    "Z-2",
    "at that share the outputs take fewer bytes, as compressed rows and as a bit mask with the numbers",
    "bytes of each below those of float32",
    REVISITED,
    Rule.IDENTITY,
    published="said in words",
)
CLAIMS = (SMALLER_STORE, START, END, TANH, FOR_FREE, COST, *FASTER.values())


def judge(results: Results) -> list[Judgement]:
    """Return the verdict on each claim that the recorded trials decide."""
    middle, penalties = np.mean(AT_THE_START), results.levels("penalty", unit="tanh")
    before = results.of("zeros_before", unit="ReLU", penalty=0.0)
    after = results.of("zeros_after", unit="ReLU", penalty=max(penalties)).mean(axis=1)
    of_tanh = np.concatenate([results.of("zeros_after", unit="tanh", penalty=p) for p in penalties])
    return [
        verdicts.decide(
            START, verdicts.furthest(before - middle), f"points from {middle:g} in the layer that is furthest"
        ),
        verdicts.decide(END, after - SPARSE, f"points above {SPARSE:g}"),
        verdicts.never(TANH, of_tanh),
        _decided(FOR_FREE, rises(*wide(results)), "points"),
        _decided(COST, excesses(*wide(results)), "of the lower error"),
        *(by_evidence(claim, speedup(results, CASES[case]), "times") for case, claim in FASTER.items()),
    ]


def _decided(claim: Claim, values: np.ndarray, unit: str) -> Judgement:
    if missing := int(np.isnan(values).sum()):
        told = f"{missing} of {len(values)} seeds have too few networks with so many zeros"
        return Judgement(claim, Verdict.INCONCLUSIVE, told)
    return verdicts.decide(claim, values, unit)


def wide(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean shares of zeros and the test errors, in percent, of the wide networks: a row a seed.

    Of a network that diverged or died nothing is known.
    """
    penalties = results.levels("penalty", width=UNITS)
    of = [{"width": UNITS, "penalty": penalty} for penalty in penalties]
    zeros = np.stack([results.of("zeros_after", **trial).mean(axis=1) for trial in of], axis=1)
    errors = np.stack([results.of("test_error", **trial) for trial in of], axis=1)
    alive = errors < LEARNED
    return np.where(alive, zeros, np.nan), np.where(alive, errors, np.nan)


def _within(zeros: np.ndarray, band: tuple[float, float]) -> np.ndarray:
    return (zeros >= band[0]) & (zeros <= band[1])


def rises(zeros: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return for each seed by how much a line through its errors rises where zeros are said to be free."""
    found = []
    for shares, of_seed in zip(zeros, errors, strict=True):
        inside = _within(shares, FREE)
        # A line through two networks is what those two happened to be.
        enough = inside.sum() >= 3
        found.append(np.polyfit(shares[inside], of_seed[inside], 1)[0] * np.ptp(FREE) if enough else np.nan)
    return np.array(found)


def excesses(zeros: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return for each seed by what part the mean error is larger where zeros are many than where they are free."""
    found = []
    for shares, of_seed in zip(zeros, errors, strict=True):
        free, costly = (of_seed[_within(shares, band)] for band in (FREE, COSTLY))
        found.append(costly.mean() / free.mean() - 1 if len(free) and len(costly) else np.nan)
    return np.array(found)


def speedup(results: Results, cases: int) -> Evidence:
    """Judge how many times as long as a sparse product, with what it takes to compress, a dense one takes."""
    of = {"cases": cases, "share": SHARE}
    sparse = results.of("sparse", **of) + results.of("compressed", **of)
    return verdicts.ratio(list(results.of("dense", **of)), list(sparse), SLOWEST, 1.0, 1.0)
