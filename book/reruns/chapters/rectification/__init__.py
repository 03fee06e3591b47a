"""What the page on pictures claims; its experiment is small enough to stand on the page itself."""

from reruns.claims import Claim, Rule

INTRODUCTION, LECTURE = "SuperDataScience 2018, introduction", "Fleuret 2019, lecture"
SHARE = 0.4  # of the responses that are negative, at least
LOSES, KEEPS = 0.1, 1e-4  # relative errors of a picture that is lost, and of one that is kept

UNTOUCHED, MADE, LEARNED, LOST = CLAIMS = tuple(
    Claim(f"P-{number}", says, criterion, source, Rule.IDENTITY)
    for number, (says, criterion, source) in enumerate(
        (
            ("negative responses become zero, positive ones stay", "equal in every map", INTRODUCTION),
            ("much of each hand-made map is negative", f"share ≥ {100 * SHARE:g} %", INTRODUCTION),
            ("much of the learned responses is negative", f"share ≥ {100 * SHARE:g} %", LECTURE),
            (
                "the positive part alone loses the picture, both parts keep it",
                f"errors above {LOSES:g} and below {KEEPS:g}",
                "ours",
            ),
        ),
        1,
    )
)
