"""What a served restricted Boltzmann machine answers to: features, reconstructions, free energies and chains."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from keras import ops

from keras_rectifiers import keys
from keras_rectifiers.compilation import Tensor
from keras_rectifiers.rbm import RBM
from keras_rectifiers.serving import probes
from keras_rectifiers.serving.probes import Arrays
from keras_rectifiers.serving.signatures import DEFAULT, Signature


def signatures(machine: RBM, example: Arrays | None, sample: bool) -> list[Signature]:
    """Return one signature a method: `transform`, the default too, `reconstruct`, `free_energy` and `sample`.

    Free energies are of machines that have them. What `sample` gives for a seed of (s, 0) is
    `machine.sample(count, sweeps, seed=s)`.
    """
    spec = tf.TensorSpec((None, machine.kernel.shape[0]), machine.compute_dtype, "visible")
    drawn = {"visible": np.random.default_rng(0).random((probes.ROWS, spec.shape[1]))}
    tried = probes.checked(drawn if example is None else example, [spec])

    def of_visible(name: str, output: str, method: Callable[[Tensor], Tensor]) -> Signature:
        return Signature(name, lambda visible: {output: tf.cast(method(visible), tf.float32)}, (spec,), tried)

    served = [
        of_visible(DEFAULT, "hidden", machine.transform),
        of_visible("transform", "hidden", machine.transform),
        of_visible("reconstruct", "visible", machine.reconstruct),
    ]
    if machine.hidden.has_log_partition:
        served.append(of_visible("free_energy", "free_energy", machine.free_energy))
    return [*served, _sample(machine)] if sample else served


def _sample(machine: RBM) -> Signature:
    def draw(count: tf.Tensor, sweeps: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        key = keys.make_key(seed[0], sweeps, seed[1])
        pair, parameters = machine.pair.exact(), machine.tensors

        def swept(number: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
            return pair.sweep(parameters, v, keys.child(key, number))

        start = tf.ensure_shape(pair.start(parameters, count, key), (None, machine.kernel.shape[0]))
        return {"visible": tf.cast(ops.fori_loop(0, sweeps, swept, start), tf.float32)}

    specs = tf.TensorSpec((), tf.int32, "count"), tf.TensorSpec((), tf.int32, "sweeps")
    # Few draws: another processor may round a probability to the other side of its uniform.
    example = {"count": np.array(4, "int32"), "sweeps": np.array(2, "int32"), "seed": np.array([7, 0], "int32")}
    return Signature("sample", draw, (*specs, tf.TensorSpec((2,), tf.int32, "seed")), example)
