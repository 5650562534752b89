"""The spread of repeated trainings, against NumPy and by hand."""

import numpy as np
import pytest

from deepfake_ensemble.comparison.spread import GAIN, spread, spreads
from deepfake_ensemble.foundation.errors import UserError


def test_mean_deviation_and_repeatability_limit():
    values = [0.91, 0.94, 0.89, 0.97]
    of = spread(values)
    assert of.mean == pytest.approx(np.mean(values))
    assert of.deviation == pytest.approx(np.std(values, ddof=1))
    # ISO 5725-2 gives the limit as 2.8 standard deviations.
    assert of.repeatability == pytest.approx(2.8 * of.deviation, rel=0.02)


def test_the_limit_holds_nineteen_in_twenty_pairs_of_trainings():
    pairs = np.random.default_rng(1).normal(0.9, 0.02, (100_000, 2))
    limit = spread(pairs[:, 0].tolist()).repeatability
    assert np.mean(np.abs(pairs[:, 0] - pairs[:, 1]) <= limit) == pytest.approx(0.95, abs=0.003)


def test_equal_values_have_no_spread_and_one_value_is_refused():
    assert spread([0.5, 0.5, 0.5]).repeatability == 0
    with pytest.raises(UserError, match="at least two"):
        spread([0.5])


def test_the_gain_is_against_each_run_s_own_best_member():
    runs = [
        {"cnn": {"auc": 0.7}, "xception": {"auc": 0.8}, "ensemble": {"auc": 0.85}},
        {"cnn": {"auc": 0.9}, "xception": {"auc": 0.6}, "ensemble": {"auc": 0.88}},
    ]
    found = spreads(runs, ["auc"])
    assert found[GAIN]["auc"].values == pytest.approx((0.05, -0.02))
    assert found["cnn"]["auc"].values == (0.7, 0.9)
