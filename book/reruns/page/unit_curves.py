"""The curve of each unit over its derivative. `python -m reruns.page.unit_curves` draws the picture of the README."""

from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import keras_rectifiers as kr
from reruns.page.palette import COLOURS

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


def drawn(names: tuple[str, ...] = tuple(CURVES), columns: int = 4) -> Figure:
    """Draw each unit's curve over its derivative, with the derivative at the kink as a dot."""
    x = np.linspace(-3, 3, 601)
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.6 * columns, 2.5 * rows), sharex=True, sharey=True)
    for axis, name in zip(axes.flat, names, strict=True):
        if name in ("RReLU", "NReLU"):
            draws, _ = curve(name, np.repeat(x[::3], 4), training=True)
            axis.plot(np.repeat(x[::3], 4), draws, ".", color="#999999", markersize=2, label="draws in training")
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


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "units.svg"
    drawn().savefig(path, metadata={"Date": None})
    print(f"wrote {path}")
