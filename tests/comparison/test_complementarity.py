import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, matthews_corrcoef
from statsmodels.stats.contingency_tables import Table2x2

from deepfake_ensemble.comparison.complementarity import Pair, pair, subsets, wrong_counts


def test_measures_of_a_pair_by_hand():
    # Right answers of the two: 5 both, 2 only the first, 1 only the second, 2 neither.
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 0, 1, 1])
    right_a = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0], dtype=bool)
    right_b = np.array([1, 1, 1, 1, 1, 0, 0, 1, 0, 0], dtype=bool)
    called_a, called_b = np.where(right_a, labels, 1 - labels), np.where(right_b, labels, 1 - labels)
    got = pair(labels, called_a, called_b)
    assert got.agreement == 0.7
    assert got.double_fault == 0.2
    assert got.q_statistic == pytest.approx((5 * 2 - 2 * 1) / (5 * 2 + 2 * 1))
    assert got.error_correlation == pytest.approx((5 * 2 - 2 * 1) / np.sqrt(7 * 3 * 6 * 4))
    by_chance = (called_a.mean() * called_b.mean()) + (1 - called_a.mean()) * (1 - called_b.mean())
    assert got.kappa == pytest.approx((0.7 - by_chance) / (1 - by_chance))


@pytest.mark.parametrize("seed", range(5))
def test_measures_of_a_pair_equal_those_of_the_libraries(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 300)
    called_a = np.where(rng.random(300) < 0.8, labels, 1 - labels)
    called_b = np.where(rng.random(300) < 0.5, called_a, rng.integers(0, 2, 300))
    right_a, right_b = called_a == labels, called_b == labels
    odds = Table2x2.from_data(np.stack((right_a, right_b), axis=1)).oddsratio
    assert pair(labels, called_a, called_b) == Pair(
        agreement=pytest.approx(accuracy_score(called_a, called_b)),
        q_statistic=pytest.approx((odds - 1) / (odds + 1)),
        double_fault=pytest.approx((~right_a & ~right_b).mean()),
        error_correlation=pytest.approx(matthews_corrcoef(right_a, right_b)),
        kappa=pytest.approx(cohen_kappa_score(called_a, called_b)),
    )


def test_detectors_that_are_always_right_have_no_correlation_of_errors():
    labels = np.array([0, 1, 1])
    assert pair(labels, labels, labels) == Pair(1.0, None, 0.0, None, 1.0)
    assert pair(labels, labels, 1 - labels) == Pair(0.0, None, 0.0, None, pytest.approx(-0.8))


def test_detectors_that_call_all_images_the_same_have_no_kappa():
    labels, fake = np.array([0, 1]), np.array([1, 1])
    assert pair(labels, fake, fake) == Pair(1.0, 1.0, 0.5, 1.0, None)
    assert pair(labels[:1], fake[:1], fake[:1]) == Pair(1.0, None, 1.0, None, None)


def test_images_are_counted_by_how_many_detectors_get_them_wrong():
    right = [np.array(row, dtype=bool) for row in ([1, 1, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 0, 1, 1])]
    assert wrong_counts(right) == [2, 1, 1, 1]
    assert wrong_counts([answers[:0] for answers in right]) == [0, 0, 0, 0]


def test_four_models_have_fifteen_subsets_in_a_fixed_order():
    found = subsets("abcd")
    assert len(found) == len(set(found)) == 15
    assert found[:5] == [("a",), ("b",), ("c",), ("d",), ("a", "b")] and found[-1] == tuple("abcd")
