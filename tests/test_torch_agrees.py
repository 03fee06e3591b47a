"""Do PReLU, RReLU at inference and ELU agree with PyTorch's own, value and gradient?"""

import numpy as np
import pytest

from differentiation import value_and_gradients
from keras_rectifiers import activations

torch = pytest.importorskip("torch", reason="PyTorch is an extra; `make test-torch` installs it")


def torch_value_and_gradients(function, inputs, upstream):
    leaves = [torch.tensor(x, requires_grad=True) for x in inputs]
    output = function(*leaves)
    gradients = torch.autograd.grad(output, leaves, torch.tensor(upstream))
    return output.detach().numpy(), [g.numpy() for g in gradients]


ORACLES = {
    "elu": (activations.elu, torch.nn.functional.elu),
    "elu alpha=0.7": (lambda x: activations.elu(x, 0.7), lambda x: torch.nn.functional.elu(x, 0.7)),
    "rrelu": (
        lambda x: activations.rrelu(x, 0.1, 0.3, uniform_in="slope"),
        lambda x: torch.nn.functional.rrelu(x, 0.1, 0.3, training=False),
    ),
    "softplus": (
        lambda x: activations.scaled_softplus(x, 3.0),
        lambda x: torch.nn.functional.softplus(x, beta=3.0, threshold=1e9),
    ),
}


@pytest.mark.parametrize("name", ORACLES)
def test_values_and_gradients_are_pytorchs(name, rng):
    ours, theirs = ORACLES[name]
    x, upstream = rng.normal(size=(2, 20, 30)).astype("float32") * np.float32([[[3]], [[0.01]]])
    expected, (expected_gradient,) = torch_value_and_gradients(theirs, [x], upstream)
    value, (gradient,) = value_and_gradients(ours, [x], upstream)
    np.testing.assert_allclose(value, expected, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=2e-6, atol=1e-7)


def test_prelu_with_its_slopes_gradient_is_pytorchs(rng):
    x, upstream = rng.normal(size=(2, 4, 5, 6, 3)).astype("float32")
    slope = rng.normal(size=3).astype("float32")
    expected, gradients = torch_value_and_gradients(
        # PyTorch's channels come second.
        lambda x, slope: torch.nn.functional.prelu(x.movedim(-1, 1), slope).movedim(1, -1),
        [x, slope],
        upstream,
    )
    value, ours = value_and_gradients(activations.prelu, [x, slope], upstream)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    for gradient, theirs in zip(ours, gradients, strict=True):
        np.testing.assert_allclose(gradient, theirs, rtol=1e-5, atol=1e-6)
