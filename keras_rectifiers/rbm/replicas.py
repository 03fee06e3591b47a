"""Chains that the replicas of a distribution strategy share: each advances its own part and knows all of them."""

import keras
from keras import ops

from keras_rectifiers.compilation import Tensor


def count() -> int:
    """Return how many replicas there are; TensorFlow's strategies alone have more than one."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def own(chains: keras.Variable) -> Tensor:
    """Return the chains of this replica."""
    states, replicas = ops.convert_to_tensor(chains), count()
    if replicas == 1:
        return states
    import tensorflow as tf

    if states.shape[0] % replicas:
        raise ValueError(f"Expected chains that {replicas} replicas divide. Received: chains={states.shape[0]}")
    size = states.shape[0] // replicas
    return states[tf.distribute.get_replica_context().replica_id_in_sync_group * size :][:size]


def keep(chains: keras.Variable, states: Tensor) -> None:
    """Keep the states to which this replica's chains have come, with those of the others."""
    if count() > 1:
        import tensorflow as tf

        states = tf.distribute.get_replica_context().all_gather(states, axis=0)
    chains.assign(states)
