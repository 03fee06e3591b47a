"""Numbers for the prose of a page, which has none typed into it."""

from collections.abc import Iterable

from myst_nb import glue


def tell(**values: str | int) -> None:
    """Leave each value for the page's sentences, under its name."""
    for name, value in values.items():
        # As text: of what is glued, a downloaded notebook's sentences take nothing else.
        glue(name, str(value), display=False)


def span(values: Iterable[float], digits: int = 1) -> str:
    """Return the least and the largest of some numbers, or one if they round alike."""
    of_all = list(values)
    ends = [f"{end:.{digits}f}" for end in (min(of_all), max(of_all))]
    return " to ".join(dict.fromkeys(ends))
