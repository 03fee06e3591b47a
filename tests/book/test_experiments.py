"""Do the chapters' verdicts follow from what was recorded, by the rules that were fixed, and do their tables show it?

The records are made up, so that the verdict is known beforehand.
"""

import numpy as np
import pytest

from reruns.chapters import data, elu, initialisation
from reruns.chapters.cost import limits
from reruns.page import tables

CONFIRMED, REFUTED, INCONCLUSIVE = "confirmed", "**refuted**", "inconclusive"
# Five seeds whose mean is 0 and whose spread is small: the half-width of their interval is about a thousandth.
NOISE = 1e-3 * np.array([-1.2, -0.4, 0.1, 0.5, 1.0])


def results(of_seed, **config):
    return {"config": config, "runs": {str(seed): {"metrics": of_seed(seed)} for seed in range(5)}}


def words(lines):
    return [line.word for line in lines]


def learned(activations, losses, errors, epochs=12):
    """Return a record of ELU's chapter: by unit, medians, losses of training and errors of the autoencoder."""

    def of_seed(seed):
        noise = NOISE[seed]
        return {
            "classifier": {
                unit: {
                    "median_activation": list(np.broadcast_to(activations[unit], epochs) + noise * (unit == "ELU")),
                    "train_loss": list(np.exp(-losses[unit] * np.arange(epochs) + noise * (unit == "ELU"))),
                }
                for unit in activations
            },
            "autoencoder": {
                "0.01": {unit: {"test_error": [9.0, error * (1 + noise)]} for unit, error in errors.items()}
            },
        }

    return results(of_seed, autoencoder_rates=[0.01])


AS_PUBLISHED = (
    {"ELU": -0.1, "LReLU": 0.2, "ReLU": 0.3},
    {"ELU": 1.0, "LReLU": 0.8, "ReLU": 0.7},
    {"ELU": 2.0, "ReLU": 3.0},
)


def test_what_the_elu_paper_says_is_confirmed_and_its_contrary_refuted():
    assert words(elu.judged(learned(*AS_PUBLISHED))) == [CONFIRMED] * 5
    swapped = [{**values, "ELU": values["ReLU"], "ReLU": values["ELU"]} for values in AS_PUBLISHED]
    swapped[0]["LReLU"], swapped[1]["LReLU"] = 0.1, 0.9
    assert words(elu.judged(learned(*swapped))) == [REFUTED] * 5


def test_activations_count_by_their_distance_from_zero_and_at_every_epoch():
    activations, losses, errors = AS_PUBLISHED
    far = {**activations, "ELU": -0.35}  # below zero, but further off
    assert words(elu.judged(learned(far, losses, errors)))[:2] == [REFUTED, REFUTED]
    near = {**activations, "ELU": 0.16}  # nearer by less than the margin, at every epoch
    assert words(elu.judged(learned(near, losses, errors)))[:2] == [CONFIRMED, REFUTED]
    late = np.full(12, 0.1)
    late[7] = 0.25  # nearer in the mean, but not at one epoch
    against_relu, against_lrelu = elu.judged(learned({**activations, "ELU": late}, losses, errors))[:2]
    assert (against_relu.word, against_lrelu.word) == (CONFIRMED, INCONCLUSIVE)
    assert "every epoch" in against_relu.found and "some epochs only" in against_lrelu.found


def test_an_epoch_at_which_nothing_can_be_told_leaves_the_claim_open():
    level = np.full(12, 0.1)
    level[7] = 0.2  # as leaky ReLU's
    activations, losses, errors = AS_PUBLISHED
    found = elu.judged(learned({**activations, "ELU": level}, losses, errors))
    assert words(found)[:2] == [CONFIRMED, INCONCLUSIVE]


def test_learning_is_judged_by_the_first_ten_epochs_together():
    activations, losses, errors = AS_PUBLISHED
    rates = np.full(12, 1.0)
    rates[[1, 10, 11]] = 0.1
    assert words(elu.judged(learned(activations, {**losses, "ELU": rates}, errors)))[2:4] == [CONFIRMED] * 2


def test_the_gain_of_the_autoencoder_is_relative_and_a_run_that_diverged_decides_nothing():
    activations, losses, _ = AS_PUBLISHED
    small = elu.judged(learned(activations, losses, {"ELU": 2.85, "ReLU": 3.0}))[-1]
    assert small.word == REFUTED and small.found.startswith("0.05 ")
    lost = elu.judged(learned({**activations, "ReLU": np.nan}, losses, {"ELU": 2.0, "ReLU": 3.0}))
    assert words(lost)[:2] == [INCONCLUSIVE, CONFIRMED]
    diverged = elu.judged(learned(activations, losses, {"ELU": 2.0, "ReLU": np.nan}))[-1]
    assert (diverged.word, diverged.found) == (INCONCLUSIVE, "in 5 of 5 pairs a run diverged")


def test_epochs_until_a_loss_was_reached():
    assert elu.epochs_to(np.array([0.5, 0.2, 0.1, 0.3]), 0.2) == 2
    assert elu.epochs_to(np.array([0.5, 0.3]), 0.2) is None


