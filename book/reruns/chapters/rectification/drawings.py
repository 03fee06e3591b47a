"""Pictures and feature maps, pixel by pixel."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

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
        axes[0, 0].add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="C1", linewidth=1.5))
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
