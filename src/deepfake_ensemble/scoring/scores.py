"""Counts of right and wrong answers, the scores that follow from them, and log losses; fake is positive."""

from dataclasses import dataclass

import numpy as np

from deepfake_ensemble.foundation.errors import UserError

THRESHOLD = 0.5


@dataclass(frozen=True)
class Confusion:
    """Numbers of images: fakes called fake (tp), reals called fake (fp), and the other two."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return (self.tp + self.tn) / (self.tp + self.fp + self.tn + self.fn)

    @property
    def precision(self) -> float:
        """The share of fakes in what is called fake; 0 where nothing is."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """The share of fakes that are called fake."""
        return self.tp / (self.tp + self.fn)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn)


def confusion(labels: np.ndarray, p_fake: np.ndarray, threshold: float = THRESHOLD) -> Confusion:
    """Count right and wrong answers at a threshold; an image is called fake from the threshold up.

    Args:
        labels: (n,), 1 for fake, 0 for real.
        p_fake: (n,), probabilities.
        threshold: from which on an image is called fake.
    """
    called_fake = p_fake >= threshold
    positives = int(np.count_nonzero(labels))
    tp = int(np.count_nonzero(called_fake & (labels == 1)))
    fp = int(np.count_nonzero(called_fake)) - tp
    return Confusion(tp=tp, fp=fp, tn=len(labels) - positives - fp, fn=positives - tp)


def log_losses(labels: np.ndarray, p_fake: np.ndarray) -> np.ndarray:
    """Return each image's -ln(probability given to its class): (n,).

    Clipped as in scikit-learn's log_loss: to [eps, 1 - eps] with the eps of float64, so a certain error costs
    36.04 instead of infinity.

    Args:
        labels: (n,), 1 for fake, 0 for real.
        p_fake: (n,), probabilities.
    """
    eps = np.finfo(np.float64).eps
    given = np.where(labels == 1, p_fake, 1 - p_fake)
    return -np.log(np.clip(given, eps, 1 - eps))


def require_both_classes(labels: np.ndarray) -> None:
    """Raise UserError unless there are images of both classes."""
    fakes = int(np.count_nonzero(labels))
    if fakes in (0, len(labels)):
        which = "fake" if fakes else "real"
        raise UserError(
            f"predictions: all {len(labels)} images are {which}, and metrics need both classes; "
            "evaluate a split that holds real and fake images"
        )
