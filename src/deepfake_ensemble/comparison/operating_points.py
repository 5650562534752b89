"""Thresholds chosen on validation, and what they do on test; and what is left to those that are sure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import exp, log, sqrt

import numpy as np

from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval, paired, quantile, wilson
from deepfake_ensemble.comparison.paired import holm, mcnemar
from deepfake_ensemble.scoring.scores import Confusion, confusion


def youden(labels: np.ndarray, p_fake: np.ndarray) -> float:
    """Return the threshold with the largest true-positive rate less false-positive rate (Youden 1950); of
    equally good ones the highest.

    It lies halfway between the lowest probability called fake and the next lower one, so that a last digit
    decides nothing.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
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

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        fpr: the share of reals that may be called fake.
    """
    reals = np.sort(p_fake[labels == 0])
    allowed = int(len(reals) * fpr)
    if allowed == 0:
        return None
    let_off = reals[len(reals) - 1 - allowed]
    higher = p_fake[p_fake > let_off]
    above = higher.min() if len(higher) else 1.0
    return _between(float(let_off), float(above)) if above > let_off else None


def expected_false_positive_rate(reals: int, fpr: Fraction, confidence: float = CONFIDENCE) -> Interval:
    """Return the false-positive rate to expect of `threshold_for_fpr` on other images.

    With k of m reals above the threshold, and the next one just below it, the true rate has the distribution
    Beta(k + 1, m - k), whatever the scores (Wilks 1941): its mean, and the middle part of it.

    Args:
        reals: how many the threshold was chosen on.
        fpr: as `threshold_for_fpr` was given it.
        confidence: of the interval, between 0 and 1.
    """
    from scipy.special import betaincinv

    k = int(reals * fpr)
    tail = (1 - confidence) / 2
    low, high = (float(betaincinv(k + 1, reals - k, share)) for share in (tail, 1 - tail))
    return Interval((k + 1) / (reals + 1), low, high)


def _between(low: float, high: float) -> float:
    middle = (low + high) / 2
    return middle if middle > low else high  # the two may be neighbours


@dataclass(frozen=True)
class PredictiveValues:
    """Of a collection with this share of fakes: the share of fakes among what is called fake, and of reals
    among what is called real; None where nothing is called so."""

    prevalence: float
    positive: Interval | None
    negative: Interval | None


def predictive_values(c: Confusion, prevalence: float, confidence: float = CONFIDENCE) -> PredictiveValues:
    """Return predictive values by Bayes' rule, with intervals on the scale of their logit (Mercaldo, Lau &
    Zhou 2007); half an image is added to each count there, so that none is zero.

    Args:
        c: counts at the threshold.
        prevalence: the share of fakes in the collection.
        confidence: of the interval, between 0 and 1.
    """
    odds = prevalence / (1 - prevalence)
    return PredictiveValues(
        prevalence=prevalence,
        positive=_predictive((c.tp, c.fn), (c.fp, c.tn), odds, confidence),
        negative=_predictive((c.tn, c.fp), (c.fn, c.tp), 1 / odds, confidence),
    )


def _predictive(
    right: tuple[int, int], wrong: tuple[int, int], odds: float, confidence: float
) -> Interval | None:
    """Return odds * r / (1 + odds * r) of the ratio r of two rates, each as (called so, not called so)."""
    if not right[0] + wrong[0]:
        return None
    rates = [called / (called + other) for called, other in (right, wrong)]
    value = odds * rates[0] / (odds * rates[0] + rates[1])
    (a, b), (c, d) = ((called + 0.5, other + 0.5) for called, other in (right, wrong))
    middle = log(odds * (a / (a + b)) / (c / (c + d)))
    half = quantile(confidence) * sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
    low, high = (1 / (1 + exp(-end)) for end in (middle - half, middle + half))
    return Interval(value, min(low, value), max(high, value))


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does: the share of fakes found and of reals called fake with Wilson's intervals, the
    share of fakes among what is called fake (None if nothing is), accuracy, and the counts; what its calls
    are worth where fakes are rarer; where it was chosen for a false-positive rate, which one that lets
    expect; and the share of fakes below which most of what it calls fake is real (None if no real image is
    called fake)."""

    threshold: float
    true_positive_rate: Interval
    false_positive_rate: Interval
    precision: Interval | None
    accuracy: Interval
    counts: Confusion
    predictive_values: list[PredictiveValues]
    expected_false_positive_rate: Interval | None = None
    mostly_real_below: float | None = None


