"""Which images are shown: the surest of each outcome, and the wrong ones in order of how wrong."""

import numpy as np

from deepfake_ensemble.explanation.choice import OUTCOMES, misclassified, most_confident

LABELS = np.array([1, 1, 1, 0, 0, 0, 1, 0])
P_FAKE = np.array([0.9, 0.6, 0.2, 0.1, 0.4, 0.8, 0.5, 0.1])


def test_each_outcome_has_its_images_the_surest_first():
    assert most_confident(LABELS, P_FAKE, 0.5, 9) == {
        "fakes_found": [0, 1, 6],
        "reals_found": [3, 7, 4],
        "fakes_missed": [2],
        "reals_called_fake": [5],
    }


def test_no_more_than_asked_for_and_an_empty_outcome_is_empty():
    found = most_confident(LABELS, np.where(LABELS == 1, 0.9, 0.1), 0.5, 2)
    assert list(found) == list(OUTCOMES)
    assert [len(rows) for rows in found.values()] == [2, 2, 0, 0]


def test_every_image_is_in_exactly_one_outcome():
    rows = [row for of in most_confident(LABELS, P_FAKE, 0.5, 9).values() for row in of]
    assert sorted(rows) == list(range(len(LABELS)))


def test_wrong_images_come_by_ensemble_then_members_then_certainty():
    labels = np.array([1, 1, 1, 1, 1])
    p_fake = {
        "a": np.array([0.1, 0.1, 0.9, 0.2, 0.9]),
        "b": np.array([0.1, 0.8, 0.9, 0.9, 0.1]),
        "ensemble": np.array([0.1, 0.45, 0.9, 0.4, 0.5]),
    }
    assert misclassified(labels, p_fake, 0.5) == [0, 3, 1, 4]
