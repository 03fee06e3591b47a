"""Autoencoders trained greedily, each on the features of the ones before it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import cases, checks
from keras_rectifiers.autoencoders.denoising import DenoisingAutoencoder
from keras_rectifiers.autoencoders.resuming import Progress


def pretrain(
    stack: Sequence[DenoisingAutoencoder],
    data: Any,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    seed: int = 0,
    folder: str | Path | None = None,
    validation_data: Any = None,
    verbose: Any = "auto",
    **fit: Any,
) -> list[DenoisingAutoencoder]:
    """Train autoencoders greedily, each on the features that the ones before it give of the data, and return them.

    What comes to each is not corrupted but by itself. Each is trained by its own `fit`, and then it does not change
    any more. Afterwards `to_classifier` makes a network of them.

    With a folder, each finished epoch is kept there, and a run that was killed goes on after the last of them: with
    the very weights of a run that was not, if data are an array or a pipeline that gives the same batches in each
    epoch, and if noise is drawn by layers of this package, for Keras's own do not keep its state. Neither do callbacks
    keep theirs.

    Args:
        stack: a list of compiled autoencoders, each there once.
        data: an array of shape (cases, inputs), or on TensorFlow a tf.data pipeline of batches, which stays one: its
            features are computed anew in each epoch.
        epochs: of each autoencoder, an integer of at least 1.
        batch_size: cases a batch of an array, an integer of at least 1.
        seed: an integer in [0, 2**31), by which an array's cases are ordered, in each epoch otherwise.
        folder: None, or where finished epochs are kept. It belongs to one run: another is refused.
        validation_data: as `data`, seen through the same features.
        verbose: Keras's: whether progress is shown.
        **fit: what else `fit` takes, such as `callbacks`, for all autoencoders.

    Raises:
        ValueError: before any training, if an argument is none of the above, an autoencoder is not compiled or its
            width does not fit, or the folder is of another run; and if a file there is broken. Before its training, if
            an autoencoder's reconstruction cannot give the features that come to it.

    Example:

    >>> import numpy as np
    >>> from keras_rectifiers.autoencoders import DenoisingAutoencoder, pretrain, to_classifier
    >>> x = np.eye(8, dtype="float32")
    >>> stack = [DenoisingAutoencoder(6, seed=1), DenoisingAutoencoder(4, seed=2)]
    >>> for autoencoder in stack:
    ...     autoencoder.compile("sgd")
    >>> network = to_classifier(pretrain(stack, x, epochs=2, verbose=0), classes=3, seed=3)
    >>> len(stack[1].history.epoch), network.output_shape
    (2, (None, 3))

    References: Glorot, Bordes and Bengio 2011, section 4.1; Bengio, Lamblin, Popovici and Larochelle 2007 for the
    greedy rule.
    """
    stack = stack_of(stack)
    if missing := [autoencoder.name for autoencoder in stack if not autoencoder.compiled]:
        raise checks.refusal("stack", "autoencoders that are compiled", missing)
    epochs, batch_size = (checks.integer(n, v, least=1) for n, v in (("epochs", epochs), ("batch_size", batch_size)))
    if checks.seed(seed) is None:
        raise checks.refusal("seed", "an integer in [0, 2**31)", seed)
    shape = _shape_of("data", data)
    if validation_data is not None and _shape_of("validation_data", validation_data) != shape:
        raise checks.refusal("validation_data", f"data of cases of shape {shape[1:]}", validation_data)
    check_widths(stack, shape)
    data, validation_data = _as_numpy(data), _as_numpy(validation_data)
    run = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    progress = Progress.of(folder, stack, data, run) if folder is not None else None
    callbacks = keras.tree.flatten(fit.pop("callbacks", None) or [])
    for number, autoencoder in enumerate(stack):
        autoencoder.initialize(data)
        done = progress.begin(number) if progress else 0
        if done < epochs:
            if verbose:
                keras.utils.io_utils.print_msg(f"autoencoder {number + 1} of {len(stack)}")
            autoencoder.fit(
                data if cases.is_pipeline(data) else Shuffled(data, batch_size, (seed, number), done),
                epochs=epochs,
                initial_epoch=done,
                validation_data=validation_data,
                shuffle=False,
                verbose=verbose,
                callbacks=[*callbacks, *([progress.keeper(number)] if progress else [])],
                **fit,
            )
            if progress:
                progress.finish(number)
        if number + 1 < len(stack):
            data, validation_data = (cases.mapped(autoencoder.encode, part) for part in (data, validation_data))
    return stack


def _shape_of(name: str, data: Any) -> tuple:
    shape = cases.shape(name, data)
    if len(shape) != 2 or shape[1] is None:
        raise checks.refusal(name, "of cases of one known axis", f"shape {shape}")
    return (None, shape[1])


def _as_numpy(data: Any) -> Any:
    return data if data is None or cases.is_pipeline(data) else np.asarray(ops.convert_to_numpy(data))


class Shuffled(keras.utils.PyDataset):
    """Batches of an array's cases, in an order that depends on a seed and on the number of the epoch, and no more."""

    def __init__(self, data: Any, batch_size: int, seed: tuple[int, ...], epoch: int = 0) -> None:
        super().__init__()
        self.data, self.batch_size, self.seed, self.epoch = data, batch_size, seed, epoch
        self._draw()

    def _draw(self) -> None:
        self.order = np.random.default_rng((*self.seed, self.epoch)).permutation(len(self.data))

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_size)

    def __getitem__(self, number: int) -> Any:
        return self.data[self.order[number * self.batch_size : (number + 1) * self.batch_size]]

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._draw()


def stack_of(stack: Any) -> list[DenoisingAutoencoder]:
    """Return the autoencoders of a stack, refusing what is none."""
    found = list(stack) if isinstance(stack, list | tuple) else []
    known = all(isinstance(autoencoder, DenoisingAutoencoder) for autoencoder in found)
    if not found or not known or len(set(map(id, found))) < len(found):
        raise checks.refusal("stack", "a list of autoencoders, each there once", stack)
    for name, part in (("a unit", "unit"), ("a corruption", "corruption"), ("an optimizer", "optimizer")):
        # Shared, it would go on to change with the next one.
        own = [id(found_of) for autoencoder in found if (found_of := getattr(autoencoder, part, None)) is not None]
        if len(set(own)) < len(own):
            raise ValueError(f"Expected autoencoders that each have {name} of their own. Received: one that is shared")
    return found


def check_widths(stack: list[DenoisingAutoencoder], shape: tuple) -> None:
    """Refuse an autoencoder that does not take what comes to it."""
    before = "the data"
    for autoencoder in stack:
        if autoencoder.built and autoencoder.encoder.kernel.shape[0] != shape[1]:
            raise ValueError(
                f"Expected `{autoencoder.name}` to have as many inputs as come from {before}: {shape[1]}. "
                f"Received: {autoencoder.encoder.kernel.shape[0]} inputs"
            )
        shape, before = autoencoder.unit.compute_output_shape((None, autoencoder.units)), f"`{autoencoder.name}`"
