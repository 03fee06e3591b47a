"""Do the verdicts on likelihoods follow from their records, and are pixels, curves and likelihoods what they say?"""

import dataclasses
import itertools

import numpy as np
import pytest

from keras_rectifiers import rbm
from keras_rectifiers.diverging import DivergedError
from reruns.chapters import boltzmann
from reruns.chapters.boltzmann import claimed
from reruns.claims import Verdict
from reruns.results import Results

CONFIRMED, TOO_SMALL, REFUTED = Verdict.CONFIRMED, Verdict.TOO_SMALL, Verdict.REFUTED
INCONCLUSIVE = Verdict.INCONCLUSIVE
CONFIG = boltzmann.Config()
# Five seeds whose mean is 0 and whose spread is small: the half-width of their interval is about 0.015.
NOISE = 0.01 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])

GOOD = {
    ("centered", "digits"): -142.0,
    ("centered", "flipped"): -142.3,
    ("plain", "digits"): -149.0,
    ("plain", "flipped"): -180.0,
}
# By AIS and by reverse AIS.
GOOD_LARGE = {"PCD-1": (-84.0, -84.5), "CD-1": (-120.0, -120.2), "CD-25": (-86.0, -86.1)}


def record(exact=(), annealed=(), of_trial=lambda seed, factors: {}):
    """Return five seeds of made-up trials; the arguments override levels, `of_trial` the metrics of a seed's trial."""
    exact, annealed = {**GOOD, **dict(exact)}, {**GOOD_LARGE, **dict(annealed)}

    def row(seed, factors):
        if "chains" in factors:
            forward, reverse = annealed[factors["chains"]]
            found = {"test_forward": forward, "test_reverse": reverse, "gap": forward - reverse}
        else:
            level = exact[factors["gradient"], factors["images"]]
            # At the other rate everything is worse, and would change each verdict.
            found = dict.fromkeys(("last_validation", "test_log_likelihood"), level - 100 * (factors["rate"] < 0.05))
        # Of one sign for the claimed, of another for what it is compared with, so that differences have a spread.
        kind = {name: level for name, level in factors.items() if name != "rate"}
        sign = 1 if kind in ({"gradient": "centered", "images": "digits"}, {"chains": "CD-25"}) else -1
        metrics = {name: value + sign * NOISE[seed] for name, value in found.items()}
        shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
        return {"seed": seed, "factors": factors, "metrics": {**metrics, **of_trial(seed, factors)}, **shared}

    return Results([row(seed, factors) for seed in range(5) for factors in boltzmann.trials(CONFIG)])


def words(results):
    return {judged.claim.id: judged.verdict for judged in claimed.judge(results)}


def test_what_was_published_is_confirmed():
    assert list(words(record())) == [claim.id for claim in boltzmann.EXPERIMENT.claims]
    assert set(words(record()).values()) == {CONFIRMED}


def test_its_contrary_is_refuted():
    exact = dict(zip(GOOD, (-150.0, -152.0, -149.0, -148.0), strict=True))
    annealed = {"PCD-1": (-96.7, -97.0), "CD-1": (-87.0, -86.9), "CD-25": (-88.0, -90.0)}
    assert set(words(record(exact, annealed)).values()) == {REFUTED}


def test_ties_are_open_equal_or_too_small():
    found = words(record(dict.fromkeys(GOOD, -142.0), {"CD-1": (-86.0, -86.1)}))
    assert found["L-3"] is found["L-3, flipped"] is TOO_SMALL
    assert found["L-2"] is CONFIRMED
    exact = {("centered", "digits"): claimed.FLOOR, ("plain", "digits"): claimed.FLOOR}
    assert words(record(exact))["L-1"] is INCONCLUSIVE
    assert words(record(annealed={"CD-25": (-86.34, -86.4)}))["L-5"] is INCONCLUSIVE