def trained(he, xavier, shallow=(4.0, 5.0), slopes=(0.25, 0.2)):
    """Return a record of the chapter on initial weights: training errors of 30 layers by seed, and mean slopes."""

    def of_seed(seed):
        depth = {
            "10": {name: {"train_error": error} for name, error in zip(("He", "Xavier"), shallow, strict=True)},
            "30": {"He": {"train_error": he[seed]}, "Xavier": {"train_error": xavier[seed]}},
        }
        mean = [slopes[0], slopes[1] + NOISE[seed]]
        decay = {key: {"mean_slopes": [m - 0.1, m + 0.1]} for key, m in zip(("0.0", "0.0005"), mean, strict=True)}
        return {"depth": depth, "slope_decay": decay}

    return results(of_seed, depths=[10, 30], slope_decays=[0.0, 5e-4])


@pytest.mark.parametrize(
    ("he", "xavier", "shallow", "word"),
    [
        ([5, 6, 7, 8, 19], [80, 85, 88, 71, 90], (4, 4), CONFIRMED),
        ([5, 6, 7, 8, 21], [80, 85, 88, 71, 90], (4, 4), CONFIRMED),  # four of five are enough
        ([5, 6, 7, 8, 9], [80, 85, 69, 60, 90], (4, 4), REFUTED),
        ([5, 6, 7, 8, 9], [80, 85, 88, 71, 90], (4, 30), REFUTED),  # the shallow ones must train from both
    ],
)
def test_a_stall_needs_four_of_five_seeds(he, xavier, shallow, word):
    stalled, _ = initialisation.judged(trained(he, xavier, shallow))
    assert stalled.word == word


@pytest.mark.parametrize(("slopes", "word"), [((0.25, 0.2), CONFIRMED), ((0.2, 0.25), REFUTED)])
def test_slopes_are_pulled_down_or_not(slopes, word):
    assert initialisation.judged(trained([5] * 5, [80] * 5, slopes=slopes))[1].word == word


@pytest.mark.parametrize(
    ("logistic", "convnet", "expected"),
    [(50, 7, [CONFIRMED, CONFIRMED]), (30, 20, [REFUTED, REFUTED]), (30, 7, [REFUTED, CONFIRMED])],
)
def test_the_toys_are_hard_for_the_one_and_easy_for_the_other(logistic, convnet, expected):
    def of_seed(seed):
        errors = {"logistic regression": logistic + NOISE[seed], "convnet": convnet + NOISE[seed]}
        return {"jittered_cluttered": {network: {"test_error": error} for network, error in errors.items()}}

    assert words(data.judged(results(of_seed))) == expected


def test_each_network_of_the_data_chapter_has_the_weights_of_its_name():
    classes, pixels = 6, 32 * 32 * 2
    assert data.NETWORKS["logistic regression"](classes).count_params() == classes * (pixels + 1)
    convolutions = 32 * (25 * 2 + 1) + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1)
    dense = 128 * (4 * 4 * 128 + 1) + classes * (128 + 1)
    assert data.NETWORKS["convnet"](classes).count_params() == convolutions + dense


def line(limit, verdict):
    return limits.Line("a unit", limit, "1.0", verdict)


def test_a_claim_about_costs_holds_if_every_limit_that_belongs_to_it_does():
    found = limits.judged(
        [
            line("time over floor ≤ 1.10", CONFIRMED),
            line("time over floor ≤ 1.30", REFUTED),
            line("best peer, torch ≤ 1.00", CONFIRMED),
        ]
    )
    assert [(judged.found, judged.word) for judged in found] == [("1 of 2", REFUTED), ("1 of 1", CONFIRMED)]
    with pytest.raises(ValueError, match="Received: {'colour ≤ 1.00'}"):
        limits.judged([line("colour ≤ 1.00", CONFIRMED)])


def test_a_table_shows_mean_and_half_an_interval_or_says_that_a_run_diverged():
    # Student's t at 95 % with one degree of freedom is 6.314; the standard error of 1 and 3 is 1.
    assert tables.plus_minus([1.0, 3.0]) == "2.00 ± 6.31"
    assert tables.plus_minus([1.5], digits=1, sign="+") == "+1.5"
    assert tables.plus_minus([1.0, np.nan]) == tables.plus_minus([1.0, None]) == "diverged"
    assert tables.table(["a", "b"], [[1, "x"]]).data == "| a | b |\n| --- | --- |\n| 1 | x |"


@pytest.mark.parametrize(("stands_in_for", "kind"), [(None, "note"), ("MNIST", "warning")])
def test_a_page_warns_of_a_stand_in(stands_in_for, kind):
    sizes = {"train": 3, "validation": 1, "test": 1}
    record = {"name": "d", "version": "1", "stands_in_for": stands_in_for, "sizes": sizes, "preprocessing": "none"}
    assert tables.ran_on(record).data.startswith(f":::{{{kind}}}\n")


def test_provenance_tells_every_version_of_a_chapter_that_was_recorded_in_two_sittings():
    origin = {"commit": 40 * "a", "dirty": False, "backend": "tensorflow", "device": "CPU"}
    runs = {
        str(seed): {"wall_seconds": 60, "provenance": {**origin, "versions": {"keras": version}}}
        for seed, version in enumerate(("3.15.0", "3.15.1"))
    }
    sizes = {"train": 3, "validation": 1, "test": 1}
    record = {"name": "MNIST", "version": "1", "stands_in_for": None, "sizes": sizes, "preprocessing": "none"}
    shown = tables.provenance({"runs": runs, "data": record, "config": {"epochs": 5}}).data
    for part in ("keras 3.15.0 or 3.15.1", "MNIST", "| 2 min |", "0, 1", "aaaaaaaaaaaa |", "epochs = 5"):
        assert part in shown
