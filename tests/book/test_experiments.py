"""Do the chapters' verdicts follow from what was recorded, by the rules that were fixed, and do their tables show it?

The records are made up, so that the verdict is known beforehand.
"""

import numpy as np
import pytest

from reruns.chapters import data, elu, initialisation, serving
from reruns.chapters.cost import limits
from reruns.claims import Verdict
from reruns.results import Results

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
TOO_SMALL = Verdict.TOO_SMALL
# Five seeds whose mean is 0 and whose spread is small: the half-width of their interval is about a thousandth.
NOISE = 1e-3 * np.array([-1.2, -0.4, 0.1, 0.5, 1.0])


def results(of_seed):
    """Return five seeds of made-up trials: pairs of factors and metrics."""
    shared = {"seconds": 1.0, "config": {}, "data": {}, "origin": {}}
    return Results(
        [
            {"seed": seed, "factors": factors, "metrics": metrics, **shared}
            for seed in range(5)
            for factors, metrics in of_seed(seed)
        ]
    )


def words(judgements):
    return [judgement.verdict for judgement in judgements]


def learned(activations, losses, errors, epochs=12):
    """Return a record of ELU's chapter: by unit, medians, losses of training and errors of the autoencoder."""

    def of_seed(seed):
        noise = NOISE[seed]
        for unit in activations:
            own = noise * (unit == "ELU")
            curves = {
                "median_activation": list(np.broadcast_to(activations[unit], epochs) + own),
                "train_loss": list(np.exp(-losses[unit] * np.arange(epochs) + own)),
            }
            yield {"network": "classifier", "unit": unit}, curves
        for rate in elu.Config().autoencoder_rates:
            for unit, error in errors.items():
                curve = {"test_squared_error": [9.0, error * (1 + noise)]}
                yield {"network": "autoencoder", "learning_rate": rate, "unit": unit}, curve

    return results(of_seed)


AS_PUBLISHED = (
    {"ELU": -0.1, "LReLU": 0.2, "ReLU": 0.3},
    {"ELU": 1.0, "LReLU": 0.8, "ReLU": 0.7},
    {"ELU": 2.0, "ReLU": 3.0},
)


def test_what_the_elu_paper_says_is_confirmed_and_its_contrary_refuted():
    assert words(elu.judge(learned(*AS_PUBLISHED))) == [CONFIRMED] * 6
    swapped = [{**values, "ELU": values["ReLU"], "ReLU": values["ELU"]} for values in AS_PUBLISHED]
    swapped[0]["LReLU"], swapped[1]["LReLU"] = 0.1, 0.9
    assert words(elu.judge(learned(*swapped))) == [REFUTED] * 6


def test_activations_count_by_their_distance_from_zero_and_at_every_epoch():
    activations, losses, errors = AS_PUBLISHED
    far = {**activations, "ELU": -0.35}  # below zero, but further off
    assert words(elu.judge(learned(far, losses, errors)))[:2] == [REFUTED, REFUTED]
    near = {**activations, "ELU": 0.16}  # nearer by less than the margin, at every epoch
    assert words(elu.judge(learned(near, losses, errors)))[:2] == [CONFIRMED, TOO_SMALL]
    late = np.full(12, 0.1)
    late[7] = 0.25  # nearer in the mean, but not at one epoch
    against_relu, against_lrelu = elu.judge(learned({**activations, "ELU": late}, losses, errors))[:2]
    assert (against_relu.verdict, against_lrelu.verdict) == (CONFIRMED, INCONCLUSIVE)
    assert "every epoch" in against_relu.found and "some epochs only" in against_lrelu.found


def test_an_epoch_at_which_nothing_can_be_told_leaves_the_claim_open():
    level = np.full(12, 0.1)
    level[7] = 0.2  # as leaky ReLU's
    activations, losses, errors = AS_PUBLISHED
    found = elu.judge(learned({**activations, "ELU": level}, losses, errors))
    assert words(found)[:2] == [CONFIRMED, INCONCLUSIVE]


def test_learning_is_judged_by_the_first_ten_epochs_together():
    activations, losses, errors = AS_PUBLISHED
    rates = np.full(12, 1.0)
    rates[[1, 10, 11]] = 0.1
    assert words(elu.judge(learned(activations, {**losses, "ELU": rates}, errors)))[2:4] == [CONFIRMED] * 2


