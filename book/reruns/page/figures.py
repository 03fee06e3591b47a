"""The figures that several pages draw."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from reruns import verdicts
from reruns.page.palette import COLOURS, STYLES


def seed_curves(
    panels: dict[str, dict[str, np.ndarray]],
    logarithmic: tuple[str, ...] = (),
    along: str = "epoch",
    at: Sequence[float] | None = None,
    columns: int | None = None,
) -> Figure:
    """Draw curves, a panel for each quantity: a thin line for each seed and a thick one for their mean.

    Their values stand at 1, 2 and so on along the axis, or `at` places of their own, which are then its ticks. The
    panels stand in one row, or in so many columns.
    """
    columns = columns or len(panels)
    rows = -(-len(panels) // columns)
    # A wider figure would be scaled down to the page, and its letters with it.
    width = min(4.2, 9.6 / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width * columns, 3.4 * rows), squeeze=False)
    for axis, (quantity, of_names) in zip(axes.flat, panels.items(), strict=True):
        for number, (name, curves) in enumerate(of_names.items()):
            places = at or np.arange(1, curves.shape[1] + 1)
            drawn = {"linestyle": STYLES[number % len(STYLES)], "color": COLOURS[number]}
            axis.plot(places, curves.T, linewidth=0.6, alpha=0.5, **drawn)
            axis.plot(places, curves.mean(axis=0), linewidth=2, label=name, **drawn)
        axis.set(xlabel=along, ylabel=quantity, yscale="log" if quantity in logarithmic else "linear")
        low, high = axis.get_ylim()
        if quantity in logarithmic and high < 10 * low:
            # Within a decade there may be no power of ten to label.
            axis.yaxis.set_minor_formatter("{x:g}")
            axis.yaxis.set_major_formatter("{x:g}")
        if at is None:
            axis.xaxis.get_major_locator().set_params(integer=True)
        else:
            axis.set_xticks(at, at)
    axes.flat[0].legend(frameon=False)
    return figure


def paired_differences(found: dict[str, np.ndarray], published: dict[str, float], label: str) -> Figure:
    """Draw each seed's difference as a dot, their mean with its 90 % interval, and the paper's as a diamond."""
    figure, axis = plt.subplots(figsize=(7, 0.45 * len(found) + 1.4))
    axis.axvline(0, color="#000000", linewidth=1.2)
    for place, (name, differences) in enumerate(found.items()):
        mean, half = verdicts.interval(differences)
        axis.plot(differences, np.full(len(differences), place - 0.2), "o", color=COLOURS[0], alpha=0.6, markersize=4)
        axis.errorbar(mean, place, xerr=half, color=COLOURS[1], marker="s", markersize=6, capsize=4, linewidth=2)
        if name in published:
            axis.plot(published[name], place + 0.25, "D", color="#000000", markerfacecolor="none", markersize=7)
    axis.plot([], [], "o", color=COLOURS[0], alpha=0.6, markersize=4, label="a seed")
    axis.plot([], [], "s-", color=COLOURS[1], label="mean and 90 % interval")
    if published:
        axis.plot([], [], "D", color="#000000", markerfacecolor="none", label="paper")
    axis.set_yticks(range(len(found)), found)
    axis.invert_yaxis()
    axis.set_xlabel(label)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure
