"""What one chapter alone needs: its experiment, in a module, or in a package where there are parts."""

import importlib

from reruns.experiment import Experiment

# In the order of the book.
NAMES = (
    "rectifiers",
    "boltzmann",
    "norb",
    "faces",
    "sparsity",
    "smoothness",
    "sentiment",
    "six_times_faster",
    "maxout",
    "leaky_family",
    "initialisation",
    "prelu",
    "elu",
    "elu_convnet",
    "crelu",
    "revisited",
    "cost",
    "serving",
    "data",
)
# Their plans stand and their records grow, on one machine after another; with the last row each joins NAMES.
BEGUN = ("deep_sparse", "few_labels")
# Of these everything is computed while the page is built: their modules declare CLAIMS and have no record.
UNRECORDED = ("rectification", "stepped_sigmoid", "equivariance")


def find(name: str) -> Experiment:
    """Return the experiment of a chapter, and import no other's code: a record tells what it depends on."""
    return importlib.import_module(f"reruns.chapters.{name}").EXPERIMENT
