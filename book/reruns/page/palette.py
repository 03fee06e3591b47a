"""How every figure looks: colours that the colour-blind tell apart and that survive grey print."""

import matplotlib as mpl
from cycler import cycler

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