def test_the_gain_of_the_autoencoder_is_relative_and_a_run_that_diverged_decides_nothing():
    activations, losses, _ = AS_PUBLISHED
    small = elu.judge(learned(activations, losses, {"ELU": 2.85, "ReLU": 3.0}))[-1]
    assert small.verdict is TOO_SMALL and small.found.startswith("0.05 ")
    lost = elu.judge(learned({**activations, "ReLU": np.nan}, losses, {"ELU": 2.0, "ReLU": 3.0}))
    assert words(lost)[:4] == [INCONCLUSIVE, CONFIRMED, INCONCLUSIVE, CONFIRMED]
    diverged = elu.judge(learned(activations, losses, {"ELU": 2.0, "ReLU": np.nan}))[-1]
    assert (diverged.verdict, diverged.found) == (INCONCLUSIVE, "in 5 of 5 pairs a run diverged")


def trained(he, xavier, shallow=(4.0, 5.0), slopes=(0.25, 0.2)):
    """Return a record of the chapter on initial weights: training errors of 30 layers by seed, and mean slopes."""

    def of_seed(seed):
        for name, error in zip(("He", "Xavier"), shallow, strict=True):
            yield {"images": 20_000, "depth": 10, "initializer": name}, {"train_error": error}
        for name, errors in (("He", he), ("Xavier", xavier)):
            yield {"images": 20_000, "depth": 30, "initializer": name}, {"train_error": errors[seed]}
        means = (slopes[0], slopes[1] + NOISE[seed])
        for decay, mean in zip((0.0, 5e-4), means, strict=True):
            yield {"slope_decay": decay}, {"mean_slopes": [mean - 0.1, mean + 0.1]}

    return results(of_seed)


@pytest.mark.parametrize(
    ("he", "xavier", "shallow", "word"),
    [
        ([5, 6, 7, 8, 19], [80, 85, 88, 71, 90], (4, 4), CONFIRMED),
        ([5, 6, 7, 8, 21], [80, 85, 88, 71, 90], (4, 4), INCONCLUSIVE),  # four of five: too few to tell from a half
        ([5, 6, 7, 8, 9], [80, 40, 30, 60, 20], (4, 4), REFUTED),
        ([5, 6, 7, 8, 9], [80, 85, 88, 71, 90], (4, 30), REFUTED),  # the shallow ones must train from both
        ([5, 6, 7, 8, 9], [80, 85, None, 71, 90], (4, 4), CONFIRMED),  # who diverged has not trained
        ([5, None, 7, 8, 9], [80, 85, 88, 71, 90], (4, 4), INCONCLUSIVE),
    ],
)
def test_a_stall_is_a_share_of_the_seeds_with_an_interval(he, xavier, shallow, word):
    stalled, _ = initialisation.judge(trained(he, xavier, shallow))
    assert stalled.verdict is word


@pytest.mark.parametrize(("slopes", "word"), [((0.25, 0.2), CONFIRMED), ((0.2, 0.25), REFUTED)])
def test_slopes_are_pulled_down_or_not(slopes, word):
    assert initialisation.judge(trained([5] * 5, [80] * 5, slopes=slopes))[1].verdict is word


@pytest.mark.parametrize(
    ("logistic", "convnet", "expected"),
    [(50, 7, [CONFIRMED, CONFIRMED]), (30, 20, [REFUTED, REFUTED]), (30, 7, [REFUTED, CONFIRMED])],
)
def test_the_toys_are_hard_for_the_one_and_easy_for_the_other(logistic, convnet, expected):
    def of_seed(seed):
        for network, error in (("logistic regression", logistic), ("convnet", convnet)):
            yield {"form": "jittered_cluttered", "network": network}, {"test_error": error + NOISE[seed]}

    assert words(data.judge(results(of_seed))) == expected


def test_each_network_of_the_data_chapter_has_the_weights_of_its_name():
    classes, pixels = 6, 32 * 32 * 2
    assert data.NETWORKS["logistic regression"](classes).count_params() == classes * (pixels + 1)
    convolutions = 32 * (25 * 2 + 1) + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1)
    dense = 128 * (4 * 4 * 128 + 1) + classes * (128 + 1)
    assert data.NETWORKS["convnet"](classes).count_params() == convolutions + dense


