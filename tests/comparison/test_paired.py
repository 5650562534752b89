import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import contingency_tables
from statsmodels.stats.multitest import multipletests

from deepfake_ensemble.comparison.paired import (
    CochransQ,
    Level,
    cochrans_q,
    contrast,
    holm,
    mcnemar,
    mean_test,
    minimum_detectable_gain,
    odds_ratio,
)
from deepfake_ensemble.comparison.sample import sample


def answers(both, only_a, only_b, neither):
    """Right answers of two detectors with these numbers of images."""
    pairs = [(1, 1)] * both + [(1, 0)] * only_a + [(0, 1)] * only_b + [(0, 0)] * neither
    return tuple(np.array(column, dtype=bool) for column in zip(*pairs, strict=True))


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 1), (3, 1), (8, 16), (12, 12), (12, 13), (86, 150), (40, 40), (41, 40)]
)
def test_mcnemar_is_statsmodels_exact_test(only_a, only_b):
    got = mcnemar(*answers(794, only_a, only_b, 57))
    want = contingency_tables.mcnemar([[794, only_a], [only_b, 57]], exact=True)
    assert (got.only_a, got.only_b) == (only_a, only_b)
    assert got.p_value == pytest.approx(want.pvalue, rel=1e-12)


def test_four_to_none_is_not_more_than_chance_explains():
    assert mcnemar(*answers(236, 4, 0, 0)).p_value == 0.125


def test_mcnemars_exact_test_by_hand():
    # One of eight discordant images: (1 + 8) / 2^8 on either side.
    assert mcnemar(*answers(5, 1, 7, 2)).p_value == pytest.approx(2 * 9 / 256)


@pytest.mark.parametrize("both", [(10, 0), (0, 10), (6, 4)])
def test_detectors_that_are_right_on_the_same_images_do_not_differ(both):
    right_a, right_b = answers(both[0], 0, 0, both[1])
    assert mcnemar(right_a, right_b).p_value is None
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


def test_what_cannot_be_tested_is_no_test_and_does_not_count():
    assert holm([0.0091, None, 0.02, None, None]) == pytest.approx(
        [0.0182, None, 0.02, None, None], abs=1e-12
    )
    assert holm([None, None]) == [None, None]


def test_the_test_of_log_losses_is_scipys_paired_t_test():
    rng = np.random.default_rng(4)
    a, b = rng.exponential(1, 80), rng.exponential(1.2, 80)
    got, want = mean_test(a - b), stats.ttest_rel(a, b)
    assert got.p_value == pytest.approx(want.pvalue, rel=1e-10)
    assert got.difference.ends == pytest.approx(tuple(want.confidence_interval()), rel=1e-10)
    assert mean_test(np.zeros(5)).p_value is None


@pytest.mark.parametrize(
    ("n", "psi", "alpha"), [(270, 0.12, 0.05), (20_000, 0.02, 0.05), (270, 0.12, 0.0125)]
)
def test_the_minimum_detectable_gain_is_found_as_often_as_the_power_says(n, psi, alpha):
    gain = minimum_detectable_gain(round(n * psi), n, alpha, 0.8)
    rng = np.random.default_rng(0)
    share = (psi + gain) / 2
    drawn = rng.multinomial(n, [share, psi - share, 1 - psi], size=4000)
    p = [stats.binomtest(int(min(a, b)), int(a + b)).pvalue if a + b else 1 for a, b, _ in drawn[:1500]]
    assert np.mean(np.array(p) < alpha) == pytest.approx(0.8, abs=0.06)  # the exact test is a little strict


def test_minimum_detectable_gains_are_those_of_known_cases():
    assert minimum_detectable_gain(400, 20_000, 0.05, 0.8) == pytest.approx(0.0028, abs=1e-4)
    assert minimum_detectable_gain(0, 100, 0.05, 0.8) is None
    assert minimum_detectable_gain(4, 240, 0.05, 0.8) is None


LEVEL = Level(0.95, 0.8, {"accuracy": 0.01, "auc": 0.01, "log_loss": 0.02})


@pytest.fixture(scope="module")
def three():
    """A detector, one that says nearly the same, and a worse one, on 4,000 images."""
    rng = np.random.default_rng(5)
    labels = np.arange(4000) % 2
    signal = 1.5 * (2 * labels - 1) + rng.normal(size=4000)
    p = {"a": signal, "alike": signal + 0.03 * rng.normal(size=4000), "worse": signal + rng.normal(size=4000)}
    return sample(labels, {name: 1 / (1 + np.exp(-x)) for name, x in p.items()}, resamples=10, seed=0)


@pytest.mark.parametrize("metric", ["accuracy", "auc", "log_loss"])
def test_a_contrast_tells_a_difference_from_none_larger_than_the_margin(three, metric):
    alike, worse = (
        contrast(three, "a", name, metric, LEVEL, p_holm=None, family=1) for name in ("alike", "worse")
    )
    assert worse.p_value < 1e-6 and worse.gain.value > 0 and worse.p_equivalent > 0.5
    assert alike.p_equivalent < 0.001 and alike.detectable < LEVEL.margins[metric]
    assert worse.p_holm == worse.p_value
    ends = worse.gain.ends
    assert ends[0] < worse.gain.value < ends[1] and ends[0] > 0


def test_two_one_sided_tests_of_log_loss_are_statsmodels(three):
    from statsmodels.stats.weightstats import ttost_paired

    a, b = (three.detectors[name].losses for name in ("a", "alike"))
    got = contrast(three, "a", "alike", "log_loss", LEVEL, p_holm=None, family=1)
    for margin in (0.0001, 0.001):
        level = Level(0.95, 0.8, {**LEVEL.margins, "log_loss": margin})
        got = contrast(three, "a", "alike", "log_loss", level, p_holm=None, family=1)
        assert got.p_equivalent == pytest.approx(ttost_paired(b, a, -margin, margin)[0], abs=2e-3)


def test_power_is_less_after_holms_correction(three):
    got = contrast(three, "a", "worse", "auc", LEVEL, p_holm=0.5, family=4)
    assert got.p_holm == 0.5 and got.detectable_holm > got.detectable
