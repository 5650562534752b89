from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from deepfake_ensemble.comparison.intervals import wilson
from deepfake_ensemble.comparison.operating_points import (
    expected_false_positive_rate,
    operating_point,
    predictive_values,
    selective,
    threshold_for_fpr,
    youden,
)
from deepfake_ensemble.scoring.scores import Confusion

few = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.5, 1 - 2**-53, 1.0]) | st.floats(0, 1)),
    min_size=1,
    max_size=30,
)


def arrays(rows):
    labels, p_fake = zip(*[(0, 0.25), (1, 0.75), *rows], strict=True)
    return np.array(labels), np.array(p_fake)


def rates(labels, p_fake, threshold):
    return [(p_fake[labels == label] >= threshold).mean() for label in (1, 0)]


@settings(deadline=None)
@given(few)
def test_youdens_threshold_reaches_the_largest_j_of_scikit_learns_curve(rows):
    labels, p_fake = arrays(rows)
    fpr, tpr, _ = roc_curve(labels, p_fake, drop_intermediate=False)
    found = rates(labels, p_fake, youden(labels, p_fake))
    assert found[0] - found[1] == pytest.approx((tpr - fpr).max(), abs=1e-12)


def test_youdens_threshold_lies_between_two_probabilities():
    labels, p_fake = np.array([0, 0, 1, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.9])
    assert youden(labels, p_fake) == 0.5  # 0.25 would do as well: the higher one
    assert youden(np.array([0, 1]), np.array([0.5, 0.5])) == 0.25


@settings(deadline=None)
@given(few, st.sampled_from([Fraction(1, 20), Fraction(1, 4), Fraction(1, 2)]))
def test_the_threshold_for_a_rate_is_the_lowest_that_keeps_it(rows, fpr):
    labels, p_fake = arrays(rows)
    reals = p_fake[labels == 0]
    threshold = threshold_for_fpr(labels, p_fake, fpr)
    if threshold is None:
        assert len(reals) * fpr < 1 or (reals == 1).mean() > fpr
    else:
        assert rates(labels, p_fake, threshold)[1] <= fpr
        lower = p_fake[p_fake < threshold]
        assert not len(lower) or rates(labels, p_fake, lower.max())[1] > fpr


def test_a_rate_needs_as_many_reals_as_make_one_false_alarm():
    for reals, known in ((999, False), (1000, True), (1999, True)):
        labels = np.repeat([0, 1], [reals, 5])
        p_fake = np.concatenate((np.arange(reals) / 2000, np.full(5, 0.9996)))
        threshold = threshold_for_fpr(labels, p_fake, Fraction(1, 1000))
        assert (threshold is not None) == known
        if known:
            assert np.count_nonzero(p_fake[:reals] >= threshold) == 1


def test_certain_false_alarms_leave_no_threshold():
    labels, p_fake = np.repeat([0, 1], 100), np.ones(200)
    assert threshold_for_fpr(labels, p_fake, Fraction(1, 100)) is None
    p_fake[1:100] = 0.5
    assert threshold_for_fpr(labels, p_fake, Fraction(1, 100)) == 0.75


def test_an_operating_point_counts_and_bounds():
    got = operating_point(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.7, 0.6, 0.65, 0.2]), 0.65)
    assert got.counts == Confusion(tp=1, fp=1, tn=2, fn=1)
    assert got.true_positive_rate == wilson(1, 2)
    assert got.false_positive_rate == wilson(1, 3)
    assert got.precision == wilson(1, 2)
    assert got.accuracy == wilson(3, 5)
    assert operating_point(np.array([0, 1]), np.array([0.1, 0.2]), 0.9).precision is None


def test_one_real_in_a_hundred_lets_expect_two():
    """By simulation, whatever the scores: here uniform ones, so that a threshold's own rate is known."""
    got = expected_false_positive_rate(100, Fraction(1, 100))
    assert (got.value, *got.ends) == pytest.approx((0.0198, 0.0024, 0.0545), abs=1e-4)
    rng = np.random.default_rng(0)
    labels = np.zeros(100)
    rates = [1 - threshold_for_fpr(labels, rng.random(100), Fraction(1, 100)) for _ in range(4000)]
    assert np.mean(rates) == pytest.approx(
        got.value, abs=0.006
    )  # the threshold lies halfway to the next score


def test_predictive_values_are_bayes_rule_and_lie_in_their_intervals():
    c = Confusion(tp=90, fp=5, tn=95, fn=10)
    got = predictive_values(c, 0.01)
    assert got.positive.value == pytest.approx(0.01 * 0.9 / (0.01 * 0.9 + 0.99 * 0.05))
    assert got.negative.value == pytest.approx(0.99 * 0.95 / (0.99 * 0.95 + 0.01 * 0.1))
    assert predictive_values(Confusion(tp=0, fp=0, tn=10, fn=10), 0.5).positive is None
    assert predictive_values(c, 90 / 185).positive.value < predictive_values(c, 0.5).positive.value
    rng = np.random.default_rng(0)
    held = []
    for tp, fp in zip(
        rng.binomial(100, 0.9, 3000).tolist(), rng.binomial(100, 0.05, 3000).tolist(), strict=True
    ):
        found = predictive_values(Confusion(tp=tp, fp=fp, tn=100 - fp, fn=100 - tp), 0.1).positive
        held.append(found.ends[0] <= 0.1 * 0.9 / (0.1 * 0.9 + 0.9 * 0.05) <= found.ends[1])
    assert np.mean(held) >= 0.93


def test_the_surest_images_are_answered_first():
    labels = np.array([1, 1, 0, 0] * 25)
    p_fake = np.tile([0.95, 0.4, 0.1, 0.3], 25)
    by_share = {round(of.share, 2): of.accuracy.value for of in selective(labels, p_fake, 0.5)}
    assert by_share[1.0] == 0.75  # P(fake) of 0.4 is wrong, and the least sure
    assert by_share[0.75] == by_share[0.5] == by_share[0.25] == 1.0
