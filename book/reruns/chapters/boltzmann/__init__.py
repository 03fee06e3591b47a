"""Restricted Boltzmann machines on MNIST: exact likelihoods of small ones, and large ones' from both ends."""

import dataclasses
import functools
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_rectifiers import rbm
from keras_rectifiers.diverging import DivergedError
from reruns import training
from reruns.chapters.boltzmann import claimed
from reruns.data import pipelines
from reruns.experiment import Experiment, Scale, Trial, grid, levels


@dataclasses.dataclass(frozen=True)
class Config:
    # Scientific: how a small machine is parametrized and what it sees, and how a large one's chains run.
    gradients: tuple[str, ...] = levels("centered", "plain")
    images: tuple[str, ...] = levels("digits", "flipped")
    chains: tuple[str, ...] = levels("PCD-1", "CD-1", "CD-25")
    # Nuisance: a small machine's learning rate at the start, chosen for each kind by the last validation likelihood.
    rates: tuple[float, ...] = levels(0.01, 0.05)
    # Fixed. Each learning rate falls to 0 along a line.
    few: int = 16
    many: int = 500
    learning_rate: float = 0.05  # of large machines
    momentum: float = 0.5
    batch: int = 100  # and so many chains are kept, where they are
    epochs: int = 20
    persistent_epochs: int = 150  # of large machines: as many as the time allows,
    restarted_epochs: int = 10  # and for one sweep as for 25
    threshold: float = 0.5
    drawn_by: int = 2008  # the seed by which pixels are drawn, for all trials the same
    temperatures: int = 10_000
    annealed_chains: int = 100
    sweeps: int = 5000
    filters: int = 16  # of the first seed's large machines, to be seen
    train: int | None = None


def trials(config: Config) -> list[Trial]:
    """Return small machines of each parametrization on digits and flipped ones, and a large machine of each chain."""
    return grid(gradient=config.gradients, images=config.images, rate=config.rates) + grid(chains=config.chains)


def trial(config: Config, seed: int, **factors: Any) -> dict[str, Any]:
    """Train one machine; return its curves and, exactly or from both ends, its log-likelihoods."""
    run, curves, numbers = (large, CURVES[1:], OF_LARGE) if "chains" in factors else (small, CURVES, OF_SMALL)
    try:
        return run(config, seed, **factors)
    except DivergedError:
        return training.lost(curves, numbers)


CURVES = ("validation_log_likelihood", "reconstruction_error")
OF_SMALL = ("last_validation", "train_log_likelihood", "test_log_likelihood")
OF_LARGE = (
    "gap",
    *(f"{split}_{way}" for split in ("train", "test") for way in ("forward", "reverse")),
    *(
        f"{way}_{what}"
        for way in ("forward", "reverse")
        for what in ("log_z", "standard_error", "effective_sample_size")
    ),
)


def small(config: Config, seed: int, gradient: str, images: str, rate: float) -> dict[str, Any]:
    """Return the curves of a machine of few hidden units, and the exact likelihoods of training and test images."""
    seen = binary(config, "threshold")
    if images == "flipped":
        seen = seen.flipped()
    machine = rbm.RBM(config.few, chains=config.batch, centered=gradient == "centered", seed=1000 * seed)
    likelihoods = LogLikelihoods(seen.validation)
    curve = trained(config, machine, seen.train, seed, config.epochs, rate, [likelihoods])
    log_z = rbm.log_partition_function(machine)
    found = {f"{name}_log_likelihood": mean_of(machine, getattr(seen, name), log_z) for name in ("train", "test")}
    curves = {"reconstruction_error": curve, "validation_log_likelihood": likelihoods.curve}
    return {**curves, "last_validation": likelihoods.curve[-1], **found}


class LargeMachine(NamedTuple):
    """How one of the large machines is trained: on which pixels, with how many sweeps, and whether chains are kept."""

    pixels: str
    sweeps: int
    persistent: bool = False


# Machines whose likelihoods have been published are trained on pixels made 0 or 1 in the same way.
LARGE = {
    "PCD-1": LargeMachine("threshold", 1, persistent=True),
    "CD-1": LargeMachine("drawn", 1),
    "CD-25": LargeMachine("drawn", 25),
}


