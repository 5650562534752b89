"""Intervals of shares and their differences, by others' implementations and by what they hold."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from deepfake_ensemble.comparison import intervals
from deepfake_ensemble.comparison.intervals import Interval, f1, independent, p_above, paired, tango_z, wilson
from deepfake_ensemble.scoring.scores import Confusion


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 30), (9_990, 10_000)])
@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_intervals_of_shares_equal_those_of_statsmodels(k, n, confidence):
    low, high = proportion_confint(k, n, alpha=1 - confidence, method="wilson")
    got = wilson(k, n, confidence)
    assert (got.value, *got.ends) == pytest.approx((k / n, low, high), abs=1e-12)
    assert 0 <= got.ends[0] < got.ends[1] <= 1


@pytest.mark.parametrize(("k", "n"), [(1, 50), (2, 50), (1, 51), (2, 240), (3, 240)])
def test_with_few_successes_the_end_is_the_poisson_distributions(k, n):
    low = stats.chi2.ppf(0.05, 2 * k) / 2 / n  # Brown, Cai & DasGupta 2001, section 4.1.1
    assert wilson(k, n).ends[0] == pytest.approx(low, rel=1e-9)
    assert wilson(n - k, n).ends[1] == pytest.approx(1 - low, rel=1e-9)


def coverage(p, n, of=wilson):
    """The exact share of cases in which the interval holds p."""
    chances = stats.binom.pmf(np.arange(n + 1), n, p)
    return sum(c for k, c in enumerate(chances) if of(k, n).ends[0] <= p <= of(k, n).ends[1])


@pytest.mark.parametrize("p", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("n", [6, 100, 240, 1_000])
def test_a_share_lies_in_its_interval_in_at_least_so_many_cases(p, n):
    assert coverage(p, n) >= (0.93 if n * (1 - p) >= 1 - 1e-9 else 0.90)


@pytest.mark.parametrize("counts", [(56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (10, 10, 0, 20)])
def test_independent_differences_equal_newcombes_of_statsmodels(counts):
    a, n, b, m = counts
    want = confint_proportions_2indep(a, n, b, m, method="newcomb")
    plain = [
        Interval(k / size, *proportion_confint(k, size, method="wilson")) for k, size in ((a, n), (b, m))
    ]
    assert independent(*plain).ends == pytest.approx(want, abs=1e-12)


def test_where_the_ends_of_either_are_unknown_so_are_the_differences():
    assert independent(Interval(1, None, None), wilson(1, 2)) == Interval(0.5, None, None)


@pytest.mark.parametrize(
    ("only_a", "only_b", "n"), [(12, 2, 50), (4, 0, 240), (0, 0, 60), (30, 30, 100), (5, 0, 5)]
)
def test_the_ends_of_a_paired_difference_are_where_the_score_test_is_at_its_level(only_a, only_b, n):
    got = paired(only_a, only_b, n)
    low, high = got.ends
    assert -1 <= low <= got.value <= high <= 1 and low < high
    for end, z in ((low, 1.959964), (high, -1.959964)):
        if abs(end) < 1 - 1e-9:
            assert tango_z(only_a, only_b, n, end) == pytest.approx(z, abs=1e-4)
            # The nuisance share, found by brute force: the likeliest with this difference.
            q = np.linspace(max(0, -end), (1 - end) / 2, 400_001)[1:-1]
            likelihood = (
                only_a * np.log(q + end)
                + only_b * np.log(q)
                + (n - only_a - only_b) * np.log(np.maximum(1 - 2 * q - end, 1e-300))
            )
            best = q[likelihood.argmax()]
            z_at = (only_a - only_b - n * end) / np.sqrt(n * (2 * best + end * (1 - end)))
            assert z_at == pytest.approx(z, abs=0.01)


def test_the_published_paired_interval():
    # Of 50 pairs, 12 and 2 of them discordant, by Newcombe (1998): 0.0569 to 0.3404. The score ends lie near.
    low, high = paired(12, 2, 50).ends
    assert 0.05 < low < 0.07 and 0.33 < high < 0.37


@pytest.mark.parametrize(
    ("only_a", "only_b", "n"), [(0.03, 0.01, 240), (0.004, 0.0, 240), (0.2, 0.1, 100), (0.01, 0.01, 1000)]
)
def test_a_paired_difference_lies_in_its_interval_in_most_cases(only_a, only_b, n):
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(n, [only_a, only_b, 1 - only_a - only_b], size=3000)
    true = only_a - only_b
    kinds, counts = np.unique(drawn, axis=0, return_counts=True)
    held = sum(
        count
        for (a, b, _), count in zip(kinds.tolist(), counts.tolist(), strict=True)
        if paired(a, b, n).ends[0] <= true <= paired(a, b, n).ends[1]
    )
    assert held / 3000 >= 0.93


@pytest.mark.parametrize(("found", "called"), [(0.9, 0.05), (0.99, 0.01), (1.0, 0.005), (0.5, 0.5)])
def test_f1_lies_in_its_interval_in_most_cases(found, called):
    """Of 120 fakes and 120 reals each."""
    rng = np.random.default_rng(0)
    true = 2 * found / (1 + found + called)
    tp, fp = rng.binomial(120, found, 3000), rng.binomial(120, called, 3000)
    ends = [
        f1(Confusion(tp=t, fp=f, tn=120 - f, fn=120 - t)).ends
        for t, f in zip(tp.tolist(), fp.tolist(), strict=True)
    ]
    assert np.mean([low <= true <= high for low, high in ends]) >= 0.93


def test_f1_at_equal_shares_is_that_of_as_many_fakes_as_reals():
    # 90 of 100 fakes found and 30 of 300 reals called fake: as 90 and 10 of 100 each.
    c = Confusion(tp=90, fp=30, tn=270, fn=10)
    assert f1(c).value == pytest.approx(c.f1)
    assert f1(c, reals_per_fake=1).value == pytest.approx(Confusion(tp=90, fp=10, tn=90, fn=10).f1)
    assert f1(Confusion(tp=0, fp=0, tn=5, fn=5)).value == 0


@pytest.mark.parametrize(("found", "called"), [(0.98, 0.02), (0.9, 0.05), (0.6, 0.4)])
def test_f1_is_found_to_be_above_what_it_truly_is_about_as_often_as_p_says(found, called):
    """Of 2,000 fakes and 2,000 reals each; and it is the interval turned round."""
    rng = np.random.default_rng(0)
    true = 2 * found / (1 + found + called)
    tp, fp = rng.binomial(2000, found, 1500), rng.binomial(2000, called, 1500)
    counts = [
        Confusion(tp=t, fp=f, tn=2000 - f, fn=2000 - t) for t, f in zip(tp.tolist(), fp.tolist(), strict=True)
    ]
    p = np.array([p_above(c, true) for c in counts])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(p > 0.95) == pytest.approx(0.05, abs=0.015)
    low, high = f1(counts[0]).ends
    assert [p_above(counts[0], end) for end in (low, high)] == pytest.approx([0.025, 0.975], abs=1e-6)


def test_a_mean_has_students_interval():
    values = np.random.default_rng(0).exponential(size=50)
    want = stats.ttest_1samp(values, 0).confidence_interval()
    assert intervals.mean(values).ends == pytest.approx(tuple(want), rel=1e-10)
    assert intervals.mean(np.ones(3)) == Interval(1, None, None)


def test_an_interval_without_ends_says_so():
    with pytest.raises(ValueError, match="without ends"):
        _ = Interval(1.0, None, None).ends