def operating_point(
    labels: np.ndarray,
    p_fake: np.ndarray,
    threshold: float,
    confidence: float = CONFIDENCE,
    *,
    prevalences: Sequence[float] = (),
    expected: Interval | None = None,
) -> OperatingPoint:
    """Apply a threshold to images of both classes.

    Args:
        labels: (n,), 1 is fake.
        p_fake: (n,).
        threshold: an image is called fake from this P(fake) up.
        confidence: of all intervals.
        prevalences: shares of fakes to give predictive values for.
        expected: the false-positive rate to expect of it.
    """
    c = confusion(labels, p_fake, threshold)
    called = c.tp + c.fp
    return OperatingPoint(
        threshold=threshold,
        true_positive_rate=wilson(c.tp, c.tp + c.fn, confidence),
        false_positive_rate=wilson(c.fp, c.fp + c.tn, confidence),
        precision=wilson(c.tp, called, confidence) if called else None,
        accuracy=wilson(c.tp + c.tn, len(labels), confidence),
        counts=c,
        predictive_values=[predictive_values(c, prevalence, confidence) for prevalence in prevalences],
        expected_false_positive_rate=expected,
        mostly_real_below=_mostly_real_below(c),
    )


def _mostly_real_below(c: Confusion) -> float | None:
    found, called = c.tp / (c.tp + c.fn), c.fp / (c.fp + c.tn)
    return called / (found + called) if called else None


@dataclass(frozen=True)
class Gain:
    """What a detector gains over another on the same images, each at its own threshold: the share of fakes
    that it finds less the other's, and the share of reals that it does not call fake less the other's; with
    Tango's intervals, and the p-values of McNemar's exact test with Holm's correction, None where nothing
    differs."""

    over: str
    fakes_found: Interval
    reals_spared: Interval
    fakes_p: float | None = None
    reals_p: float | None = None


def gains(
    labels: np.ndarray,
    called_fake: Mapping[str, tuple[np.ndarray, np.ndarray]],
    over: str,
    confidence: float = CONFIDENCE,
) -> dict[str, Gain]:
    """Compare two detectors' calls at several thresholds, with Holm's correction for all these tests.

    Args:
        labels: (n,), 1 is fake.
        called_fake: by what the thresholds were chosen for, by the one and by the other: bool (n,) each.
        over: the other's name.
        confidence: of the intervals.
    """
    fake = labels == 1

    def share(a: np.ndarray, b: np.ndarray) -> Interval:
        return paired(int((a & ~b).sum()), int((b & ~a).sum()), len(a), confidence)

    found = {}
    p_values = []
    for name, (ours, others) in called_fake.items():
        fakes, reals = (ours[fake], others[fake]), (~ours[~fake], ~others[~fake])
        found[name] = Gain(over, share(*fakes), share(*reals))
        p_values += [mcnemar(*fakes).p_value, mcnemar(*reals).p_value]
    corrected = iter(holm(p_values))
    return {name: replace(of, fakes_p=next(corrected), reals_p=next(corrected)) for name, of in found.items()}


# Of all images so many are answered, the surest first.
ANSWERED = (1.0, 0.9, 0.75, 0.5, 0.25)


@dataclass(frozen=True)
class Selective:
    """What a detector does that answers only where its P(fake) is far enough from the threshold.

    Attributes:
        asked: share of the images that it is to answer.
        share: that it answers: more where several are equally far.
        distance: of P(fake) from the threshold, from which on it answers.
        accuracy: on these images.
    """

    asked: float
    share: float
    distance: float
    accuracy: Interval


def selective(
    labels: np.ndarray, p_fake: np.ndarray, threshold: float, confidence: float = CONFIDENCE
) -> list[Selective]:
    """Return the accuracy on the surest images, for each share of ANSWERED (El-Yaniv & Wiener 2010).

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        threshold: from which P(fake) an image is called fake.
        confidence: of the interval, between 0 and 1.
    """
    distance = np.abs(p_fake - threshold)
    right = (p_fake >= threshold) == labels
    found = []
    ordered = np.sort(distance)[::-1]
    for share in ANSWERED:
        at_least = ordered[max(1, round(share * len(labels))) - 1]
        chosen = distance >= at_least
        n = int(chosen.sum())
        accuracy = wilson(int(right[chosen].sum()), n, confidence)
        found.append(Selective(share, n / len(labels), float(at_least), accuracy))
    return found
