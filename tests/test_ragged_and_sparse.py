"""What becomes of TensorFlow's ragged and sparse tensors: mapped where that is exact, one clear sentence elsewhere."""

import keras
import numpy as np
import pytest

import keras_rectifiers as kr

pytestmark = pytest.mark.tensorflow_only

MAPPED = {
    "ELU": (lambda: kr.ELU(1.7), {}),
    "RReLU": (kr.RReLU, {}),
    "RReLU drawn": (lambda: kr.RReLU(seed=1), {"training": True}),
    "NReLU": (kr.NReLU, {}),
    "ScaledSoftplus": (lambda: kr.ScaledSoftplus(2.0), {}),
    "NReLU mean": (lambda: kr.NReLU("mean"), {}),
    "NReLU drawn": (lambda: kr.NReLU(seed=1), {"training": True}),
}
# Nothing stands for the zeros of a sparse tensor but zeros.
KEEP_ZERO = ("ELU", "RReLU", "RReLU drawn", "NReLU")
REFUSED = {"PReLU": kr.PReLU, "CReLU": kr.CReLU, "Maxout": kr.Maxout, "SignFlip": kr.SignFlip}


def ragged() -> object:
    import tensorflow as tf

    return tf.ragged.constant([[1.0, -2.0, 3.0], [-4.0], [5.0, -0.5]])


def sparse() -> object:
    import tensorflow as tf

    return tf.sparse.from_dense([[0.0, -2.0, 3.0, 0.0], [-4.0, 0.0, 0.0, 1.0]])


@pytest.mark.parametrize("name", MAPPED)
def test_a_ragged_tensor_is_mapped(name):
    make, arguments = MAPPED[name]
    x = ragged()
    y = make()(x, **arguments)
    np.testing.assert_array_equal(y.row_splits, x.row_splits)
    np.testing.assert_allclose(y.flat_values, make()(x.flat_values, **arguments), rtol=1e-6)


@pytest.mark.parametrize("name", MAPPED)
def test_a_sparse_tensor_is_mapped_where_zero_stays_zero(name):
    import tensorflow as tf

    make, arguments = MAPPED[name]
    x = sparse()
    if name not in KEEP_ZERO:
        with pytest.raises(ValueError, match=r"Expected a dense tensor; make it one by .*Received: SparseTensor"):
            make()(x, **arguments)
        return
    y = make()(x, **arguments)
    assert isinstance(y, tf.SparseTensor)
    np.testing.assert_allclose(y.values, make()(x.values, **arguments), rtol=1e-6)
    if not arguments:
        np.testing.assert_allclose(tf.sparse.to_dense(y), make()(tf.sparse.to_dense(x)), rtol=1e-6)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("kind", [ragged, sparse])
def test_what_cannot_be_mapped_is_refused_in_one_sentence(name, kind):
    with pytest.raises(ValueError, match=r"[Ee]xpected .*Received: ") as refusal:
        REFUSED[name]()(kind())
    assert "Traceback" not in str(refusal.value)


def test_the_slope_of_a_ragged_tensor_flows_back():
    import tensorflow as tf

    values = tf.constant([1.0, -2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        y = kr.RReLU()(tf.RaggedTensor.from_row_lengths(values, [2, 1])).flat_values
    np.testing.assert_allclose(tape.gradient(y, values), [1.0, 1 / 5.5, 1.0], rtol=1e-6)
    assert keras.backend.backend() == "tensorflow"
