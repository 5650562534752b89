"""Which run is the best, by the validation split: the test images decide nothing."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.evaluation.metrics import metrics


def best(labels: NDArray[np.int64], p_fake: Mapping[str, NDArray[np.float64]], threshold: float) -> str:
    """Return the run with the highest F1 on validation; of equal ones, the first.

    Args:
        labels: of the validation images: (n,), 1 is fake.
        p_fake: each run's P(fake) for them: (n,).
        threshold: an image is called fake from this P(fake) on.
    """
    return max(p_fake, key=lambda run: metrics(labels, p_fake[run], threshold).f1)
