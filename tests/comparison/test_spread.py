"""The spread of repeated trainings, against others' implementations and by simulation."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from deepfake_ensemble.comparison import delong
from deepfake_ensemble.comparison.sample import sample
from deepfake_ensemble.comparison.spread import by_image, crossed_effects, spread
from deepfake_ensemble.foundation.errors import UserError


def test_mean_and_deviation_with_students_interval_over_seeds():
    values = [0.91, 0.94, 0.89, 0.97]
    of = spread(values)
    assert of.mean.value == pytest.approx(np.mean(values))
    assert of.deviation == pytest.approx(np.std(values, ddof=1))
    assert of.mean.ends == pytest.approx(tuple(stats.ttest_1samp(values, 0).confidence_interval()), rel=1e-9)


def test_with_three_seeds_the_limit_is_six_deviations_and_holds_nineteen_in_twenty_pairs():
    """2.77 deviations, as if they were known, would hold four in five."""
    rng = np.random.default_rng(1)
    assert spread([1.0, 2.0, 3.0]).repeatability == pytest.approx(6.08, abs=0.01)
    held, by_known = [], []
    for _ in range(4000):
        of = spread(rng.normal(0.9, 0.02, 3).tolist())
        apart = abs(np.subtract(*rng.normal(0.9, 0.02, 2)))
        held.append(apart <= of.repeatability)
        by_known.append(apart <= 1.96 * np.sqrt(2) * of.deviation)
    assert np.mean(held) == pytest.approx(0.95, abs=0.01)
    assert np.mean(by_known) == pytest.approx(0.81, abs=0.02)


def test_equal_values_tell_no_limit_and_one_value_is_refused():
    of = spread([0.5, 0.5, 0.5])
    assert (of.mean.value, of.mean.ci_low, of.repeatability) == (0.5, None, None)
    with pytest.raises(UserError, match="at least two"):
        spread([0.5])


def drawn(rng, seeds=3, images=200, of_seeds=0.02, of_images=0.3, rest=0.3):
    return (
        0.1
        + of_seeds * rng.normal(size=(seeds, 1))
        + of_images * rng.normal(size=(1, images))
        + rest * rng.normal(size=(seeds, images))
    )


def test_crossed_effects_have_the_mean_squares_of_statsmodels():
    import pandas as pd

    values = drawn(np.random.default_rng(0), images=30)
    table = pd.DataFrame(
        [(str(s), str(i), values[s, i]) for s in range(3) for i in range(30)], columns=["seed", "image", "y"]
    )
    squares = anova_lm(ols("y ~ C(seed) + C(image)", table).fit())["mean_sq"]
    seeds, images, rest = squares["C(seed)"], squares["C(image)"], squares["Residual"]
    more = max(images - rest, 0)
    got = crossed_effects(values)
    assert (got.of_seeds, got.of_images) == pytest.approx((seeds / (seeds + more), more / (seeds + more)))
    half = np.sqrt((stats.t.ppf(0.975, 2) ** 2 * seeds + stats.t.ppf(0.975, 29) ** 2 * more) / 90)
    assert got.mean.ends == pytest.approx((values.mean() - half, values.mean() + half))


@pytest.mark.parametrize("of_seeds", [0.0, 0.02, 0.2])
def test_the_interval_holds_the_true_gain_over_seeds_and_images(of_seeds):
    rng = np.random.default_rng(2)
    found = [crossed_effects(drawn(rng, of_seeds=of_seeds)).mean.ends for _ in range(2000)]
    assert np.mean([low <= 0.1 <= high for low, high in found]) >= 0.93


def test_seeds_that_agree_on_all_images_tell_nothing_of_others():
    values = np.tile(np.random.default_rng(0).normal(size=20), (3, 1))
    assert crossed_effects(values).mean.ci_low is None
    assert crossed_effects(np.zeros((3, 5))).mean.value == 0


def test_what_the_images_contribute_adds_up_to_the_gain_and_its_variance():
    rng = np.random.default_rng(3)
    labels = np.arange(300) % 3 // 2
    p = {name: 1 / (1 + np.exp(-(s * labels + rng.normal(size=300)))) for name, s in (("a", 3), ("b", 1))}
    of = sample(labels, p, resamples=10, seed=0)
    want = {
        "accuracy": np.subtract(*(accuracy_score(labels, p[n] >= 0.5) for n in "ab")),
        "auc": np.subtract(*(roc_auc_score(labels, p[n]) for n in "ab")),
        "log_loss": np.subtract(*(log_loss(labels, p[n]) for n in "ba")),
    }
    for metric, gain in want.items():
        assert by_image(of, "a", "b", metric).mean() == pytest.approx(gain, abs=1e-12)
    found = delong.variance(*(of.detectors[n].placements for n in "ab"))
    assert by_image(of, "a", "b", "auc").var() / 300 == pytest.approx(found, rel=0.02)
