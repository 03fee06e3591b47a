"""The figures of the pages, in colours that the colour-blind tell apart and that survive grey print."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import keras_rectifiers as kr
from reruns import verdicts
from reruns.claims import Evidence, Judgement, Rule, Verdict

# Okabe and Ito's palette, with its yellow left out: too pale on paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", "--", ":", "-.", (0, (3, 1.5, 1, 1.5, 1, 1.5)))

mpl.rcParams.update(
    {
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "figure.constrained_layout.use": True,
        "font.size": 10,
        "svg.hashsalt": "keras_rectifiers",  # the same figure gives the same file
    }
)

# What each panel shows: the unit at inference, and for the random ones what they draw while training.
CURVES: dict[str, keras.layers.Layer] = {
    "ReLU": keras.layers.ReLU(),
    "PReLU, slope 0.25": kr.PReLU(shared_axes=[1]),
    "RReLU": kr.RReLU(seed=1),
    "ELU, alpha 1": kr.ELU(),
    "ScaledSoftplus, sharpness 3": kr.ScaledSoftplus(3.0),
    "NReLU": kr.NReLU(seed=1),
    "CReLU": kr.CReLU(axis=2),
    "Maxout of x and -0.5 x": kr.Maxout(2, axis=2),
}


def curve(name: str, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return a unit's outputs for the points x and their derivatives, one column an output."""
    layer = CURVES[name]
    points = tf.convert_to_tensor(x[None, :, None] if isinstance(layer, kr.CReLU | kr.Maxout) else x[None], tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(points)
        inputs = tf.concat([points, -0.5 * points], -1) if isinstance(layer, kr.Maxout) else points
        outputs = layer(inputs, training=training) if isinstance(layer, kr.RReLU | kr.NReLU) else layer(inputs)
        columns = tf.unstack(outputs, axis=-1) if outputs.shape.rank == 3 else [outputs]
    derivatives = [tf.reshape(tape.gradient(column, points), [-1]) for column in columns]
    return np.stack([tf.reshape(c, [-1]) for c in columns], 1), np.stack(derivatives, 1)


def units(names: tuple[str, ...] = tuple(CURVES), columns: int = 4) -> Figure:
    """Draw each unit's curve over its derivative, with the derivative at the kink as a dot."""
    x = np.linspace(-3, 3, 601)
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.6 * columns, 2.5 * rows), sharex=True, sharey=True)
    for axis, name in zip(axes.flat, names, strict=True):
        if name in ("RReLU", "NReLU"):
            drawn, _ = curve(name, np.repeat(x[::3], 4), training=True)
            axis.plot(np.repeat(x[::3], 4), drawn, ".", color="#999999", markersize=2, label="draws in training")
        values, derivatives = curve(name, x)
        axis.plot(x, values[:, 0], label="output")
        axis.plot(x, derivatives[:, 0], "--", label="derivative")
        if values.shape[1] > 1:
            axis.plot(x, values[:, 1], color=COLOURS[2], label="second output")
        axis.plot(0, curve(name, np.zeros(1))[1][0, 0], "o", color=COLOURS[1], markersize=5, label="derivative at 0")
        axis.set_title(name, fontsize=10)
        axis.set_ylim(-1.2, 4.2)
    for axis in axes[-1]:
        axis.set_xlabel("pre-activation x")
    figure.supylabel("output, derivative", fontsize=10)
    legend = {label: handle for a in axes.flat for handle, label in zip(*a.get_legend_handles_labels(), strict=True)}
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=5, frameon=False, markerscale=1.5)
    return figure


# Averaging, as images are scaled down by default, would make grey of neighbours that are black and white.
PIXEL_BY_PIXEL = {"cmap": "gray", "interpolation": "nearest"}


def feature_maps(
    image: np.ndarray, maps: dict[str, np.ndarray], rectify: Callable, window: tuple[slice, slice] = np.s_[:, :]
) -> Figure:
    """Draw the image, then a window of each map before and after rectification over the histograms of the whole map."""
    figure, axes = plt.subplots(3, len(maps) + 1, figsize=(2.5 * (len(maps) + 1), 6), height_ratios=(1, 1, 0.6))
    axes[0, 0].imshow(image, cmap="gray")
    axes[0, 0].set_title("image", fontsize=10)
    part = image[window]
    if part.shape != image.shape:
        (top, left), (height, width) = (side.start for side in window), part.shape
        axes[0, 0].add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=COLOURS[1], linewidth=1.5))
        axes[1, 0].imshow(part, **PIXEL_BY_PIXEL)
        axes[1, 0].set_title("window", fontsize=10)
    for axis in (axes[0, 0], axes[1, 0], axes[2, 0]):
        axis.set_axis_off()
    for column, (name, response) in enumerate(maps.items(), 1):
        rectified = np.asarray(rectify(response))
        bound = np.percentile(np.abs(response), 98)
        for row, shown in enumerate((response, rectified)):
            axes[row, column].imshow(shown[window], vmin=-bound, vmax=bound, **PIXEL_BY_PIXEL)
            axes[row, column].set_axis_off()
        axes[0, column].set_title(name, fontsize=10)
        bins = np.linspace(-bound, bound, 61)
        share = np.full(response.size, 1 / response.size)
        axes[2, column].hist(response.ravel(), bins, weights=share, color="#999999", label="before")
        axes[2, column].hist(rectified.ravel(), bins, weights=share, histtype="step", linewidth=1.5, label="after")
        axes[2, column].set(yscale="log", xlabel="response", ylim=(1e-4, 1))
    for row, text in ((0, "before"), (1, "after")):
        axes[row, 1].text(-0.08, 0.5, text, rotation=90, va="center", ha="right", transform=axes[row, 1].transAxes)
    axes[2, 1].set_ylabel("share of pixels")
    axes[2, 1].legend(fontsize=8, frameon=False)
    return figure


