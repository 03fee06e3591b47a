"""The picture of toy_norb: every category from several sides, as a stereo pair, and jittered and cluttered."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reruns.data.toy_norb.bodies import CATEGORIES, INSTANCES
from reruns.data.toy_norb.builder import SEED
from reruns.data.toy_norb.clutter import Clutter, jittered
from reruns.data.toy_norb.scenes import Views, joined, uniform

# The view of each instance, by the numbers of elevation, azimuth and lighting; the second is also shown as a pair.
SHOWN = ((0, 2, 0), (1, 16, 1), (2, 7, 2), (4, 11, 3), (6, 4, 5))
CLUTTERED = 3  # columns


def toy_norb(seed: int = SEED, split: str = "train") -> Figure:
    """Draw the five instances of each category in a split, one of them as a stereo pair, and cluttered scenes."""
    columns = len(SHOWN) + 2 + CLUTTERED
    figure, axes = plt.subplots(len(CATEGORIES) + 1, columns, figsize=(columns, 6.2), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for row, name in enumerate((*CATEGORIES, "none")):
        axes[row, 0].text(-0.1, 0.5, name, ha="right", va="center", transform=axes[row, 0].transAxes)
    plain = [joined(uniform(split, seed, Views(*((number,) for number in view)))) for view in SHOWN]
    for row in range(len(CATEGORIES)):
        first = row * len(INSTANCES[split])
        for column, pairs in enumerate(plain):
            _show(axes[row, column], pairs["image"][first + column])
        for column, eye in enumerate(("image", "image2"), len(SHOWN)):
            _show(axes[row, column], plain[1][eye][first + 1])
    # The six categories in turn: each block of six fills a column.
    clutter = Clutter(train_pairs=6 * CLUTTERED, test_pairs=6 * CLUTTERED)
    for column, scenes in enumerate(jittered(split, seed, Views((0, 2), (1, 7, 14)), clutter, 6), len(SHOWN) + 2):
        for row, image in enumerate(scenes["image"]):
            _show(axes[row, column], image)
    for column, title in {2: "five instances", 5: "left", 6: "right", 8: "jittered, cluttered"}.items():
        axes[0, column].set_title(title, fontsize=9)
    return figure


def _show(axis: Axes, image: np.ndarray) -> None:
    axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255)
