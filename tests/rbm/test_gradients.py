"""Is contrastive divergence's gradient that of the energies, and of the likelihood where its chains are exact?"""

import keras
import numpy as np
import pytest

import reference
from differentiation import to_numpy
from keras_rectifiers.rbm import RBM, Gaussian, NReLU, SparsityTarget
from tiny_machines import BINARY, FINITE, GAUSSIAN, INFINITE, SOFTMAX, STEPPED, Law, Tiny, binomial, machine

Parts = dict[str, np.ndarray]
CASES = 20_000
RATE = 2.0**-6
EVERY = {**FINITE, **INFINITE}
NRELU = Law(NReLU(), None, None)


def weights_of(rbm: RBM) -> Parts:
    return {weight.name: to_numpy(weight.value) for weight in rbm.trainable_weights}


def gradients(rbm: RBM, v: np.ndarray) -> Parts:
    """Return the gradients by which one step of plain descent changes the weights."""
    before = weights_of(rbm)
    rbm.compile(keras.optimizers.SGD(RATE), run_eagerly=True)
    rbm.fit(v.astype("float32"), batch_size=len(v), shuffle=False, verbose=0)
    return {name: (before[name] - after) / RATE for name, after in weights_of(rbm).items()}


def moments(v: np.ndarray, h: np.ndarray, p: np.ndarray | None = None) -> Parts:
    """Return the means of v h, v and h over cases, or over states of these probabilities."""
    p = np.full(len(v), 1 / len(v)) if p is None else p
    return {"kernel": (v * p[:, None]).T @ h, "visible_biases": p @ v, "hidden_biases": p @ h}


def less(a: Parts, b: Parts) -> Parts:
    return {name: a[name] - b[name] for name in a}


def by_differences(objective: object, tiny: Tiny) -> Parts:
    """Return the derivatives of a function of the machine in each of its parameters."""
    fields = {"kernel": "kernel", "visible_biases": "visible_bias", "hidden_biases": "hidden_bias"}
    found = {}
    for name, field in fields.items():
        at = getattr(tiny, field)
        found[name] = np.empty(at.shape)
        for place in np.ndindex(*at.shape):
            step = np.zeros(at.shape)
            step[place] = 1e-5
            up, down = (objective(tiny._replace(**{field: at + sign * step})) for sign in (1, -1))
            found[name][place] = (up - down) / 2e-5
    return found


def assert_parts(found: Parts, expected: Parts, **tolerance: float) -> None:
    if found.get("hidden_biases") is not None and len(found["hidden_biases"]) == 1:
        expected = {**expected, "hidden_biases": expected["hidden_biases"].sum(keepdims=True)}
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], err_msg=name, **tolerance)


# Which biases, by the hidden units: each kind meets several.
BIASES = dict(zip(EVERY, ["free", "tied", "none", "free", "tied", "none"], strict=True))


@pytest.mark.parametrize("hidden", EVERY)
def test_a_step_is_the_gradient_of_the_difference_of_free_energies(hidden, rng):
    tiny = machine(GAUSSIAN, EVERY[hidden], (4, 3), scale=0.3)
    bias = {"free": tiny.hidden_bias, "tied": np.full(3, 0.4), "none": np.zeros(3)}[BIASES[hidden]]
    tiny = tiny._replace(hidden_bias=bias)
    rbm = tiny.rbm(hidden_bias=BIASES[hidden], chains=30, seed=2)
    rbm.chain.assign(rng.normal(size=(30, 4)))
    data = rng.normal(size=(50, 4))
    found = gradients(rbm, data)
    # The states to which the chains have come are the model's.
    model = to_numpy(rbm.chain.value)
    expected = by_differences(lambda t: t.free_energy(data).mean() - t.free_energy(model).mean(), tiny)
    assert np.abs(expected["kernel"]).max() > 0.1
    assert_parts(found, expected, rtol=3e-5, atol=3e-5)


def test_a_step_of_a_noise_free_pair_is_the_gradient_of_the_difference_of_free_energies(rng):
    tiny = machine(GAUSSIAN, GAUSSIAN, (4, 3), scale=0.4)
    quiet = tiny._replace(visible=GAUSSIAN._replace(unit=Gaussian()), hidden=GAUSSIAN._replace(unit=Gaussian()))
    data = rng.normal(size=(50, 4))
    model = data
    for _ in range(2):
        model = quiet.turned.hidden_mean(quiet.hidden_mean(model))
    found = gradients(quiet.rbm(steps=2), data)
    expected = by_differences(lambda t: t.free_energy(data).mean() - t.free_energy(model).mean(), tiny)
    assert_parts(found, expected, rtol=1e-4, atol=1e-4)


def test_a_step_with_nrelu_is_by_the_means_of_the_papers_sampler(rng):
    tiny = machine(GAUSSIAN, NRELU, (4, 3), scale=0.3)
    rbm = tiny.rbm(chains=30, seed=2)
    rbm.chain.assign(rng.normal(size=(30, 4)))
    data = rng.normal(size=(50, 4))
    found = gradients(rbm, data)

    def statistics(v: np.ndarray) -> Parts:
        return moments(v, reference.nrelu_mean(v @ tiny.kernel + tiny.hidden_bias)[0])

    assert_parts(found, less(statistics(to_numpy(rbm.chain.value)), statistics(data)), rtol=3e-5, atol=3e-5)


