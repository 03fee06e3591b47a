"""Numbers for the prose of a page."""

import pytest

from reruns import page
from reruns.page import prose


def test_values_are_left_under_their_names_as_text(monkeypatch):
    left = {}
    monkeypatch.setattr(prose, "glue", lambda name, value, display: left.update({name: (value, display)}))
    page.tell(lead="0.3", folds=10, **{"of two": "1 and 2"})
    assert left == {"lead": ("0.3", False), "folds": ("10", False), "of two": ("1 and 2", False)}


@pytest.mark.parametrize(
    ("values", "digits", "told"),
    [([2.0, 1.0, 1.5], 1, "1.0 to 2.0"), (iter([0.12, 0.34]), 0, "0"), ([0.996, 1.004], 2, "1.00"), ([7], 0, "7")],
)
def test_a_span_names_both_ends_unless_they_round_alike(values, digits, told):
    assert page.span(values, digits) == told
