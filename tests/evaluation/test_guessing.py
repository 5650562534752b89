"""A detector that stays at chance is told from one that has learned something."""

import numpy as np
import pytest
from scipy.stats import binomtest

from deepfake_ensemble.evaluation.guessing import against_guessing


def detector(labels: np.ndarray, right: int) -> np.ndarray:
    """Return probabilities by which the first `right` images are classified correctly, and no other."""
    correct = np.arange(len(labels)) < right
    return np.where(correct, labels, 1 - labels).astype(float)


@pytest.mark.parametrize("right", [0, 1, 90, 100, 111, 112, 113, 150, 200])
@pytest.mark.parametrize("fake", [100, 120])
def test_the_p_value_is_that_of_the_exact_binomial_test(right: int, fake: int) -> None:
    labels = np.repeat([1, 0], [fake, 200 - fake])
    found = against_guessing(labels, detector(labels, right), 0.5, 0.95)
    reference = binomtest(right, 200, max(fake, 200 - fake) / 200, alternative="greater").pvalue
    assert found.p_value == pytest.approx(reference, rel=1e-9)
    assert found.accuracy == right / 200
    assert found.at_chance == (reference >= 0.05)


def test_one_class_for_all_images_is_guessing() -> None:
    labels = np.tile([0, 1], 100)
    assert against_guessing(labels, np.full(200, 0.9), 0.5, 0.95).at_chance
    assert not against_guessing(labels, labels * 0.4, 0.3, 0.95).at_chance


def test_a_little_better_than_guessing_counts_if_there_are_many_images() -> None:
    for n, at_chance in ((200, True), (20_000, False)):
        labels = np.tile([0, 1], n // 2)
        assert against_guessing(labels, detector(labels, int(0.52 * n)), 0.5, 0.95).at_chance == at_chance
