"""Does each unit have the law that its docstring states: mass, mean, samples; and is it a value?"""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import ops
from scipy import special, stats

import reference
from differentiation import to_numpy, value_and_gradients
from keras_rectifiers import keys, noise
from keras_rectifiers.rbm import Binary, Binomial, Gaussian, NReLU, Softmax, SteppedSigmoid, TruncatedGaussian
from specimens import NO_BOOLEANS, NO_INTEGERS
from tiny_machines import BINARY, GAUSSIAN, SOFTMAX, STEPPED, TRUNCATED, Law, binomial, stepped

LAWS = {
    "binary": BINARY,
    "binomial": binomial(5),
    "softmax": SOFTMAX,
    "stepped": STEPPED,
    "truncated": TRUNCATED,
    "gaussian": GAUSSIAN,
}
ALONE = [name for name in LAWS if name != "softmax"]
INPUTS = np.array([-30.0, -3.0, -0.4, 0.0, 0.6, 2.5, 15.9, 16.1, 30.0], "float32")
GROUPS = np.array([[0.0, 1.0, -2.0, 30.0, -30.0, 0.0], [-1.0, -1.0, -1.0, 5.0, 5.5, 4.0]], "float32")
UNITS = (Binary(), Binomial(5), Gaussian(noise=True), Softmax(3), SteppedSigmoid(), TruncatedGaussian(), NReLU())
DRAWS = 20_000


def inputs_of(name: str) -> np.ndarray:
    return GROUPS if name == "softmax" else INPUTS[:, None]


def nodes(law: Law, x: float) -> tuple[np.ndarray, np.ndarray]:
    """Return states that hold all but 1e-12 of the law, and the weights by which a sum over them is its integral."""
    if law.states is not None:
        return law.states[:, 0], np.ones(len(law.states))
    if law is STEPPED:
        return np.arange(80.0), np.ones(80)
    ends = (x - 12, x + 12) if law is GAUSSIAN else (max(0.0, x - 12), 30 / abs(x) if x < -3 else max(0.0, x) + 12)
    at, weights = np.polynomial.legendre.leggauss(200)
    return (ends[0] + ends[1]) / 2 + (ends[1] - ends[0]) / 2 * at, weights * (ends[1] - ends[0]) / 2


@pytest.mark.parametrize("name", ALONE)
def test_the_mass_of_all_states_is_one(name):
    law = LAWS[name]
    for x in INPUTS:
        s, weights = nodes(law, float(x))
        log_base = to_numpy(law.unit.log_base(ops.convert_to_tensor(s[:, None].astype("float32"))))[:, 0]
        exponent = log_base + s * x - to_numpy(law.unit.log_partition(ops.convert_to_tensor(x[None])))[0]
        np.testing.assert_allclose(weights @ np.exp(exponent), 1, rtol=3e-4)


def test_the_mass_of_a_softmax_units_states_is_one():
    x = GROUPS.reshape(2, 2, 3)
    log_partition = to_numpy(Softmax(3).log_partition(ops.convert_to_tensor(GROUPS)))
    assert log_partition.shape == (2, 2)
    np.testing.assert_allclose(np.exp(x @ Softmax(3).states().T - log_partition[..., None]).sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(Softmax(3).log_base(ops.convert_to_tensor(GROUPS))), 0)


