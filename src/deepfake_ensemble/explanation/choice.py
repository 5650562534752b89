"""Which images are shown: the ensemble's surest answers of each kind, and those that detectors get wrong."""

from collections.abc import Mapping

import numpy as np

from deepfake_ensemble.evaluation.weighting import ENSEMBLE

# By (is fake, is called fake), in the order in which they are shown.
OUTCOMES = {
    "fakes_found": (True, True),
    "reals_found": (False, False),
    "fakes_missed": (True, False),
    "reals_called_fake": (False, True),
}


def most_confident(
    labels: np.ndarray, p_fake: np.ndarray, threshold: float, count: int
) -> dict[str, list[int]]:
    """Return for each of OUTCOMES the positions of at most `count` images, the surest answers first.

    An answer is the surer, the farther its P(fake) is from the threshold; equal ones keep their order.

    Args:
        labels: (n,), 1 for fake.
        p_fake: the ensemble's, (n,).
        threshold: an image is called fake from this P(fake) up.
        count: of images of each outcome, at most.
    """
    called_fake = p_fake >= threshold
    found = {}
    for outcome, (is_fake, is_called_fake) in OUTCOMES.items():
        positions = np.flatnonzero((labels == is_fake) & (called_fake == is_called_fake))
        order = np.argsort(-np.abs(p_fake[positions] - threshold), kind="stable")
        found[outcome] = positions[order][:count].tolist()
    return found


def misclassified(labels: np.ndarray, p_fake: Mapping[str, np.ndarray], threshold: float) -> list[int]:
    """Return the positions of all images that a detector gets wrong.

    First those that the ensemble gets wrong, then by how many members do, then by how sure the ensemble was
    of the wrong class.

    Args:
        labels: (n,), 1 for fake.
        p_fake: each member's and the ensemble's, (n,).
        threshold: an image is called fake from this P(fake) up.
    """
    wrong = {name: (p >= threshold) != (labels == 1) for name, p in p_fake.items()}
    members = sum(of.astype(int) for name, of in wrong.items() if name != ENSEMBLE)
    given_to_wrong = np.where(labels == 1, 1 - p_fake[ENSEMBLE], p_fake[ENSEMBLE])
    order = np.lexsort((-given_to_wrong, -np.asarray(members), ~wrong[ENSEMBLE]))
    any_wrong = np.any(list(wrong.values()), axis=0)
    return [int(position) for position in order if any_wrong[position]]