def line(claim, what, value, limit=1.0, **others):
    return limits.Line(claim, what, "time", limit, value, **others)


def test_a_claim_about_costs_holds_if_every_limit_that_belongs_to_it_does():
    lines = [line(limits.FLOOR, "a", 1.0, 1.1), line(limits.FLOOR, "b", 1.4, 1.3), line(limits.PEERS, "a", 0.9)]
    found = limits.judged([lines, lines])
    assert [(judged.claim, judged.found, judged.verdict) for judged in found] == [
        (limits.FLOOR, "1 of 2 limits kept, 1 broken, n = 2", REFUTED),
        (limits.PEERS, "1 of 1 limits kept, 0 broken, n = 2", CONFIRMED),
    ]


def test_over_several_processes_a_limit_is_judged_by_the_interval_of_the_ratio():
    def over(*values):
        (judged,) = limits.judged([[line(limits.FLOOR, "a", value)] for value in values])
        return judged.verdict

    assert over(0.90, 0.91, 0.92) is CONFIRMED
    assert over(0.80, 0.99, 1.10) is INCONCLUSIVE
    assert over(1.10, 1.12, 1.11) is REFUTED
    assert over(0.90, None, 0.92) is INCONCLUSIVE


def test_a_difference_is_judged_as_one_however_small_it_is():
    # Milliseconds more than a peer: mean 0.021, and by Student's t with four degrees half the interval is 0.0253.
    values = [-0.02, 0.01, 0.04, 0.045, 0.03]
    processes = [[line(limits.SIZES, "RReLU", value, 0.05, linear=True)] for value in values]
    (judged,) = limits.judged(processes)
    assert judged.verdict is CONFIRMED
    ((_, limit),) = limits.of_processes(processes)[limits.SIZES].values()
    assert (limit.evidence().mean, limit.evidence().upper) == pytest.approx((-0.029, -0.0037), abs=1e-4)


def test_one_of_many_limits_must_be_broken_by_more_to_refute_them_all():
    # Above the limit at 90 %, and no more: log ratios of mean 0.02 and deviation 0.02, t = 2.24 with four degrees.
    ratios = np.exp(0.02 + 0.02 * np.array([-1.265, -0.632, 0, 0.632, 1.265]))
    alone = [[line(limits.FLOOR, "a", ratio)] for ratio in ratios]
    assert words(limits.judged(alone)) == [REFUTED]
    among = [
        [line(limits.FLOOR, "a", ratio), *(line(limits.FLOOR, f"b{n}", 0.5) for n in range(9))] for ratio in ratios
    ]
    assert words(limits.judged(among)) == [INCONCLUSIVE]
    certain = [[line(limits.FLOOR, "a", 1.5 * ratio), *one[1:]] for ratio, one in zip(ratios, among, strict=True)]
    assert words(limits.judged(certain)) == [REFUTED]


def test_a_limit_is_told_with_its_interval():
    processes = [[line(limits.FLOOR, "a", value, 2.0, peer="torch, eager")] for value in (1.0, 1.1, 1.2)]
    ((found, limit),) = limits.of_processes(processes)[limits.FLOOR].values()
    what, measure, most, value, interval, verdict = limits.told(found, limit)
    assert (what, measure, most, value, verdict) == ("a", "time", "2.00, torch, eager", "1.10", "confirmed")
    # The geometric mean of 0.5, 0.55 and 0.6, and t = 2.92 with two degrees.
    assert interval == "0.55 [0.47, 0.64]"


def test_a_server_is_as_fast_if_it_is_for_every_model_and_batch():
    def sped(slow):
        def of_seed(seed):
            for batch in (1, 32):
                rate = 1000.0 * (1 + NOISE[seed])
                yield (
                    {"part": "speed", "model": "digits", "batch": batch},
                    {
                        "served_rows_a_second": rate,
                        "predict_a_call_a_request_rows_a_second": 500.0,
                        "predict_one_call_rows_a_second": 2000.0 if batch == slow else 500.0,
                    },
                )

        return serving.judge(results(of_seed))

    assert words(sped(slow=None)) == [CONFIRMED, CONFIRMED]
    assert words(sped(slow=32)) == [CONFIRMED, REFUTED]
