"""Thresholds chosen on validation, and what they do on test."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval, wilson
from deepfake_ensemble.scoring.scores import Confusion, confusion


def youden(labels: np.ndarray, p_fake: np.ndarray) -> float:
    """Return the threshold with the largest true-positive rate less false-positive rate (Youden 1950); of
    equally good ones the highest.

    It lies halfway between the lowest probability called fake and the next lower one, so that a last digit
    decides nothing.
    """
    distinct, index = np.unique(p_fake, return_inverse=True)
    fakes = np.bincount(index[labels == 1], minlength=len(distinct))
    reals = np.bincount(index[labels == 0], minlength=len(distinct))
    # Called fake from distinct[i] up, in whole numbers: J times the product of the classes' sizes.
    j = np.cumsum(fakes[::-1])[::-1] * reals.sum() - np.cumsum(reals[::-1])[::-1] * fakes.sum()
    best = len(distinct) - 1 - int(np.argmax(j[::-1]))
    below = distinct[best - 1] if best else 0.0
    return _between(float(below), float(distinct[best]))


def threshold_for_fpr(labels: np.ndarray, p_fake: np.ndarray, fpr: Fraction) -> float | None:
    """Return the lowest threshold at which at most the share `fpr` of the reals is called fake, halfway
    between the first real that is let off and the next probability above it.

    None if there are fewer reals than 1 / fpr, or more than that share have the probability 1.
    """
    reals = np.sort(p_fake[labels == 0])
    allowed = int(len(reals) * fpr)
    if allowed == 0:
        return None
    let_off = reals[len(reals) - 1 - allowed]
    higher = p_fake[p_fake > let_off]
    above = higher.min() if len(higher) else 1.0
    return _between(float(let_off), float(above)) if above > let_off else None


def _between(low: float, high: float) -> float:
    middle = (low + high) / 2
    return middle if middle > low else high  # the two may be neighbours


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does: the share of fakes found and of reals called fake with Wilson's intervals, the
    share of fakes among what is called fake (None if nothing is), accuracy, and the counts."""

    threshold: float
    true_positive_rate: Interval
    false_positive_rate: Interval
    precision: Interval | None
    accuracy: Interval
    counts: Confusion


def operating_point(
    labels: np.ndarray, p_fake: np.ndarray, threshold: float, confidence: float = CONFIDENCE
) -> OperatingPoint:
    """Apply a threshold to images of both classes."""
    c = confusion(labels, p_fake, threshold)
    called = c.tp + c.fp
    return OperatingPoint(
        threshold=threshold,
        true_positive_rate=wilson(c.tp, c.tp + c.fn, confidence),
        false_positive_rate=wilson(c.fp, c.fp + c.tn, confidence),
        precision=wilson(c.tp, called, confidence) if called else None,
        accuracy=wilson(c.tp + c.tn, len(labels), confidence),
        counts=c,
    )