def test_penalties_are_added_to_the_step(rng):
    tiny = machine(BINARY, BINARY, (4, 3))
    data = tiny.drawn(50, rng)
    rbm = tiny.rbm(chains=30, seed=2, kernel_regularizer=keras.regularizers.L2(0.3), sparsity=SparsityTarget(0.1, 4.0))
    found = gradients(rbm, data)
    model = to_numpy(rbm.chain.value)

    def objective(t: Tiny) -> float:
        sparsity = 4.0 * ((t.hidden_mean(data).mean(0) - 0.1) ** 2).sum() / 2
        return t.free_energy(data).mean() - t.free_energy(model).mean() + 0.3 * (t.kernel**2).sum() + sparsity

    assert_parts(found, by_differences(objective, tiny), rtol=3e-5, atol=3e-5)


def joint_variance(tiny: Tiny, p_of_v: np.ndarray, statistic: str) -> Parts:
    """Return the variances of v h, v and h, with h the mean given v or a state."""
    v = tiny.visible.layer(len(tiny.kernel))
    h, p = tiny.hidden.layer(tiny.kernel.shape[1]), tiny.conditional()
    first = p @ h
    second = p @ h**2 if statistic == "sample" else first**2
    squares, means = moments(v**2, second, p_of_v), moments(v, first, p_of_v)
    return {name: squares[name] - means[name] ** 2 for name in means}


@pytest.mark.parametrize("statistic", ["mean", "sample"])
@pytest.mark.parametrize("pair", [(BINARY, BINARY, (5, 3)), (SOFTMAX, binomial(2), (6, 3))], ids=["binary", "softmax"])
def test_from_exact_chains_the_gradient_is_that_of_the_likelihood(pair, statistic, rng):
    tiny = machine(*pair)
    rbm = tiny.rbm(chains=CASES, statistic=statistic, seed=5)
    states, p = tiny.law()
    rbm.chain.assign(tiny.drawn(CASES, rng))
    of_data = np.bincount([1, 1, 2, 7], minlength=len(p)) / 4
    data = states[np.repeat([1, 1, 2, 7], CASES // 4)]
    found = gradients(rbm, data)
    log_likelihood = by_differences(lambda t: np.log(t.law()[1]) @ of_data, tiny)
    of_chains, of_hidden, of_means = (
        joint_variance(tiny, *case) for case in ((p, statistic), (of_data, statistic), (of_data, "mean"))
    )
    for name, gradient in found.items():
        # The data are given, so that of them only what is drawn of the hidden units varies.
        error = np.sqrt((of_chains[name] + of_hidden[name] - of_means[name]) / CASES) + 1e-5
        assert np.abs((gradient + log_likelihood[name]) / error).max() < 4, name


@pytest.mark.parametrize("pair", [(BINARY, BINARY, (5, 3)), (SOFTMAX, binomial(2), (6, 3))], ids=["binary", "softmax"])
def test_the_gradient_after_k_sweeps_is_the_enumerated_one_and_tends_to_the_likelihoods(pair):
    tiny = machine(*pair, scale=2.0)
    states, p = tiny.law()
    of_data = np.bincount([1, 2, 2, 7], minlength=len(p)) / 4
    data = states[np.repeat([1, 2, 2, 7], CASES // 4)]
    given = tiny.hidden_mean(states)
    exact = less(moments(states, given, p), moments(states, given, of_data))
    errors = []
    for steps in (1, 5, 25):
        found = gradients(tiny.rbm(steps=steps, seed=6), data)
        of_model = of_data @ np.linalg.matrix_power(tiny.sweep(), steps)
        expected = less(moments(states, given, of_model), moments(states, given, of_data))
        deviation = joint_variance(tiny, of_model, "mean")
        for name, gradient in found.items():
            error = np.sqrt(deviation[name] / CASES) + 1e-5
            assert np.abs((gradient - expected[name]) / error).max() < 4.5, (steps, name)
        errors.append(np.linalg.norm(found["kernel"] - exact["kernel"]))
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_a_step_of_a_centered_machine_is_that_of_the_centered_parameters(rng):
    tiny = machine(BINARY, STEPPED, (5, 3))
    rbm = tiny.rbm(centered=True, chains=40, seed=4)
    m, l = rng.uniform(size=5), rng.uniform(size=3)  # noqa: E741
    rbm.visible_offsets.assign(m)
    rbm.hidden_offsets.assign(l)
    rbm.chain.assign(rng.integers(2, size=(40, 5)))
    data = rng.integers(2, size=(50, 5)).astype("float64")
    w = tiny.kernel
    before = weights_of(rbm)
    found = {name: before[name] - RATE * gradient for name, gradient in gradients(rbm, data).items()}
    model = to_numpy(rbm.chain.value)
    h_data, h_model = tiny.hidden_mean(data), tiny.hidden_mean(model)

    # Melchior, Fischer and Wiskott 2016, equations 4 to 9: E = -(v - m) b' - c' (h - l) - (v - m) W (h - l).
    b, c = tiny.visible_bias + w @ l, tiny.hidden_bias + m @ w
    of_data, of_model = (moments(v - m, h - l) for v, h in ((data, h_data), (model, h_model)))
    change = less(of_data, of_model)
    moved = w + RATE * change["kernel"]
    expected = {
        "kernel": moved,
        "visible_biases": b + RATE * change["visible_biases"] - moved @ l,
        "hidden_biases": c + RATE * change["hidden_biases"] - m @ moved,
    }
    assert_parts(found, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(to_numpy(rbm.visible_offsets.value), m, rtol=1e-6)
    np.testing.assert_allclose(to_numpy(rbm.hidden_offsets.value), l + 0.01 * (h_data.mean(0) - l), rtol=1e-5)
