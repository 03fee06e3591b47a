"""Does annealed importance sampling find log Z, within the error that it states, and does it say when it does not?"""

import keras
import numpy as np
import pytest
from enumeration import drawn, joint_states, log_mass, machine_of, parameters, visible_law
from scipy import integrate

from keras_rectifiers.rbm import (
    Binary,
    Bracket,
    Gaussian,
    PartitionEstimate,
    Softmax,
    SteppedSigmoid,
    TruncatedGaussian,
    annealed_importance_sampling,
    annealing,
    bracket,
    log_partition_function,
)

CHAINS = 200


def of_finite(visible, hidden, widths):
    """Return a machine, its log Z, and a function of a seed that draws from its law."""
    machine = machine_of(visible, hidden, widths, scale=0.8)
    return machine, visible_law(machine)[2], lambda seed: drawn(machine, CHAINS, seed)


def of_mixture():
    machine = machine_of(Gaussian(), Binary(), (3, 4))
    w, b, c = parameters(machine)
    h, _ = joint_states(Binary(), 4)
    terms = h @ c + log_mass(Gaussian(), b + h @ w.T)
    log_z = float(np.logaddexp.reduce(terms))

    def draw(seed):
        rng = np.random.default_rng(seed)
        chosen = h[rng.choice(len(h), size=CHAINS, p=np.exp(terms - log_z))]
        return b + chosen @ w.T + rng.normal(size=(CHAINS, 3))

    return machine, log_z, draw


def of_rectified():
    machine = machine_of(Gaussian(), TruncatedGaussian(), (1, 2))
    w, b, c = parameters(machine)

    def density(v):
        return np.exp(-(v**2) / 2 + v * b[0] + log_mass(TruncatedGaussian(), c + v[..., None] * w[0]))

    grid = np.linspace(-12, 12, 200_001)
    cumulative = np.cumsum(density(grid))

    def draw(seed):
        u = np.random.default_rng(seed).random((CHAINS, 1))
        return np.interp(u, cumulative / cumulative[-1], grid)

    return machine, float(np.log(integrate.quad(lambda v: density(np.array(v)), -12, 12)[0])), draw


MACHINES = {
    "Binary x Binary": lambda: of_finite(Binary(), Binary(), (6, 5)),
    "Softmax x SteppedSigmoid": lambda: of_finite(Softmax(3), SteppedSigmoid(), (6, 3)),
    "Gaussian x Binary": of_mixture,
    "Gaussian x TruncatedGaussian": of_rectified,
}


@pytest.fixture(scope="module", params=MACHINES.values(), ids=MACHINES)
def known(request):
    return request.param()


@pytest.fixture(scope="module")
def binary():
    return MACHINES["Binary x Binary"]()


def estimate(machine, **arguments):
    arguments = {"base_biases": np.full(machine.kernel.shape[0], 0.3), "betas": 40, "chains": CHAINS, **arguments}
    return annealed_importance_sampling(machine, verbose=0, **arguments)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_log_z_lies_within_four_standard_errors(known, reverse, seed):
    machine, log_z, draw = known
    found = estimate(machine, seed=seed, **({"reverse": True, "start": draw(seed)} if reverse else {}))
    assert 0 < found.standard_error < 0.08
    assert abs(found.log_z - log_z) < 4 * found.standard_error
    assert found.chains == CHAINS
    assert found.reverse is reverse


@pytest.mark.one_backend
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_the_standard_error_is_the_deviation_of_estimates(binary, reverse):
    machine, log_z, draw = binary
    seeds = range(30)
    found = [
        estimate(machine, betas=20, seed=seed, **({"reverse": True, "start": draw(seed)} if reverse else {}))
        for seed in seeds
    ]
    deviations = np.array([(one.log_z - log_z) / one.standard_error for one in found])
    # The deviation of 30 normals is off by more than 40 % about once in a thousand.
    assert 0.6 < deviations.std() < 1.4
    assert abs(deviations.mean()) < 4 / np.sqrt(len(seeds))