def test_each_plain_machine_is_compared_with_the_centered_one_of_its_own_images():
    found = words(record({("plain", "digits"): -143.0}))
    assert found["L-3"] is TOO_SMALL
    assert found["L-3, flipped"] is CONFIRMED
    found = words(record({("centered", "flipped"): -179.0}))
    assert found["L-3"] is CONFIRMED
    assert found["L-3, flipped"] is TOO_SMALL


@pytest.mark.parametrize(("apart", "word"), [(0.9, CONFIRMED), (-0.9, CONFIRMED), (1.1, REFUTED), (-1.1, REFUTED)])
def test_flipped_images_may_be_a_nat_better_or_worse(apart, word):
    found = words(record({("centered", "digits"): -142.0, ("centered", "flipped"): -142.0 + apart}))
    assert found["L-2"] is word


def test_a_published_likelihood_may_be_missed_by_less_than_a_nat():
    assert words(record({("centered", "digits"): -143.5}))["L-1, published"] is CONFIRMED
    assert words(record({("centered", "digits"): -143.6}))["L-1, published"] is REFUTED


@pytest.mark.parametrize("chains", boltzmann.LARGE)
def test_one_machine_whose_estimates_disagree_refutes_their_agreement(chains):
    way = {"PCD-1": (-82.0, -83.5), "CD-1": (-121.5, -120.0), "CD-25": (-85.0, -86.5)}[chains]
    found = record(annealed={chains: way})
    assert words(found)["L-7"] is REFUTED
    assert claimed.words(found, chains) == "not converged in 5 of 5"
    assert {claimed.words(found, c) for c in boltzmann.LARGE if c != chains} == {"converged"}


@pytest.mark.parametrize(
    ("pcd", "word"),
    [
        ((-84.0, -84.8), CONFIRMED),  # both ends above the published upper one, -84.86
        ((-84.8, -84.0), CONFIRMED),
        ((-84.0, -90.0), INCONCLUSIVE),  # between the published ends nothing is known
        ((-90.0, -97.0), INCONCLUSIVE),
        ((-96.5, -120.0), INCONCLUSIVE),
        ((-96.7, -99.0), REFUTED),  # both below the published lower one, -96.61
        ((-99.0, -96.7), REFUTED),
    ],
)
def test_of_pcd_both_ends_must_lie_beyond_those_that_were_published(pcd, word):
    assert words(record(annealed={"PCD-1": pcd}))["L-4"] is word


@pytest.mark.parametrize(
    ("cd_1", "cd_25", "word"),
    [
        ((-120.0, -121.0), (-86.0, -118.0), CONFIRMED),
        ((-95.0, -120.0), (-90.0, -100.0), INCONCLUSIVE),  # AIS alone would confirm it, the ends refute it
        ((-86.5, -86.8), (-86.0, -86.2), TOO_SMALL),  # 0.8 at most
        ((-86.0, -86.1), (-88.0, -90.0), REFUTED),
    ],
)
def test_more_sweeps_are_judged_by_the_ends_of_both(cd_1, cd_25, word):
    assert words(record(annealed={"CD-1": cd_1, "CD-25": cd_25}))["L-6"] is word


def test_gaps_of_either_sign_refute_that_estimates_agree():
    def scattered(seed, factors):
        return {"gap": [-2.0, 2.0, -1.5, 1.8, 0.2][seed]} if factors.get("chains") == "CD-1" else {}

    assert words(record(of_trial=scattered))["L-7"] is REFUTED


def test_margins_on_centering_are_halves_of_what_was_published():
    assert claimed.HALF["digits"] == pytest.approx((149.05 - 142.56) / 2, abs=0.006)
    assert claimed.HALF["flipped"] == pytest.approx((183.36 - 142.09) / 2, abs=0.006)


