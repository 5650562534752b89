"""Whether a detector is shown to do better than guessing: one whose training failed is not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Guessing:
    """How a detector's accuracy compares with the share of the more frequent class, the no-information rate.

    p_value: the chance of as many right or more at that rate; at_chance: it is too large to rule luck out.
    """

    accuracy: float
    p_value: float
    at_chance: bool


def against_guessing(
    labels: NDArray[np.int64], p_fake: NDArray[np.float64], threshold: float, confidence: float
) -> Guessing:
    """Test, one-sided and exactly (binomial test), whether a detector is right more often than by guessing.

    Args:
        labels: 0 or 1, shape (n,).
        p_fake: P(fake), shape (n,).
        threshold: from which P(fake) on an image is called fake.
        confidence: luck is ruled out if the p-value is below what this leaves of 1.
    """
    from scipy.special import bdtrc

    n = len(labels)
    hits = int(((p_fake >= threshold) == labels).sum())
    fake = int(labels.sum())
    p_value = float(bdtrc(hits - 1, n, max(fake, n - fake) / n)) if hits else 1.0
    return Guessing(hits / n, p_value, p_value >= 1 - confidence)
