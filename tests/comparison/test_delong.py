"""Areas under the ROC curve: by their definition, by published figures, and where nothing varies."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from deepfake_ensemble.comparison import delong
from deepfake_ensemble.comparison.delong import interval, placements, variance
from deepfake_ensemble.comparison.intervals import Interval


def by_definition(labels, scores):
    """DeLong's estimates from all pairs of a fake and a real, in whole fractions."""

    def won(fake, real):
        return Fraction(1 if fake > real else 0) + (Fraction(1, 2) if fake == real else 0)

    fakes = [[s[i] for i in np.flatnonzero(labels == 1)] for s in scores]
    reals = [[s[i] for i in np.flatnonzero(labels == 0)] for s in scores]
    v10 = [[sum(won(f, r) for r in rs) / len(rs) for f in fs] for fs, rs in zip(fakes, reals, strict=True)]
    v01 = [[sum(won(f, r) for f in fs) / len(fs) for r in rs] for fs, rs in zip(fakes, reals, strict=True)]
    auc = [sum(v) / len(v) for v in v10]

    def covariance(v, i, j):
        return (
            sum((a - auc[i]) * (b - auc[j]) for a, b in zip(v[i], v[j], strict=True))
            / (len(v[i]) - 1)
            / len(v[i])
        )

    k = range(len(scores))
    return auc, [[covariance(v10, i, j) + covariance(v01, i, j) for j in k] for i in k]


def covariance(a, b):
    return (variance(a) + variance(b) - variance(a, b)) / 2


@pytest.mark.parametrize("digits", [1, 6])
def test_variances_equal_their_definition(digits):
    rng = np.random.default_rng(digits)
    labels = np.array([0, 1] * 12 + [1] * 6)
    shared = rng.normal(size=30)
    scores = [np.round(skill * labels + shared + rng.normal(size=30), digits) for skill in (0.5, 1, 2)]
    auc, want = by_definition(labels, scores)
    found = [placements(labels, each) for each in scores]
    assert [of.auc for of in found] == pytest.approx([float(a) for a in auc], abs=1e-14)
    assert [of.auc for of in found] == pytest.approx([roc_auc_score(labels, s) for s in scores], abs=1e-14)
    for i, j in product(range(3), repeat=2):
        assert covariance(found[i], found[j]) == pytest.approx(float(want[i][j]), abs=1e-14)


def test_delong_gives_the_published_error_of_hanley_and_mcneils_ct_readings():
    # Hanley & McNeil 1982, table I: 58 normal and 51 abnormal images rated from 1 to 5. The area is 0.893;
    # DeLong's standard error, 0.0307, is what Stata's roctab gives for them.
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    ratings = np.concatenate([np.repeat(np.arange(1, 6), counts) for counts in (normal, abnormal)])
    found = placements(np.repeat([0, 1], [58, 51]), ratings)
    assert round(found.auc, 4) == 0.8932
    assert round(np.sqrt(variance(found)), 4) == 0.0307
    # On the scale of the logit, by hand: log(0.8932 / 0.1068) ± 1.96 · 0.0307 / (0.8932 · 0.1068).
    low, high = (1 / (1 + np.exp(-(2.1236 + z * 0.32183))) for z in (-1.959964, 1.959964))
    assert interval(found).ends == pytest.approx((low, high), abs=5e-4)


def test_the_test_agrees_with_a_bootstrap_by_scikit_learn():
    rng = np.random.default_rng(3)
    labels = np.arange(400) % 2
    shared = rng.normal(size=400)
    scores = [skill * (labels - 0.5) + shared + rng.normal(size=400) for skill in (1.0, 2.0)]
    got = delong.test(*(placements(labels, each) for each in scores))
    changes = []
    for _ in range(600):
        drawn = np.concatenate([rng.choice(np.flatnonzero(labels == y), 200) for y in (0, 1)])
        one, other = (roc_auc_score(labels[drawn], each[drawn]) for each in scores)
        changes.append(one - other)
    low, high = got.difference.ends
    error = (high - low) / (2 * 1.959964)
    assert error == pytest.approx(np.std(changes), rel=0.1)
    assert got.p_value == pytest.approx(2 * stats.norm.sf(abs(got.difference.value) / error), rel=1e-5)


@pytest.mark.parametrize(("n1", "n0"), [(1, 1), (120, 120), (30, 500)])
def test_a_perfect_area_has_the_exact_bounds_of_pairs_without_a_common_image(n1, n0):
    labels = np.repeat([1, 0], [n1, n0])
    low = stats.binomtest(min(n1, n0), min(n1, n0)).proportion_ci(method="exact").low
    assert interval(placements(labels, labels / 1.0)) == Interval(1, pytest.approx(low), 1)
    assert interval(placements(labels, 1 - labels / 1.0)) == Interval(0, 0, pytest.approx(1 - low))


def test_one_score_for_all_images_is_one_half_and_not_certain():
    labels = np.repeat([1, 0], 100)
    low, high = interval(placements(labels, np.full(200, 0.3))).ends
    assert low == pytest.approx(1 - high) and 0.48 < low < 0.5


def test_detectors_that_rank_alike_cannot_be_tested_and_need_not_rank_others_alike():
    labels = np.repeat([0, 1], 100)
    p = np.linspace(0, 1, 200)[np.random.default_rng(0).permutation(200)]
    got = delong.test(placements(labels, p), placements(labels, p**2))
    assert (got.p_value, got.reason) == (None, "both rank all pairs of a fake and a real alike")
    assert got.difference.value == 0 and got.difference.ends[1] == pytest.approx(1 - 0.05 ** (1 / 100))


def test_aucs_without_a_variance_to_stand_on_have_no_test():
    labels = np.array([0, 0, 1, 1])
    opposite = delong.test(placements(labels, labels), placements(labels, 1 - labels))
    assert opposite.p_value is None and opposite.difference.value == 1
    assert opposite.difference.ends[0] < 1
    single = placements(np.array([0, 1, 1]), np.array([0.2, 0.1, 0.3]))
    assert delong.test(single, single).reason == "needs two images of each class"
    assert interval(single) == Interval(0.5, None, None)


@pytest.mark.parametrize("auc", [0.9, 0.99])
def test_the_interval_holds_the_true_area_in_nearly_as_many_cases_as_it_says(auc):
    """By simulation, of normal scores: DeLong's own holds it in 86 of 100 at 0.99."""
    rng = np.random.default_rng(1)
    distance = np.sqrt(2) * stats.norm.ppf(auc)
    labels = np.repeat([1, 0], 50)
    held = 0
    for _ in range(2000):
        scores = rng.normal(size=100) + distance * labels
        low, high = interval(placements(labels, scores)).ends
        held += low <= auc <= high
    assert held / 2000 > 0.91