def test_a_run_that_diverged_decides_nothing():
    def lost(seed, factors):
        if seed != 3:
            return {}
        if "chains" in factors:
            return {"test_forward": None} if factors["chains"] == "CD-25" else {}
        return (
            {"test_log_likelihood": None} if factors["gradient"] == "centered" and factors["images"] == "digits" else {}
        )

    assert words(record(of_trial=lost)) == {
        **dict.fromkeys(words(record()), INCONCLUSIVE),
        "L-3, flipped": CONFIRMED,
        "L-4": CONFIRMED,
    }


def test_thresholded_pixels_are_the_bright_ones_and_drawn_ones_follow_their_grey():
    config = dataclasses.replace(CONFIG, train=200)
    thresholded, drawn = (boltzmann.binary(config, pixels) for pixels in ("threshold", "drawn"))
    grey = boltzmann.pipelines.mnist(200, None, 200).train
    grey = next(iter(grey.as_numpy_iterator()))[0].reshape(200, -1)
    np.testing.assert_array_equal(thresholded.train, np.where(grey > 0.5, 1, 0))
    assert drawn.train.dtype == np.uint8 and set(np.unique(drawn.train)) == {0, 1}
    # Black and white ones are certain; of the others, as many as their grey says, to four standard errors.
    np.testing.assert_array_equal(drawn.train[grey == 0], 0)
    np.testing.assert_array_equal(drawn.train[grey == 1], 1)
    error = np.sqrt((grey * (1 - grey)).sum())
    assert abs(drawn.train.sum() - grey.sum()) < 4 * error
    dim = (grey > 0.1) & (grey < 0.5)
    assert 0.1 < drawn.train[dim].mean() < 0.5 and not thresholded.train[dim].any()
    np.testing.assert_array_equal(thresholded.flipped().test, np.where(thresholded.test == 0, 1, 0))
    assert not np.array_equal(drawn.train[:100], drawn.test[:100])


def test_every_epoch_shows_each_image_once_in_another_order():
    images = np.eye(10, dtype="uint8")
    batches = boltzmann.shuffled(images, 4, seed=1)
    epochs = [np.concatenate(list(batches.as_numpy_iterator())) for _ in range(2)]
    for shown in epochs:
        np.testing.assert_array_equal(shown[np.argsort(shown.argmax(axis=1))], images)
    assert not np.array_equal(*epochs)
    other = np.concatenate(list(boltzmann.shuffled(images, 4, seed=2).as_numpy_iterator()))
    assert not np.array_equal(epochs[0], other)


def by_hand(machine, images):
    """Return the mean log p(v) in float64, of sums over every hidden state."""
    w, b, c = (np.asarray(part, "float64") for part in machine.tensors)
    hidden = np.array(list(itertools.product((0, 1), repeat=len(c))), float)
    log_z = np.logaddexp.reduce(hidden @ c + np.logaddexp(0, b + hidden @ w.T).sum(axis=1))
    # Over hidden states too, where the package sums each unit by itself.
    joint = images @ b + np.logaddexp.reduce((images @ w + c) @ hidden.T, axis=1)
    return (joint - log_z).mean()


@pytest.fixture(scope="module")
def tiny():
    return dataclasses.replace(
        CONFIG, epochs=2, persistent_epochs=3, restarted_epochs=2, train=400, few=3, many=4, temperatures=200, sweeps=50
    )


@pytest.mark.parametrize(("gradient", "images"), [("centered", "flipped"), ("plain", "digits")])
def test_a_small_trial_returns_what_the_record_holds(tiny, gradient, images, monkeypatch):
    machines = []
    monkeypatch.setattr(boltzmann, "trained", keeping(machines, boltzmann.trained))
    found = boltzmann.trial(tiny, seed=3, gradient=gradient, images=images, rate=0.05)
    assert {name: np.shape(value) for name, value in found.items()} == {
        **dict.fromkeys(("reconstruction_error", "validation_log_likelihood"), (2,)),
        **dict.fromkeys(boltzmann.OF_SMALL, ()),
    }
    (machine,) = machines
    assert (machine.units, machine.steps, machine.chains, machine.seed) == (3, 1, 100, 3000)
    assert machine.centered is (gradient == "centered")
    seen = boltzmann.binary(tiny, "threshold")
    seen = boltzmann.Binary(*(1 - v for v in seen)) if images == "flipped" else seen
    for name in ("train", "test"):
        assert found[f"{name}_log_likelihood"] == pytest.approx(by_hand(machine, getattr(seen, name)), rel=1e-5)
    # After the last epoch the machine is the one that was kept.
    assert found["validation_log_likelihood"][-1] == pytest.approx(by_hand(machine, seen.validation), rel=1e-5)
    assert found["validation_log_likelihood"][1] != found["validation_log_likelihood"][0]