@pytest.mark.parametrize("name", LAWS)
def test_the_log_partition_and_its_derivative_the_mean_are_the_formulas(name):
    law, x = LAWS[name], inputs_of(name)
    value, (derivative,) = value_and_gradients(lambda t: ops.sum(law.unit.log_partition(t), -1), [x])
    np.testing.assert_allclose(value, law.log_partition(x.astype("float64")), rtol=1e-6, atol=1e-6)
    mean = to_numpy(law.unit.mean(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(mean, law.mean(x.astype("float64")), rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(derivative, mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAWS)
def test_the_log_base_measure_is_the_formula(name):
    law = LAWS[name]
    s = law.states if law.states is not None else np.arange(60.0)[:, None]
    found = to_numpy(ops.sum(law.unit.log_base(ops.convert_to_tensor(s.astype("float32"))), -1))
    np.testing.assert_allclose(found, law.log_base(s), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("unit", [u for u in UNITS if np.isfinite(u.most)], ids=str)
def test_the_states_are_those_that_the_unit_takes(unit):
    (law,) = (law for law in LAWS.values() if law.unit == unit)
    np.testing.assert_array_equal(unit.states(), law.states)
    assert (unit.least, unit.most) == (law.states.min(), law.states.max())


@pytest.mark.parametrize("unit", [u for u in UNITS if not np.isfinite(u.most)], ids=str)
def test_a_unit_of_infinitely_many_states_names_none(unit):
    with pytest.raises(ValueError, match="Expected units of finitely many states. Received: "):
        unit.states()


def samples(unit: object, x: np.ndarray, seed: int = 1) -> np.ndarray:
    every = np.broadcast_to(x, (DRAWS, *x.shape)).astype("float32")
    return to_numpy(unit.sample(ops.convert_to_tensor(every), keys.make_key(seed)))


def p_of_counts(states: np.ndarray, drawn: np.ndarray, p: np.ndarray) -> float:
    """Return the p-value of a chi-square test, with the states that are expected less than ten times as one."""
    counts = (drawn[:, None] == states).sum(0)
    assert counts.sum() == len(drawn)
    common = p * len(drawn) >= 10
    found = np.append(counts[common], counts[~common].sum())
    expected = np.append(p[common], p[~common].sum()) * len(drawn)
    kept = expected > 1e-3
    assert found[~kept].sum() == 0
    return (
        1.0 if kept.sum() < 2 else stats.chisquare(found[kept], expected[kept] / expected[kept].sum() * len(drawn))[1]
    )


@pytest.mark.parametrize("name", ["binary", "binomial", "stepped"])
def test_samples_of_whole_numbers_have_the_units_law(name):
    law = LAWS[name]
    for x, drawn in zip(INPUTS, samples(law.unit, INPUTS).T, strict=True):
        n = nodes(law, float(x))[0]
        p = special.softmax(n * float(x) + np.array([law.log_base(s[None]) for s in n]))
        assert p_of_counts(n, drawn, p) > 1e-3


def test_samples_of_softmax_units_are_one_of_each_group_with_its_probability_and_independent():
    drawn = samples(Softmax(3), GROUPS).reshape(DRAWS, 2, 2, 3)
    np.testing.assert_array_equal(np.sort(drawn, -1), np.broadcast_to([0.0, 0, 1], drawn.shape))
    p = special.softmax(GROUPS.astype("float64").reshape(2, 2, 3), axis=-1)
    which = drawn.argmax(-1)
    for place in np.ndindex(2, 2):
        assert p_of_counts(np.arange(3), which[:, *place], p[place]) > 1e-3
    table = np.histogram2d(which[:, 1, 0], which[:, 1, 1], bins=3)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3


CONTINUOUS = {
    "gaussian": (Gaussian(noise=True), lambda x: stats.norm(x)),
    "truncated": (TruncatedGaussian(), lambda x: stats.truncnorm(-x, np.inf, loc=x)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_samples_of_real_numbers_have_the_units_law(name):
    unit, law = CONTINUOUS[name]
    for x, drawn in zip(INPUTS, samples(unit, INPUTS).T, strict=True):
        own = law(float(x))
        assert stats.kstest(drawn, own.cdf).pvalue > 1e-3
        assert abs(drawn.mean() - own.mean()) < 4.5 * own.std() / np.sqrt(DRAWS)
        assert abs(drawn.var() / own.var() - 1) < 0.1


def test_a_truncated_gaussian_far_below_zero_is_exponential_in_single_precision():
    x = np.array([-1000.0], "float32")
    unit = TruncatedGaussian()
    expected = TRUNCATED.log_partition(x)
    np.testing.assert_allclose(to_numpy(unit.log_partition(ops.convert_to_tensor(x))), [expected], rtol=1e-6)
    # 1/1000 less 2/1000^3: the series of x + phi/Phi, which float64 itself can no longer subtract.
    np.testing.assert_allclose(to_numpy(unit.mean(ops.convert_to_tensor(x))), 1e-3 - 2e-9, rtol=1e-6)
    drawn = samples(unit, x)[:, 0]
    assert stats.kstest(drawn, stats.expon(scale=1e-3).cdf).pvalue > 1e-3


@pytest.mark.parametrize("outermost", [0.0, 1 - 2.0**-24])
def test_the_outermost_uniforms_give_states_of_the_law(outermost, monkeypatch):
    monkeypatch.setattr(noise, "uniform", lambda shape, key, dtype: ops.full(shape, outermost, dtype=dtype))
    x = np.concatenate([INPUTS, [-1000, -100, 8, 13, 100, 1000]]).astype("float32")
    for unit in UNITS:
        if unit == Softmax(3):
            drawn = to_numpy(unit.sample(ops.convert_to_tensor(GROUPS), keys.make_key(1)))
            np.testing.assert_array_equal(drawn.reshape(2, 2, 3).sum(-1), 1)
        else:
            drawn = to_numpy(unit.sample(ops.convert_to_tensor(x), keys.make_key(1)))
            assert np.isfinite(drawn).all()
            assert (drawn >= unit.least).all() and (drawn <= np.maximum(x, 0) + 33).all()


# PAPERS.md, section 1: the input, the mean, the deviation and the share of states above 0.
NRELU = [
    (-2, 0.0000, 0.0000, 0.0000),
    (-1, 0.0053, 0.0434, 0.0269),
    (0, 0.2821, 0.4128, 0.5000),
    (1, 1.0510, 0.7674, 0.8789),
    (2, 2.0056, 0.9247, 0.9835),
    (4, 4.0000, 0.9909, 1.0000),
]


@pytest.mark.parametrize(("x", "mean", "deviation", "above"), NRELU)
def test_nrelu_has_the_moments_and_the_law_of_the_papers_sampler(x, mean, deviation, above):
    at = np.array([x], "float32")
    np.testing.assert_allclose(to_numpy(NReLU().mean(ops.convert_to_tensor(at))), mean, atol=6e-5)
    drawn = samples(NReLU(), at)[:, 0]
    assert abs(drawn.mean() - mean) < 4.5 * deviation / np.sqrt(DRAWS) + 6e-5
    assert abs(drawn.std() - deviation) < 0.03 * deviation + 1e-3
    assert abs((drawn > 0).mean() - above) < 4.5 * np.sqrt(above * (1 - above) / DRAWS) + 6e-5
    s = np.sqrt(reference.sigmoid(x))
    if (drawn > 0).sum() > 100:
        assert stats.kstest(drawn[drawn > 0], stats.truncnorm(-x / s, np.inf, loc=x, scale=s).cdf).pvalue > 1e-3


def test_nrelu_names_the_units_that_have_a_log_partition():
    with pytest.raises(ValueError, match="SteppedSigmoid.* and TruncatedGaussian have. Received: NReLU"):
        NReLU().log_partition(ops.zeros((2,)))


def test_a_stepped_sigmoid_is_within_a_hundredth_of_softplus():
    x = np.linspace(-10, 40, 1001)
    gap = to_numpy(SteppedSigmoid().mean(ops.convert_to_tensor(x.astype("float32")))) - np.logaddexp(0, x)
    np.testing.assert_allclose(np.abs(gap).max(), 0.0106, atol=1e-4)


def test_a_stepped_sigmoid_is_the_infinite_sum_wherever_its_units_lie():
    x = np.concatenate([np.linspace(-40, 120, 641), [15.9999, 16.0, 16.0001]]).astype("float32")
    exact = x.astype("float64")
    unit = SteppedSigmoid()
    np.testing.assert_allclose(to_numpy(unit.log_partition(ops.convert_to_tensor(x))), stepped(exact), rtol=1e-6)
    sigmoids = special.expit(exact[:, None] - np.arange(1, 401) + 0.5).sum(-1)
    np.testing.assert_allclose(to_numpy(unit.mean(ops.convert_to_tensor(x))), sigmoids, rtol=1e-6)


@pytest.mark.parametrize("unit", [Binary(), Binomial(5), Gaussian()], ids=str)
def test_the_input_of_a_mean_is_the_inverse_of_the_mean(unit):
    x = np.array([-6.0, -1.0, 0.0, 0.5, 6.0])
    again = unit.input_of_mean(unit.mean(ops.convert_to_tensor(x, dtype="float64")))
    np.testing.assert_allclose(to_numpy(again), x, atol=2e-4)


def test_the_input_of_a_softmax_units_mean_has_that_mean():
    mean = np.array([0.2, 0.7, 0.1, 0.5, 0.25, 0.25], "float32")
    np.testing.assert_allclose(
        to_numpy(Softmax(3).mean(Softmax(3).input_of_mean(ops.convert_to_tensor(mean)))), mean, rtol=1e-5
    )


@pytest.mark.parametrize("unit", [SteppedSigmoid(), TruncatedGaussian(), NReLU()], ids=str)
def test_the_input_of_a_rectified_units_mean_is_nearly_the_inverse(unit):
    mean = np.array([0.3, 1.0, 4.0, 30.0], "float32")
    again = to_numpy(unit.mean(unit.input_of_mean(ops.convert_to_tensor(mean))))
    np.testing.assert_allclose(again, mean, atol=0.45)
    np.testing.assert_allclose(again[-1], mean[-1], rtol=1e-4)


def test_a_gaussian_units_sample_is_its_mean_unless_it_is_told_otherwise():
    x = ops.convert_to_tensor(INPUTS)
    np.testing.assert_array_equal(to_numpy(Gaussian().sample(x, keys.make_key(1))), INPUTS)
    assert Gaussian().exact() == Gaussian(noise=True) == Gaussian(noise=True).exact()
    for unit in UNITS:
        assert unit.exact() == unit


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_a_unit_is_a_value_that_is_saved_by_its_arguments(unit):
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(unit)))
    again = keras.saving.deserialize_keras_object(saved)
    assert again == unit and hash(again) == hash(unit) and repr(again) == repr(unit)
    assert set(unit.get_config()) == {field.name for field in dataclasses.fields(unit)}
    for other in UNITS:
        assert (other == unit) == (other is unit)
    with pytest.raises(dataclasses.FrozenInstanceError):
        unit.copies = 3


def test_units_of_other_arguments_are_other_units():
    assert Binomial(5) != Binomial(4) and Softmax(3) != Softmax(4) and Gaussian() != Gaussian(noise=True)
    assert Binomial(np.int64(5)) == Binomial(5) and type(Binomial(np.int64(5)).copies) is int


@pytest.mark.parametrize(
    ("make", "name", "wrong"),
    [(Binomial, "copies", (0, *NO_INTEGERS)), (Softmax, "size", (1, *NO_INTEGERS)), (Gaussian, "noise", NO_BOOLEANS)],
    ids=str,
)
def test_a_wrong_argument_is_refused(make, name, wrong):
    for value in wrong:
        with pytest.raises(ValueError, match=f"^Argument `{name}` must be .*\\. Received: {name}="):
            make(value)


@pytest.mark.parametrize("unit", UNITS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_method_keeps_the_dtype_of_its_input(unit, dtype):
    x = ops.convert_to_tensor(np.ones((2, 6)), dtype=dtype)
    made = [unit.mean(x), unit.sample(x, keys.make_key(1)), unit.input_of_mean(0.5 * x)]
    made += [unit.log_base(x)] if unit.has_log_partition else []
    if unit.has_log_partition:
        made.append(unit.log_partition(x))
    assert {keras.backend.standardize_dtype(t.dtype) for t in made} == {keras.backend.standardize_dtype(x.dtype)}
