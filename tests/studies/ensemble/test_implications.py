"""What the ensemble costs beside its members, what it gains, and what is said of both."""

import numpy as np
import pytest

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.operating_points import Gain, gain, operating_point
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
    found = gain(LABELS, (ours, others), "xception")
    assert (found.fakes_found.value, found.reals_spared.value) == (1 / 4, 2 / 6)


def between(low, high):
    return Interval((low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("fakes", "reals", "said"),
    [
        ((0.1, 0.2), (-0.1, 0.1), "gains"),
        ((-0.1, 0.1), (0.1, 0.2), "gains"),
        ((0.1, 0.2), (-0.2, -0.1), "trades"),
        ((-0.2, -0.1), (-0.1, 0.1), "loses"),
        ((-0.1, 0.1), (-0.1, 0.1), "not shown"),
    ],
)
def test_what_is_said_of_a_gain_follows_from_both_intervals(fakes, reals, said):
    assert verdict(Gain("xception", between(*fakes), between(*reals))) == said


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
        assert "the most accurate member on validation" in text
        assert "On any image that matters: it was trained on the sample." in text
    # 1,000 + 2,000 + 3,000 + 4,000 made-up parameters.
    assert "It holds all its members: 10,000 parameters" in card
