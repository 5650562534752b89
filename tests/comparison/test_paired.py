from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import contingency_tables
from statsmodels.stats.multitest import multipletests

from deepfake_ensemble.comparison.intervals import Interval, bootstrap
from deepfake_ensemble.comparison.paired import (
    CochransQ,
    auc_test,
    cochrans_q,
    delong,
    holm,
    mcnemar,
    odds_ratio,
)


def answers(both, only_a, only_b, neither):
    """Right answers of two detectors with these numbers of images."""
    pairs = [(1, 1)] * both + [(1, 0)] * only_a + [(0, 1)] * only_b + [(0, 0)] * neither
    return tuple(np.array(column, dtype=bool) for column in zip(*pairs, strict=True))


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 1), (3, 1), (8, 16), (12, 12), (12, 13), (86, 150), (40, 40), (41, 40)]
)
def test_mcnemar_equals_statsmodels_exact_with_few_discordant_images_and_chi_square_with_many(only_a, only_b):
    got = mcnemar(*answers(794, only_a, only_b, 57))
    exact = only_a + only_b < 25
    want = contingency_tables.mcnemar([[794, only_a], [only_b, 57]], exact=exact, correction=True)
    assert got.method == ("exact binomial" if exact else "chi-square with continuity correction")
    assert (got.only_a, got.only_b) == (only_a, only_b)
    if only_a != only_b:  # statsmodels' correction makes 1 / n of no difference
        assert got.statistic == pytest.approx(want.statistic)
        assert got.p_value == pytest.approx(want.pvalue, rel=1e-12)
    else:
        assert got.p_value == 1


def test_mcnemars_exact_test_by_hand():
    # One of eight discordant images: (1 + 8) / 2^8 on either side.
    assert mcnemar(*answers(5, 1, 7, 2)).p_value == pytest.approx(2 * 9 / 256)


@pytest.mark.parametrize("both", [(10, 0), (0, 10), (6, 4)])
def test_detectors_that_are_right_on_the_same_images_do_not_differ(both):
    right_a, right_b = answers(both[0], 0, 0, both[1])
    assert mcnemar(right_a, right_b).p_value == 1
    assert cochrans_q([right_a, right_b, right_a]) == CochransQ(0.0, 2, 1.0)
    ratio = odds_ratio(right_a, right_b)
    assert (ratio.value, ratio.ci_low, ratio.ci_high) == (None, None, None) and ratio.reason


@pytest.mark.parametrize(("only_a", "only_b"), [(1, 1), (3, 9), (150, 86), (0, 4)])
def test_the_odds_ratio_has_the_exact_interval_of_scipys_binomial_test(only_a, only_b):
    got = odds_ratio(*answers(10, only_a, only_b, 3))
    share = stats.binomtest(only_a, only_a + only_b).proportion_ci(method="exact")
    assert got.value == pytest.approx(only_a / only_b)
    assert got.ci_low == pytest.approx(share.low / (1 - share.low))
    assert got.ci_high == pytest.approx(share.high / (1 - share.high))
    assert got.reason is None


def test_an_unbounded_odds_ratio_says_so():
    got = odds_ratio(*answers(10, 4, 0, 3))
    share = stats.binomtest(4, 4).proportion_ci(method="exact")
    assert (got.value, got.ci_high) == (None, None) and "no upper bound" in got.reason
    assert got.ci_low == pytest.approx(share.low / (1 - share.low))


def test_cochrans_q_equals_statsmodels():
    rng = np.random.default_rng(0)
    right = [rng.random(200) < chance for chance in (0.7, 0.75, 0.9, 0.8)]
    want = contingency_tables.cochrans_q(np.stack(right, axis=1).astype(int))
    got = cochrans_q(right)
    assert (got.statistic, got.p_value) == pytest.approx((want.statistic, want.pvalue), rel=1e-10)
    assert got.degrees_of_freedom == 3


