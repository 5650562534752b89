"""Whether a detector does better than guessing: a training that failed leaves one that does not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Guessing:
    """How a detector compares with one that always names the more frequent class.

    p_value: the chance that such a one gets as many images right by luck; at_chance: it is no less than 0.05.
    """

    accuracy: float
    p_value: float
    at_chance: bool


def against_guessing(labels: NDArray[np.int64], p_fake: NDArray[np.float64], threshold: float) -> Guessing:
    """Test, one-sided and exactly (binomially), whether a detector's accuracy is above guessing's.

    Args:
        labels: 0 or 1, shape (n,).
        p_fake: P(fake), shape (n,).
        threshold: from which P(fake) on an image is called fake.
    """
    n = len(labels)
    hits = int(((p_fake >= threshold) == labels).sum())
    fake = int(labels.sum())
    p_value = float(bdtrc(hits - 1, n, max(fake, n - fake) / n)) if hits else 1.0
    return Guessing(hits / n, p_value, p_value >= SIGNIFICANCE)
