"""What a chapter claims, as values, and what was found of it."""

import dataclasses
import enum
from typing import NamedTuple


class Kind(enum.Enum):
    """How a claim is decided."""

    IDENTITY = "identity"  # to rounding, by one computation
    STATISTICAL = "statistical"  # over seeds, by an interval
    COUNT = "count"  # by all recorded runs
    TIMING = "timing"  # over processes, by limits on times or memory


class Verdict(enum.Enum):
    """What a rule says of a claim."""

    CONFIRMED = "confirmed"
    TOO_SMALL = "too small"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim: a short name, what it says, what would confirm it, and who makes it, with section or page."""

    id: str
    says: str
    criterion: str
    source: str
    kind: Kind = Kind.STATISTICAL


class Evidence(NamedTuple):
    """What n pairs say: their mean, its 90 % interval, the margin, and how many of them are only bounds."""

    verdict: Verdict
    n: int
    mean: float
    lower: float
    upper: float
    margin: float
    p: float | None = None  # one-sided, that there is no effect
    censored: int = 0

    def told(self, unit: str = "", digits: int = 3) -> str:
        """Return mean, interval and number of pairs as a table shows them."""
        unit = f" {unit}" if unit else ""
        bound = f", {self.censored} of them bounds" if self.censored else ""
        return f"{self.mean:.{digits}g} [{self.lower:.{digits}g}, {self.upper:.{digits}g}]{unit}, n = {self.n}{bound}"


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
