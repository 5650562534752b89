import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from deepfake_ensemble.comparison.calibration import (
    BrierDecomposition,
    brier_decomposition,
    ece_if_calibrated,
    fit_temperature,
    in_the_large,
    reliability_curve,
    too_sure,
    with_temperature,
)
from deepfake_ensemble.comparison.intervals import wilson
from deepfake_ensemble.evaluation.metrics import expected_calibration_error


def calibrated(n, seed=0):
    """Probabilities that are right, and labels drawn by them."""
    rng = np.random.default_rng(seed)
    p_fake = expit(rng.normal(0, 2, n))
    return (rng.random(n) < p_fake).astype(int), p_fake


def test_the_reliability_curve_equals_scikit_learns():
    labels, p_fake = calibrated(3000)
    share, mean = calibration_curve(labels, p_fake, n_bins=15)
    got = reliability_curve(labels, p_fake)
    assert [b.share_fake.value for b in got] == pytest.approx(share)
    assert [b.p_fake for b in got] == pytest.approx(mean)
    ece = sum(b.n * abs(b.share_fake.value - b.p_fake) for b in got) / 3000
    assert ece == pytest.approx(expected_calibration_error(labels, p_fake))


def test_only_bins_that_hold_images_are_points_of_the_curve():
    got = reliability_curve(np.array([0, 1, 1]), np.array([0.0, 1.0, 0.99]), bins=10)
    assert [(b.n, b.p_fake, b.share_fake) for b in got] == [(1, 0.0, wilson(0, 1)), (2, 0.995, wilson(2, 2))]


def test_the_decomposition_by_hand_where_probabilities_are_alike_within_bins():
    # Murphy 1973: 4 images at 0.2 of which 1 is fake, 4 at 0.8 of which 2 are.
    got = brier_decomposition(np.array([0, 0, 0, 1, 0, 0, 1, 1]), np.repeat([0.2, 0.8], 4), bins=10)
    want = BrierDecomposition(
        brier=(3 * 0.04 + 0.64 + 2 * 0.64 + 2 * 0.04) / 8,
        reliability=(0.05**2 + 0.3**2) / 2,
        resolution=((0.25 - 0.375) ** 2 + (0.5 - 0.375) ** 2) / 2,
        uncertainty=0.375 * 0.625,
        within_bins=0,
    )
    assert vars(got) == pytest.approx(vars(want), abs=1e-15)


@pytest.mark.parametrize("bins", [1, 2, 15])
@pytest.mark.parametrize("n", [1, 2, 7, 2000])
def test_the_parts_add_up_to_the_brier_score(n, bins):
    labels, p_fake = calibrated(n)
    p_fake = p_fake**2
    got = brier_decomposition(labels, p_fake, bins)
    assert got.brier == pytest.approx(sk.brier_score_loss(labels, p_fake, pos_label=1), abs=1e-15)
    parts = got.reliability - got.resolution + got.uncertainty + got.within_bins
    assert parts == pytest.approx(got.brier, abs=1e-14)
    assert got.reliability >= 0 and 0 <= got.resolution <= got.uncertainty + 1e-15


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_is_that_of_a_logistic_regression_on_the_logit(factor):
    labels, p_fake = calibrated(20_000)
    # Within what a float64 probability can say: logits beyond are clipped.
    z = np.clip(factor * logit(p_fake), -30, 30)
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(z[:, None], labels)
    temperature = fit_temperature(labels, expit(z))
    assert temperature == pytest.approx(1 / fitted.coef_[0, 0], rel=1e-5)
    assert temperature == pytest.approx(factor, rel=0.05)


def test_scaling_lowers_the_log_loss_and_changes_no_decision():
    labels, p_fake = calibrated(2000)
    sharp = np.concatenate((expit(4 * logit(p_fake[:-2])), [0.0, 1.0]))
    temperature = fit_temperature(labels, sharp)
    scaled = with_temperature(sharp, temperature)
    losses = {t: sk.log_loss(labels, with_temperature(sharp, t)) for t in (temperature, 1.0)}
    assert losses[temperature] < losses[1.0]
    for other in (0.99 * temperature, 1.01 * temperature):
        assert losses[temperature] < sk.log_loss(labels, with_temperature(sharp, other))
    assert np.array_equal(scaled >= 0.5, sharp >= 0.5)
    np.testing.assert_allclose(with_temperature(p_fake, 1.0), p_fake, atol=1e-7)


@pytest.mark.parametrize(
    "p_fake", [[0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1], [0.5, 0.5, 0.5, 0.5], [0.3, 0.7, 0.3, 0.7]]
)
def test_there_is_no_temperature_for_detectors_never_wrong_or_no_better_than_chance(p_fake):
    assert fit_temperature(np.array([0, 0, 1, 1]), np.array(p_fake)) is None


def test_right_probabilities_have_the_calibration_error_of_chance():
    _, p_fake = calibrated(240)
    got = ece_if_calibrated(p_fake, 15, draws=4000, seed=0)
    rng = np.random.default_rng(1)
    errors = [expected_calibration_error(rng.random(240) < p_fake, p_fake) for _ in range(2000)]
    assert got.mean == pytest.approx(np.mean(errors), rel=0.03)
    assert got.at_most == pytest.approx(np.quantile(errors, 0.95), rel=0.03)


def test_the_mean_and_the_certainty_are_held_against_what_is_right():
    labels, p_fake = calibrated(4000)
    for found in (in_the_large(labels, p_fake), too_sure(labels, p_fake)):
        assert found.ends[0] <= 0 <= found.ends[1]
    assert in_the_large(labels, p_fake).value == pytest.approx(p_fake.mean() - labels.mean())
    sharp = expit(3 * logit(p_fake))
    assert too_sure(labels, sharp).ends[0] > 0
    assert in_the_large(labels, np.clip(p_fake + 0.1, 0, 1)).ends[0] > 0