@pytest.mark.parametrize("chains", boltzmann.LARGE)
def test_a_large_trial_returns_what_the_record_holds(tiny, chains, monkeypatch):
    machines = []
    monkeypatch.setattr(boltzmann, "trained", keeping(machines, boltzmann.trained))
    found = boltzmann.trial(tiny, seed=0, chains=chains)
    (machine,) = machines
    filters = np.asarray(machine.kernel).T[: tiny.filters].round(3).ravel()
    np.testing.assert_allclose(found.pop("filters"), filters, atol=1e-6)
    persistent, sweeps = chains == "PCD-1", 25 if chains == "CD-25" else 1
    assert len(found.pop("reconstruction_error")) == (3 if persistent else 2)
    assert set(found) == set(boltzmann.OF_LARGE) and all(np.isfinite(value) for value in found.values())
    assert (machine.units, machine.steps, machine.chains) == (4, sweeps, 100 if persistent else None)
    assert machine.centered
    seen = boltzmann.binary(tiny, "threshold" if persistent else "drawn")
    # So small a machine can be summed: both ends are near that.
    for name, way in itertools.product(("train", "test"), ("forward", "reverse")):
        assert found[f"{name}_{way}"] == pytest.approx(by_hand(machine, getattr(seen, name)), abs=1.0)
    assert found["gap"] == pytest.approx(found["reverse_log_z"] - found["forward_log_z"])
    assert found["gap"] == pytest.approx(found["test_forward"] - found["test_reverse"], abs=1e-6)


@pytest.mark.parametrize("factors", [{"chains": "CD-1"}, {"gradient": "plain", "images": "digits", "rate": 0.05}])
def test_of_a_run_that_diverges_no_metric_is_known(tiny, factors, monkeypatch):
    def diverges(*arguments):
        raise DivergedError

    brief = dataclasses.replace(tiny, epochs=1, restarted_epochs=1, temperatures=5, sweeps=1)
    whole = boltzmann.trial(brief, seed=1, **factors)
    monkeypatch.setattr(boltzmann, "trained", diverges)
    found = boltzmann.trial(brief, seed=1, **factors)
    # Of seeds but the first no filters are kept.
    assert set(found) == set(whole) and "filters" not in whole
    assert all(np.isnan(value).all() for value in found.values())


def keeping(machines, train):
    def kept(config, machine, *args):
        machines.append(machine)
        return train(config, machine, *args)

    return kept


def test_the_rate_falls_to_nothing_by_the_last_step(tiny):
    machine = rbm.RBM(2, seed=0)
    boltzmann.trained(tiny, machine, boltzmann.binary(tiny, "threshold").train, 0, epochs=2, rate=0.05)
    rate = machine.optimizer._learning_rate  # Keras has no other way to a schedule
    assert int(machine.optimizer.iterations) == 2 * 4
    assert [float(rate(step)) for step in (0, 4, 8)] == pytest.approx([0.05, 0.025, 0.0], abs=1e-8)
    assert machine.optimizer.momentum == 0.5


def test_large_machines_run_their_chains_as_their_names_say():
    for name, of in boltzmann.LARGE.items():
        assert name == f"{'P' * of.persistent}CD-{of.sweeps}"
    assert set(boltzmann.LARGE) == set(CONFIG.chains) == set(claimed.PUBLISHED_LARGE)
