"""A picture of the distortions: each alone at three levels, and all of them together at three complexities."""

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from reruns.data.distortion import NISTP, RATES, apply, distort

STRENGTHS = (0.3, 0.7, 1.0)


def distortions(images: np.ndarray, seed: int = 0) -> Figure:
    """Draw a few uint8 images of shape (count, height, width, 1), untouched in the first row, then distorted."""
    rows = ["none", *RATES, "NISTP", "all"]
    size = (0.3 * len(images) * len(STRENGTHS) + 1, 0.42 * len(rows))
    figure, axes = plt.subplots(len(rows), len(STRENGTHS), figsize=size, layout="constrained")
    for row, (name, line) in enumerate(zip(rows, axes, strict=True)):
        for strength, axis in zip(STRENGTHS, line, strict=True):
            shown = _distorted(images, name, strength, tf.constant([seed, row]))
            axis.imshow(np.hstack(list(shown[..., 0])), cmap="gray_r", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
        line[0].set_ylabel(name.replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=8)
    for strength, axis in zip(STRENGTHS, axes[0], strict=True):
        axis.set_title(f"{strength:g}", fontsize=9)
    figure.suptitle("level or complexity", fontsize=10)
    return figure


def _distorted(images: np.ndarray, name: str, strength: float, seed: tf.Tensor) -> np.ndarray:
    images = images.astype("float32") / 255.0
    if name in ("NISTP", "all"):
        return distort(images, seed, strength, NISTP if name == "NISTP" else RATES).numpy()
    levels = {kind: tf.fill([len(images)], strength if kind == name else 0.0) for kind in RATES}
    return apply(images, levels, seed).numpy()
