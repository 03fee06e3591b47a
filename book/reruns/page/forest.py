"""The effects of all claims in one figure."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from reruns.claims import Evidence, Judgement, Rule, Verdict
from reruns.page.palette import COLOURS

MARKERS = {
    Verdict.CONFIRMED: ("o", COLOURS[0]),
    Verdict.TOO_SMALL: ("s", COLOURS[4]),
    Verdict.REFUTED: ("X", COLOURS[1]),
    Verdict.INCONCLUSIVE: ("D", COLOURS[6]),
}


def drawn(judgements: Sequence[Judgement]) -> Figure:
    """Draw each effect with its interval and its margin, a row a claim, each row scaled to its largest number.

    A ratio is drawn by its logarithm, which is 0 where there is no effect.
    """
    of_numbers = [(j, _logarithms(j) if j.claim.rule is Rule.RATIO else j.evidence) for j in judgements if j.evidence]
    figure, axis = plt.subplots(figsize=(7.5, 0.36 * len(of_numbers) + 1.4))
    axis.axvline(0, color="#000000", linewidth=1.2)
    for place, (judgement, evidence) in enumerate(of_numbers):
        scale = max(abs(evidence.lower), abs(evidence.upper), evidence.margin) or 1.0
        marker, colour = MARKERS[judgement.verdict]
        axis.plot([evidence.lower / scale, evidence.upper / scale], [place, place], color=colour, linewidth=2)
        axis.plot(evidence.mean / scale, place, marker, color=colour, markersize=8)
        if evidence.margin:
            axis.plot(2 * [evidence.margin / scale], [place - 0.35, place + 0.35], ":", color="#000000")
    for verdict, (marker, colour) in MARKERS.items():
        axis.plot([], [], marker, color=colour, label=verdict.value)
    axis.plot([], [], ":", color="#000000", label="margin")
    axis.set_yticks(range(len(of_numbers)), [j.claim.id for j, _ in of_numbers])
    axis.invert_yaxis()
    axis.set_xlabel("effect in the claimed direction, each row over its own largest number")
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    return figure


def _logarithms(judgement: Judgement) -> Evidence:
    e = judgement.evidence
    assert e is not None
    mean, lower, upper, margin = (float(np.log(value)) for value in (e.mean, e.lower, e.upper, e.margin))
    return e._replace(mean=mean, lower=lower, upper=upper, margin=margin)