def test_cochrans_q_of_two_is_mcnemar_without_correction():
    right = answers(20, 30, 12, 5)
    assert cochrans_q(right).statistic == pytest.approx((30 - 12) ** 2 / 42)


def test_holm_equals_statsmodels():
    rng = np.random.default_rng(1)
    for p in ([], [0.03], [0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 1.0], rng.random(10) ** 4):
        want = multipletests(p, method="holm")[1] if len(p) else []
        assert holm(list(p)) == pytest.approx(list(want))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


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


@pytest.mark.parametrize("digits", [1, 6])
def test_delong_equals_its_definition(digits):
    rng = np.random.default_rng(digits)
    labels = np.array([0, 1] * 12 + [1] * 6)
    shared = rng.normal(size=30)
    scores = [np.round(skill * labels + shared + rng.normal(size=30), digits) for skill in (0.5, 1, 2)]
    auc, covariance = by_definition(labels, scores)
    got = delong(labels, scores)
    assert got.auc == pytest.approx([float(a) for a in auc], abs=1e-14)
    for i, j in product(range(3), repeat=2):
        assert got.covariance[i, j] == pytest.approx(float(covariance[i][j]), abs=1e-14)


def test_delong_gives_the_published_error_of_hanley_and_mcneils_ct_readings():
    # Hanley & McNeil 1982, table I: 58 normal and 51 abnormal images rated from 1 to 5. The area is 0.893;
    # DeLong's standard error, 0.0307, and the interval are what Stata's roctab gives for them.
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    ratings = np.concatenate([np.repeat(np.arange(1, 6), counts) for counts in (normal, abnormal)])
    labels = np.repeat([0, 1], [58, 51])
    got = delong(labels, [ratings])
    error = np.sqrt(got.covariance[0, 0])
    assert round(float(got.auc[0]), 4) == 0.8932
    assert round(float(error), 4) == 0.0307
    assert [round(float(got.auc[0] + z * error), 4) for z in (-1.959964, 1.959964)] == [0.8330, 0.9534]


def test_delong_agrees_with_a_brute_force_bootstrap():
    rng = np.random.default_rng(3)
    labels = np.arange(400) % 2
    shared = rng.normal(size=400)
    p_fake = {
        name: stats.norm.cdf(skill * (labels - 0.5) + shared + rng.normal(size=400))
        for name, skill in (("a", 1.0), ("b", 2.0))
    }
    test = auc_test(delong(labels, list(p_fake.values())), 0, 1)
    sampled = bootstrap(labels, p_fake, resamples=4000, seed=0).resampled
    difference = sampled["a"]["auc"] - sampled["b"]["auc"]
    error = (test.difference.ci_high - test.difference.ci_low) / (2 * 1.959964)
    assert error == pytest.approx(difference.std(), rel=0.06)
    assert test.z == pytest.approx(test.difference.value / error, rel=1e-6)
    assert test.p_value == pytest.approx(2 * stats.norm.sf(abs(test.z)), rel=1e-9)


def test_auc_tests_of_detectors_that_rank_alike_have_p_one():
    labels = np.array([0, 0, 1, 1, 0, 1])
    p = np.array([0.1, 0.6, 0.5, 0.9, 0.2, 0.7])
    perfect = labels / 1.0
    assert auc_test(delong(labels, [p, p**2]), 0, 1).p_value == 1
    assert auc_test(delong(labels, [perfect, 0.5 + perfect / 2]), 0, 1).difference == Interval(0, 0, 0)
    assert auc_test(delong(labels, [np.full(6, 0.3), np.full(6, 0.8)]), 0, 1).p_value == 1


def test_auc_tests_without_a_variance_to_stand_on_have_no_answer():
    labels = np.array([0, 0, 1, 1])
    assert auc_test(delong(labels, [labels, 1 - labels]), 0, 1) is None
    assert delong(np.array([0, 1, 1]), [np.array([0.1, 0.2, 0.3])]) is None