def test_log_weights_are_those_of_a_machine_without_weights_and_lose_no_digits():
    machine = machine_of(Binary(), Binary(), (4, 200))
    machine.kernel.assign(np.zeros((4, 200)))
    machine.hidden_biases.assign(np.full(200, 3.0))
    _, b, _ = parameters(machine)
    found = estimate(machine, base_biases=b, betas=300, chains=2)
    # Summed in float32 the weights of 300 steps would be off by more.
    np.testing.assert_allclose(found.log_z, log_partition_function(machine), rtol=0, atol=5e-5)
    np.testing.assert_allclose(found.effective_sample_size, 2)


def test_standard_error_and_effective_sample_size_are_those_of_the_weights():
    weights = np.array([1.0, 2.0, 3.0, 6.0])
    found = annealing._estimate(np.log(weights) + 2000.0, 5.0, False)
    np.testing.assert_allclose(found.log_z, 2005 + np.log(3))
    np.testing.assert_allclose(found.standard_error, np.std(weights, ddof=1) / 2 / 3)
    np.testing.assert_allclose(found.effective_sample_size, 144 / 50)
    np.testing.assert_allclose(annealing._estimate(np.log(weights), 5.0, True).log_z, 5 - np.log(3))
    alone = annealing._estimate(np.array([0.0, -800.0, -800.0, -800.0]), 0.0, False)
    np.testing.assert_allclose((alone.standard_error, alone.effective_sample_size), 1)


def test_the_base_machine_has_the_base_rates_of_the_data(binary):
    machine, _, _ = binary
    v = drawn(machine, 50, seed=1).astype("float32")
    rates = (50 * v.mean(axis=0) + 0.5) / 51
    by_biases = estimate(machine, base_biases=np.log(rates / (1 - rates)))
    by_data = estimate(machine, data=v, base_biases=None)
    np.testing.assert_allclose(by_data.log_z, by_biases.log_z, rtol=1e-5)
    by_batches = estimate(machine, data=[v[:20], v[20:]], base_biases=None)
    np.testing.assert_allclose(by_batches.log_z, by_biases.log_z, rtol=1e-5)


def test_the_same_seed_gives_the_same_estimate_and_another_one_another(binary):
    machine, _, draw = binary
    ways = [{}, {"reverse": True, "start": draw(0)}]
    for way in ways:
        assert estimate(machine, seed=3, **way) == estimate(machine, seed=3, **way)
        assert estimate(machine, seed=3, **way).log_z != estimate(machine, seed=4, **way).log_z


def test_training_and_sampling_are_left_as_they_were(binary):
    machine, _, draw = binary
    before = [np.array(keras.ops.convert_to_numpy(weight)) for weight in machine.weights]
    state = np.array(keras.ops.convert_to_numpy(machine.seed_generator.state))
    estimate(machine, reverse=True, start=draw(0))
    for weight, value in zip(machine.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(machine.seed_generator.state), state)


@pytest.fixture(scope="module")
def hard():
    machine = machine_of(Binary(), Binary(), (10, 8), scale=6.0)
    return machine, visible_law(machine)[2], lambda seed: drawn(machine, 20, seed)


def both_ways(known, seed=0, **arguments):
    machine, _, draw = known
    start = draw(seed)
    zeros = np.zeros(start.shape[1])
    return bracket(machine, base_biases=zeros, start=start, chains=len(start), seed=seed, verbose=0, **arguments)


def test_few_temperatures_of_a_hard_machine_have_not_converged(hard):
    found = both_ways(hard, betas=3)
    assert not found.converged
    assert found.gap > 1
    assert "\nnot converged: they differ by" in str(found)


def test_an_easy_machine_has_converged(binary):
    found = both_ways(binary, betas=40)
    assert found.converged
    assert "\nconverged: they differ by" in str(found)
    for one, way in ((found.forward, "forward"), (found.reverse, "reverse")):
        assert f"{way}: log Z = {one.log_z:.3f} +- {one.standard_error:.3f}" in str(found)


def test_forward_and_reverse_bracket_log_z(hard):
    found = [both_ways(hard, seed=seed, betas=3) for seed in range(10)]
    assert np.mean([one.forward.log_z for one in found]) < hard[1] < np.mean([one.reverse.log_z for one in found])


def test_the_two_ways_have_noises_of_their_own(binary, monkeypatch):
    keys_of_ways = []
    monkeypatch.setattr(
        annealing, "_log_weights", lambda *args: keys_of_ways.append(np.array(args[5]).tolist()) or np.zeros(2)
    )
    both_ways(binary, betas=3)
    assert keys_of_ways[0] != keys_of_ways[1]