def large(config: Config, seed: int, chains: str) -> dict[str, Any]:
    """Return the reconstruction error of a machine of many hidden units, and its annealed likelihoods."""
    of, seen = LARGE[chains], binary(config, LARGE[chains].pixels)
    kept = config.batch if of.persistent else None
    epochs = config.persistent_epochs if of.persistent else config.restarted_epochs
    machine = rbm.RBM(config.many, steps=of.sweeps, chains=kept, centered=True, seed=1000 * seed)
    curve = trained(config, machine, seen.train, seed, epochs, config.learning_rate)
    found = {"reconstruction_error": curve, **annealed(config, machine, seen, seed)}
    if seed == 0:
        found["filters"] = np.asarray(machine.kernel)[:, : config.filters].T.round(3).ravel().tolist()
    return found


def annealed(config: Config, machine: rbm.RBM, seen: "Binary", seed: int) -> dict[str, float]:
    """Return mean log p of training and test images with log Z from below and from above, and these estimates."""
    # The reverse wants states of the machine: training images, and then many sweeps.
    start = machine.sample(config.annealed_chains, config.sweeps, seed, seen.train[: config.annealed_chains])
    both = rbm.bracket(
        machine,
        seen.train,
        start=start,
        betas=config.temperatures,
        chains=config.annealed_chains,
        seed=seed,
        verbose=0,
    )
    found: dict[str, float] = {"gap": both.gap}
    for way, estimate in (("forward", both.forward), ("reverse", both.reverse)):
        found[f"{way}_log_z"] = estimate.log_z
        found[f"{way}_standard_error"] = estimate.standard_error
        found[f"{way}_effective_sample_size"] = estimate.effective_sample_size
        for name in ("train", "test"):
            found[f"{name}_{way}"] = mean_of(machine, getattr(seen, name), estimate.log_z)
    return found


class Binary(NamedTuple):
    """Images whose pixels are 0 or 1, a row an image, as uint8."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def flipped(self) -> "Binary":
        return Binary(*(1 - images for images in self))


@functools.lru_cache(maxsize=2)
def binary(config: Config, pixels: str) -> Binary:
    """Return MNIST with pixels above the threshold, or drawn once: 1 with the probability that its grey value is."""
    drawing = np.random.default_rng(config.drawn_by)
    unshuffled = pipelines.mnist(pipelines.UNSEEN_BATCH, None, config.train)

    def of(grey: np.ndarray) -> np.ndarray:
        bound = config.threshold if pixels == "threshold" else drawing.random(grey.shape, "float32")
        return (grey > bound).reshape(len(grey), -1).astype("uint8")

    return Binary(*(np.concatenate([of(grey) for grey, _ in split.as_numpy_iterator()]) for split in unshuffled[:3]))


def trained(
    config: Config,
    machine: rbm.RBM,
    images: np.ndarray,
    seed: int,
    epochs: int,
    rate: float,
    callbacks: Any = (),
) -> list[float]:
    """Train a machine on these images, and return its mean squared reconstruction error by epoch."""
    steps = epochs * -(-len(images) // config.batch)
    falling = keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0)
    machine.initialize(images)
    machine.compile(keras.optimizers.SGD(falling, momentum=config.momentum))
    batches = shuffled(images, config.batch, seed)
    history = machine.fit(batches, epochs=epochs, verbose=0, shuffle=False, callbacks=list(callbacks))
    return history.history["reconstruction_error"]


def shuffled(images: np.ndarray, batch: int, seed: int) -> tf.data.Dataset:
    """Return the images as batches of floats, in an order of their own in each epoch."""
    kept = tf.constant(images)
    order = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed).batch(batch)
    return order.map(lambda rows: tf.cast(tf.gather(kept, rows), tf.float32)).prefetch(tf.data.AUTOTUNE)


class LogLikelihoods(keras.callbacks.Callback):
    """Keeps, after each epoch, the exact mean log p of images under a machine small enough to enumerate."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__()
        self.images = images
        self.curve: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.curve.append(mean_of(self.model, self.images, rbm.log_partition_function(self.model)))


def mean_of(machine: rbm.RBM, images: np.ndarray, log_z: float) -> float:
    return rbm.log_likelihood(machine, images, log_z).mean


LIVE = Config(gradients=("centered",), images=("digits",), rates=(0.05,), chains=(), epochs=15, train=3000)
EXPERIMENT = Experiment(
    name="boltzmann",
    live=Scale(LIVE, range(1)),
    paper=Scale(Config(), range(5)),
    data=pipelines.of_mnist,
    trials=trials,
    trial=trial,
    claims=claimed.CLAIMS,
    judge=claimed.judge,
)
