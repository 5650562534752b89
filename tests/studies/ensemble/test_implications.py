"""What the ensemble costs beside its members, what it gains, and what is said of both."""

import html

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.operating_points import Gain, gains, operating_point
from deepfake_ensemble.studies.common.complexity import multiply_adds
from deepfake_ensemble.studies.ensemble.costs import Cost, costs
from deepfake_ensemble.studies.ensemble.report.implications import verdict

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])


def test_the_ensemble_costs_what_its_members_cost_together():
    found = costs({"cnn": Cost(10, 100, 1_000), "xception": Cost(30, 100, 3_000)})
    assert found.ensemble == Cost(40, 200, 4_000)
    assert vars(found.times["cnn"]) == {"parameters": 4, "multiply_adds": 2, "file_bytes": 4}


def test_a_separable_convolution_counts_both_of_its_parts():
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.SeparableConv2D(5, 3, padding="same")]
    assert multiply_adds(keras.Sequential(layers)) == 8 * 8 * (9 * 3 + 3 * 5)


def test_a_gain_is_of_fakes_found_and_of_reals_spared():
    ours = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], bool)
    others = np.array([1, 0, 0, 1, 1, 1, 0, 0, 0, 0], bool)
    found = gains(LABELS, {"default": (ours, others)}, "xception")["default"]
    assert (found.fakes_found.value, found.reals_spared.value) == (1 / 4, 2 / 6)


def test_gains_have_mcnemar_s_exact_test_with_holm_s_correction_for_all_that_are_shown_together():
    rng = np.random.default_rng(5)
    labels = np.arange(400) % 2
    right = {
        name: (rng.random(400) < ours, rng.random(400) < others)
        for name, ours, others in (("default", 0.9, 0.75), ("youden", 0.8, 0.72))
    }
    calls = {name: tuple(np.where(labels == 1, of, ~of) for of in both) for name, both in right.items()}
    found = gains(labels, calls, "xception")
    expected = []
    for ours, others in right.values():
        for label in (1, 0):
            a, b = ours[labels == label], others[labels == label]
            only = int((a & ~b).sum()), int((b & ~a).sum())
            expected.append(binomtest(only[0], sum(only)).pvalue)
    corrected = multipletests(expected, method="holm")[1]
    assert [p for of in found.values() for p in (of.fakes_p, of.reals_p)] == pytest.approx(list(corrected))


def test_where_nothing_differs_there_is_no_test():
    called = LABELS == 1
    found = gains(LABELS, {"default": (called, called)}, "xception")["default"]
    assert found.fakes_p is None and found.reals_p is None
    assert verdict(found, 0.95) == "not shown"


def test_four_images_that_one_detector_alone_gets_right_show_no_gain_whatever_the_interval_says():
    labels = np.repeat([1, 0], 100)
    ours, others = np.zeros(200, bool), np.zeros(200, bool)
    ours[:4] = True
    found = gains(labels, {"default": (ours, others)}, "xception")["default"]
    assert found.fakes_found.ends[0] > 0 and found.fakes_p == 0.125
    assert verdict(found, 0.95) == "not shown"


@pytest.mark.parametrize(
    ("fakes", "reals", "said"),
    [
        ((0.1, 0.01), (-0.1, 0.2), "gains"),
        ((-0.1, 0.2), (0.1, 0.01), "gains"),
        ((0.1, 0.01), (-0.1, 0.01), "trades"),
        ((-0.1, 0.01), (-0.1, 0.2), "loses"),
        ((0.1, 0.06), (0.1, 0.06), "not shown"),
        ((0.1, None), (0.0, None), "not shown"),
    ],
)
def test_what_is_said_of_a_gain_follows_from_both_tests(fakes, reals, said):
    values = [Interval(value, value - 0.01, value + 0.01) for value, _ in (fakes, reals)]
    assert verdict(Gain("xception", *values, fakes[1], reals[1]), 0.95) == said


def test_below_a_share_of_fakes_most_of_what_is_called_fake_is_real():
    p_fake = np.array([0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1])
    point = operating_point(LABELS, p_fake, 0.5)
    share = point.mostly_real_below
    # Three of four fakes and two of six reals are called fake: at that share they are as many.
    assert share is not None and share * 3 / 4 == pytest.approx((1 - share) * 2 / 6)


def test_where_no_real_image_is_called_fake_there_is_no_such_share():
    assert operating_point(LABELS, LABELS.astype(float), 0.5).mostly_real_below is None


def test_the_card_and_the_report_tell_costs_gains_and_where_not_to_use_it(study):
    card = (study / "reports/model_card.md").read_text(encoding="utf-8")
    page = (study / "reports/report.html").read_text(encoding="utf-8")
    for text in (card, page):
        assert "Practical implications" in text
        assert "does as well" not in text  # where no gain is shown, none is ruled out either
        assert "McNemar's exact test with Holm's correction for all of one data set" in html.unescape(text)
        assert "the most accurate member on validation" in text
        assert "On any image that matters: it was trained on the sample." in text
    # 1,000 + 2,000 + 3,000 + 4,000 made-up parameters.
    assert "It holds all its members: 10,000 parameters" in card