@pytest.mark.parametrize(
    "gap, converged", [(0.99, True), (-0.99, True), (1.01, False), (-1.01, False), (np.nan, False)]
)
def test_more_than_a_nat_between_them_is_not_converged(gap, converged):
    ways = (PartitionEstimate(log_z, 0.1, 9.0, 10, reverse) for log_z, reverse in ((100.0, False), (100 + gap, True)))
    found = Bracket(*ways)
    assert found.converged is converged
    assert ("not converged" in str(found)) is not converged


def test_the_papers_temperatures():
    path = annealing._path(None)
    assert [((low <= path) & (path < high)).sum() for low, high in ((0, 0.5), (0.5, 0.9), (0.9, 1.1))] == [
        500,
        4000,
        10_000,
    ]
    assert path[0] == 0
    assert path[-1] == 1
    assert (np.diff(path) > 0).all()


def test_progress_is_shown_unless_told_not_to(binary, capsys):
    machine, _, _ = binary
    estimate(machine)
    assert capsys.readouterr().out == ""
    annealed_importance_sampling(machine, base_biases=np.zeros(6), betas=40, chains=CHAINS)
    assert "39/39" in capsys.readouterr().out


def test_sampled_chains_hold_no_gradient_on_pytorch():
    if keras.backend.backend() != "torch":
        pytest.skip("TensorFlow's tape and JAX's traces hold nothing that is not asked for")
    machine = machine_of(Gaussian(), TruncatedGaussian(), (1, 2))
    assert not machine.sample(3, sweeps=2).requires_grad


@pytest.mark.tensorflow_only
def test_a_step_is_compiled_once_for_all_temperatures_and_places(binary):
    machine, _, _ = binary
    step = annealing._compiled_step(machine.pair.exact())
    traces = step.experimental_get_tracing_count()
    estimate(machine, betas=7)
    estimate(machine, betas=9, seed=3)
    assert step.experimental_get_tracing_count() == traces


START = np.zeros((CHAINS, 6))
INCREASING = "`betas` must be None, an integer of at least 2, or increasing numbers from 0 to 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(({"betas": betas}, INCREASING) for betas in ([0, 0.5, 0.4, 1], [0, 0.5, 0.5, 1], [0.1, 1], [0, 0.9])),
        *(
            ({"betas": betas}, INCREASING)
            for betas in ([-0.1, 0, 1], [0, 1, 1.1], [0, np.nan, 1], [1], [[0, 1]], [0, "a", 1])
        ),
        *(({"betas": betas}, "`betas` must be an integer of at least 2") for betas in (1, 2.5, "14500", True)),
        *(({"chains": chains}, "`chains` must be an integer of at least 2") for chains in (1, 2.5, None)),
        *(({"seed": seed}, r"`seed` must be .*integer in \[0, 2\*\*31\)") for seed in (None, -1, 2**31)),
        ({"reverse": "yes"}, "`reverse` must be True or False"),
        (
            {"reverse": True},
            "Expected `start`, states of the machine, if and only if `reverse`.*reverse=True, start=None",
        ),
        ({"start": START}, "if and only if `reverse`.*reverse=False, start=array"),
        ({"reverse": True, "start": START[:1]}, r"`start` must have at least 2 states. Received: shape=\(1, 6\)"),
        (
            {"reverse": True, "start": START[:, 1:]},
            r"`start` must be of shape \(cases, 6\). Received: shape=\(200, 5\)",
        ),
        ({"reverse": True, "start": START + 0.5}, "`start` must hold states of Binary"),
        ({"base_biases": None}, "Expected either `data` or `base_biases`. Received: neither"),
        ({"data": START}, "Expected either `data` or `base_biases`. Received: both"),
        ({"base_biases": np.zeros(5)}, "`base_biases` must be 6 finite numbers"),
        ({"base_biases": np.full(6, np.inf)}, "`base_biases` must be 6 finite numbers"),
        ({"base_biases": None, "data": np.full((2, 6), 255.0)}, "divide pixels by 255"),
    ],
)
def test_other_arguments_are_refused(binary, arguments, message):
    with pytest.raises(ValueError, match=message):
        estimate(binary[0], **arguments)
