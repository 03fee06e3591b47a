"""What a chapter claims, as values, and what was found of it."""

import dataclasses
import enum
from collections.abc import Sequence
from typing import NamedTuple


class Kind(enum.Enum):
    """How a claim is decided."""

    IDENTITY = "identity"  # to rounding, by one computation
    STATISTICAL = "statistical"  # over seeds, by an interval
    COUNT = "count"  # by all recorded runs
    TIMING = "timing"  # over processes, by limits on times or memory


class Rule(enum.Enum):
    """By which rule of `verdicts` a claim is decided."""

    IDENTITY = "identity"  # it holds to rounding
    DIFFERENCE = "difference"  # paired differences are above 0 and reach the margin
    EQUIVALENCE = "equivalence"  # they lie within the margin on either side
    NOT_WORSE = "not worse"  # they lie above minus the margin
    SHARE = "share"  # it holds in a share of the runs of at least the margin
    RATIO = "ratio"  # one takes so many times as long as the other
    NEVER = "never"  # one contrary run refutes it
    LIMITS = "limits"  # every time or memory keeps its limit

    @property
    def kind(self) -> Kind:
        others = {Rule.IDENTITY: Kind.IDENTITY, Rule.NEVER: Kind.COUNT, Rule.LIMITS: Kind.TIMING}
        return others.get(self, Kind.STATISTICAL)


class Verdict(enum.Enum):
    """What a rule says of a claim."""

    CONFIRMED = "confirmed"
    TOO_SMALL = "too small"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_JUDGED = "not judged"  # what was recorded is not what was planned


LEVEL = 0.90  # of a two-sided interval, for a claim that is looked at once


def level(looks: Sequence[int]) -> float:
    """Return the level of each look's interval, so that all together err as seldom as a single one."""
    return 1 - (1 - LEVEL) / len(looks)


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim, and how it will be decided: all of it is fixed in the chapter's plan before the counted runs.

    Args:
        id: a short name.
        says: what it says.
        criterion: in words, what would confirm it.
        source: who makes it, with section or page.
        rule: which rule decides.
        margin: the least effect that would matter; of a share, the least share.
        level: of the two-sided interval, `level` of the looks that the plan allows.
        predicted: what we expected before the runs, if we wrote it down.
        unlike: what keeps our numbers from being comparable to the source's, if anything does.
        lost: how a run counts that diverged.
        published: what the source found, in its own units.
    """

    id: str
    says: str
    criterion: str
    source: str
    rule: Rule = Rule.DIFFERENCE
    margin: float = 0.0
    level: float = LEVEL
    predicted: Verdict | None = None
    unlike: str = ""
    lost: str = "nothing is decided"
    published: str = ""

    @property
    def kind(self) -> Kind:
        return self.rule.kind


class Evidence(NamedTuple):
    """What n pairs say: their mean, its interval, the margin, and how many of them are only bounds."""

    verdict: Verdict
    n: int
    mean: float
    lower: float
    upper: float
    margin: float
    p: float | None = None  # one-sided, that there is no effect
    censored: int = 0
    power: float | None = None  # how often the rule confirms an effect that matters, at the observed spread
    detected: float | None = None  # where no margin says what matters: the effect that is confirmed four times in five

    @property
    def sensitivity(self) -> str:
        """Return the power, or the effect that has one of 80 %."""
        if self.power is not None:
            return f"{self.power:.0%}"
        return "" if self.detected is None else f"80% at {self.detected:.2g}"

    def told(self, unit: str = "", digits: int = 3) -> str:
        """Return mean, interval and number of pairs as a table shows them."""
        unit = f" {unit}" if unit else ""
        bound = f", {self.censored} of them bounds" if self.censored else ""
        power = f", power {self.sensitivity}" if self.sensitivity else ""
        interval = f"[{self.lower:.{digits}g}, {self.upper:.{digits}g}]"
        return f"{self.mean:.{digits}g} {interval}{unit}, n = {self.n}{bound}{power}"


class Judgement(NamedTuple):
    """The verdict on a claim, what was found in words, and the evidence where it is of numbers."""

    claim: Claim
    verdict: Verdict
    found: str
    evidence: Evidence | None = None


def by_evidence(claim: Claim, evidence: Evidence, unit: str = "") -> Judgement:
    """Return what a rule of numbers says of a claim."""
    return Judgement(claim, evidence.verdict, evidence.told(unit), evidence)


def holds(claim: Claim, found: bool, told: str) -> Judgement:
    """Return the verdict on a claim that either holds or does not."""
    return Judgement(claim, Verdict.CONFIRMED if found else Verdict.REFUTED, told)


def refuse_incomplete(claims: tuple[Claim, ...], judgements: list[Judgement]) -> None:
    """Refuse judgements that leave out one of the claims, judge one twice, or judge another."""
    judged, expected = ([claim.id for claim in of] for of in ((j.claim for j in judgements), claims))
    if sorted(judged) != sorted(expected):
        raise ValueError(f"Expected one judgement on each of {', '.join(expected)}. Received: {', '.join(judged)}")
