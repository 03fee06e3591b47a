"""Is the pseudo-likelihood that of each visible unit given all the others?"""

import numpy as np
import pytest
from enumeration import machine_of, parameters, visible_law
from scipy import special
from sklearn.neural_network import BernoulliRBM

from keras_rectifiers.rbm import (
    Binary,
    Binomial,
    Gaussian,
    Softmax,
    SteppedSigmoid,
    TruncatedGaussian,
    pseudo_log_likelihood,
    states,
)

PAIRS = {
    "Binary x Binary": (Binary(), Binary(), (5, 3)),
    "Binomial x SteppedSigmoid": (Binomial(3), SteppedSigmoid(), (3, 2)),
    "Softmax x TruncatedGaussian": (Softmax(3), TruncatedGaussian(), (9, 2)),
    "Binary x Softmax": (Binary(), Softmax(2), (4, 4)),
}


def enumerated(machine):
    """Return all states and their log-pseudo-likelihoods, from the logarithms of all their probabilities."""
    v, log_p, _ = visible_law(machine)
    size = machine.visible.size if isinstance(machine.visible, Softmax) else 1
    total = np.zeros(len(v))
    for first in range(0, v.shape[1], size):
        others = np.delete(v, np.s_[first : first + size], axis=1)
        for n in range(len(v)):
            alike = (others == others[n]).all(axis=1)
            total[n] += log_p[n] - special.logsumexp(log_p[alike])
    return v, total


@pytest.fixture(scope="module", params=PAIRS.values(), ids=PAIRS)
def machine(request):
    visible, hidden, widths = request.param
    return machine_of(visible, hidden, widths, scale=1.0)


def test_it_is_the_sum_of_the_logarithms_of_all_conditionals(machine):
    v, expected = enumerated(machine)
    found = machine.pseudo_log_likelihood(v)
    assert found.shape == (len(v),)
    assert found.dtype == "float64"
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_blocks_of_cases_change_nothing(monkeypatch):
    machine = machine_of(*PAIRS["Binary x Binary"])
    v, expected = enumerated(machine)
    monkeypatch.setattr(states, "_BLOCK", 110)  # 32 cases in blocks of 11
    assert len(list(states.blocks(v, 10))) == 3
    np.testing.assert_allclose(pseudo_log_likelihood(machine, v), expected, rtol=2e-5)


def test_it_is_what_scikit_learn_estimates_by_one_unit_a_case():
    machine = machine_of(*PAIRS["Binary x Binary"])
    other = BernoulliRBM(3, random_state=np.random.RandomState(1))
    w, b, c = parameters(machine)
    other.components_, other.intercept_visible_, other.intercept_hidden_ = w.T, b, c
    other._n_features_out = 3
    v = visible_law(machine)[0]
    scores = np.array([other.score_samples(v).mean() for _ in range(1000)])
    standard_error = scores.std() / np.sqrt(len(scores))
    assert standard_error < 0.02
    assert abs(scores.mean() - pseudo_log_likelihood(machine, v).mean()) < 4 * standard_error


def test_visible_units_of_infinitely_many_states_are_refused():
    with pytest.raises(ValueError, match="Expected units of finitely many states. Received: Gaussian"):
        machine_of(Gaussian(), Binary(), (3, 2)).pseudo_log_likelihood(np.eye(3))
