"""Metrics of a detector on labelled images, with fake (label 1) as the positive class.

The values are those of scikit-learn's functions, whose import would take most of the time of the stages
that need them; tests compare the two. All counts are integers, so accuracy to AUC are exact up to the last
division.
"""

from dataclasses import dataclass

import numpy as np

from deepfake_ensemble.evaluation.probabilities import SMALLEST, clipped
from deepfake_ensemble.scoring import scores
from deepfake_ensemble.scoring.scores import THRESHOLD, confusion, require_both_classes

ECE_BINS = 15


@dataclass(frozen=True)
class Metrics:
    accuracy: float
    precision: float
    recall: float
    f1: float
    auc: float
    average_precision: float
    log_loss: float
    brier: float
    ece: float
    n: int


def metrics(
    labels: np.ndarray,
    p_fake: np.ndarray,
    threshold: float = THRESHOLD,
    ece_bins: int = ECE_BINS,
    smallest: float = SMALLEST,
) -> Metrics:
    """Compute all metrics.

    Precision is 0 where nothing is called fake, as scikit-learn has it; comparisons leave it undefined.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        threshold: from which P(fake) an image is called fake.
        ece_bins: equal-width bins of the calibration error.
        smallest: what is nearer to 0 or 1 is taken as this far from it.

    Raises:
        UserError: unless both classes occur.
    """
    require_both_classes(labels)
    c = confusion(labels, p_fake, threshold)
    tps, fps = _cumulative_counts(labels, p_fake)
    return Metrics(
        accuracy=c.accuracy,
        precision=c.precision,
        recall=c.recall,
        f1=c.f1,
        auc=_auc(tps, fps),
        average_precision=_average_precision(tps, fps),
        log_loss=float(log_losses(labels, p_fake, smallest).mean()),
        brier=float(np.square(labels - p_fake).mean()),
        ece=expected_calibration_error(labels, p_fake, ece_bins),
        n=len(labels),
    )


def log_losses(labels: np.ndarray, p_fake: np.ndarray, smallest: float = SMALLEST) -> np.ndarray:
    """Return each image's -ln(probability given to its class), (n,); see `clipped`.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        smallest: what is nearer to 0 or 1 is taken as this far from it.
    """
    return scores.log_losses(labels, clipped(p_fake, smallest))


def bin_indices(p_fake: np.ndarray, bins: int) -> np.ndarray:
    """Return each probability's bin (n,) of `bins` equal-width ones over [0, 1]; 1 falls into the last."""
    return np.minimum((p_fake * bins).astype(np.int64), bins - 1)


def expected_calibration_error(labels: np.ndarray, p_fake: np.ndarray, bins: int = ECE_BINS) -> float:
    """Return the mean distance between the share of fakes and the mean P(fake) of equal-width bins, weighted
    by the bins' numbers of images (Naeini, Cooper & Hauskrecht 2015, for the positive class).

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        bins: how many of equal width.
    """
    index = bin_indices(p_fake, bins)
    gaps = np.bincount(index, weights=labels - p_fake, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def roc_curve(labels: np.ndarray, p_fake: np.ndarray, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return false- and true-positive rates from (0, 0) to (1, 1), at most `points` of them.

    Points on the straight line between their neighbours are left out; what is too many is thinned evenly
    along the curve, so every point returned lies on the full curve.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        points: at most so many are returned.

    Raises:
        UserError: unless both classes occur.
    """
    require_both_classes(labels)
    tps, fps = (np.concatenate(([0], counts)) for counts in _cumulative_counts(labels, p_fake))
    corners = _corners(fps, tps)
    return _thinned(fps[corners] / fps[-1], tps[corners] / tps[-1], points)


def precision_recall_curve(
    labels: np.ndarray, p_fake: np.ndarray, points: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """Return recalls and precisions from (0, 1), scikit-learn's starting point, to (1, share of fakes), at
    most `points` of them; left out and thinned as in `roc_curve`.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        points: at most so many are returned.

    Raises:
        UserError: unless both classes occur.
    """
    require_both_classes(labels)
    tps, fps = _cumulative_counts(labels, p_fake)
    recall = np.concatenate(([0.0], tps / tps[-1]))
    precision = np.concatenate(([1.0], tps / (tps + fps)))
    corners = _corners(recall, precision)
    return _thinned(recall[corners], precision[corners], points)


def _cumulative_counts(labels: np.ndarray, p_fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of true and of false positives at each distinct probability, from the highest."""
    order = np.argsort(-p_fake, kind="stable")
    p, fake = p_fake[order], labels[order]
    ends = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    tps = np.cumsum(fake, dtype=np.int64)[ends]
    return tps, ends + 1 - tps


def _auc(tps: np.ndarray, fps: np.ndarray) -> float:
    # The trapezoids' area in whole half-pairs: a tie between a fake and a real counts half.
    before = np.concatenate(([0], tps[:-1]))
    halves = int(np.sum(np.diff(fps, prepend=0) * (tps + before)))
    return halves / (2 * int(tps[-1]) * int(fps[-1]))


def _average_precision(tps: np.ndarray, fps: np.ndarray) -> float:
    return float(np.sum(np.diff(tps, prepend=0) * (tps / (tps + fps))) / tps[-1])


def _corners(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the indices of both ends and of the points where the line through them bends."""
    dx, dy = np.diff(x), np.diff(y)
    bends = dx[:-1] * dy[1:] != dx[1:] * dy[:-1]
    return np.flatnonzero(np.concatenate(([True], bends, [True])))


def _thinned(x: np.ndarray, y: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    if len(x) <= points:
        return x, y
    along = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    keep = np.searchsorted(along, np.linspace(0, along[-1], points))
    keep[-1] = len(x) - 1
    keep = np.unique(keep)
    return x[keep], y[keep]