def pictures(named: dict[str, np.ndarray]) -> Figure:
    """Draw pictures side by side, on the grey scale of the first."""
    first = next(iter(named.values()))
    figure, axes = plt.subplots(1, len(named), figsize=(2.6 * len(named), 3))
    for axis, (name, picture) in zip(axes, named.items(), strict=True):
        axis.imshow(picture, vmin=first.min(), vmax=first.max(), **PIXEL_BY_PIXEL)
        axis.set_title(name, fontsize=10)
        axis.set_axis_off()
    return figure


def training_curves(histories: dict[str, dict]) -> Figure:
    """Draw the training and the validation loss of each unit's network, each before the grey curves of the others."""
    columns = 5
    rows = -(-len(histories) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.2 * columns, 2.3 * rows), sharex=True, sharey=True)
    for axis, (unit, own) in zip(axes.flat, histories.items(), strict=True):
        epochs = np.arange(1, len(own["train_loss"]) + 1)
        for other in histories.values():
            axis.plot(epochs, other["train_loss"], color="#d0d0d0", linewidth=0.8)
        axis.plot(epochs, own["train_loss"], label="training")
        axis.plot(epochs, own["validation_loss"], "--", label="validation")
        axis.set_title(unit, fontsize=10)
        axis.set_yscale("log")
    axes.flat[0].legend(fontsize=8, frameon=False)
    figure.supxlabel("epoch")
    figure.supylabel("cross-entropy, nats")
    return figure


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
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.4 * rows), squeeze=False)
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


def accuracies(recorded: dict[str, np.ndarray]) -> Figure:
    """Draw the test accuracy of each seed as a dot, and their mean as a bar."""
    figure, axis = plt.subplots(figsize=(7, 3.4))
    for place, accuracy in enumerate(recorded.values()):
        axis.plot(accuracy, np.full(len(accuracy), place), "o", color=COLOURS[0], alpha=0.6, markersize=5)
        axis.plot([accuracy.mean()] * 2, [place - 0.35, place + 0.35], color=COLOURS[1], linewidth=2)
    axis.set_yticks(range(len(recorded)), recorded)
    axis.invert_yaxis()
    axis.set_xlabel("test accuracy, %")
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


MARKERS = {
    Verdict.CONFIRMED: ("o", COLOURS[0]),
    Verdict.TOO_SMALL: ("s", COLOURS[4]),
    Verdict.REFUTED: ("X", COLOURS[1]),
    Verdict.INCONCLUSIVE: ("D", COLOURS[6]),
}


def forest(judgements: Sequence[Judgement]) -> Figure:
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


# How each contender's figures are drawn: its name, its colour and a marker that survives grey print.
CONTENDERS = {
    ("ours", "graph"): ("ours, in a graph", COLOURS[0], "o"),
    ("ours", "xla"): ("ours, all under XLA", COLOURS[0], "D"),
    ("keras", "graph"): ("Keras, in a graph", COLOURS[1], "o"),
    ("keras", "xla"): ("Keras, all under XLA", COLOURS[1], "D"),
    ("torch", "eager"): ("PyTorch, eager", COLOURS[2], "^"),
    ("torch", "compiled"): ("PyTorch, compiled", COLOURS[2], "v"),
}


def costs(rows: list[dict]) -> Figure:
    """Draw each unit's time over the floor, a mark for each contender, on a logarithmic axis."""
    units = list(dict.fromkeys(row["unit"] for row in rows))
    figure, axis = plt.subplots(figsize=(7.5, 0.5 * len(units) + 1.4))
    axis.axvline(1, color="#000000", linewidth=1.2)
    for number, ((by, mode), (label, colour, marker)) in enumerate(CONTENDERS.items()):
        own = [row for row in rows if (row["by"], row["mode"]) == (by, mode)]
        places = [units.index(row["unit"]) + 0.1 * (number - 2.5) for row in own]
        face = colour if by == "ours" else "none"
        times = [row["over_floor"] for row in own]
        axis.plot(times, places, marker, color=colour, markerfacecolor=face, markersize=7, label=label)
    axis.set_xscale("log")
    axis.set_yticks(range(len(units)), units)
    axis.invert_yaxis()
    axis.set_xlabel("time of forward and backward over the floor (a copy of as many bytes = 1)")
    axis.xaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


if __name__ == "__main__":
    # The picture of the README.
    path = Path(__file__).parents[2] / "units.svg"
    units().savefig(path, metadata={"Date": None})
    print(f"wrote {path}")
