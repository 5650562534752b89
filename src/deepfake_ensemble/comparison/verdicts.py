"""What may be said of figures: each rule has a name, and no page says more."""

from dataclasses import dataclass
from typing import Literal

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.paired import Contrast

Verdict = Literal["helps", "helps little", "hurts", "hurts little", "same", "cannot", "equivalent", "unclear"]


@dataclass(frozen=True)
class Finding:
    """Two detectors compared by one metric, and what follows."""

    verdict: Verdict
    contrast: Contrast


def finding(contrast: Contrast, confidence: float) -> Finding:
    """Return a comparison with its verdict."""
    return Finding(verdict(contrast, confidence), contrast)


def verdict(of: Contrast, confidence: float) -> Verdict:
    """Return what a comparison says of its first detector.

    helps, hurts: the test, with Holm's correction for its family, finds a difference; with "little" behind it
    if the two one-sided tests find it smaller than the margin. cannot: the second makes no mistake here, so
    that nothing could be shown to be better. equivalent: no difference is found, and the one-sided tests find
    that none is larger than the margin. same: both are right on the same images, or say the same of them.
    unclear: so many images cannot tell.

    Args:
        of: the comparison.
        confidence: a p below what is left of 1 counts.
    """
    alpha = 1 - confidence
    small = of.p_equivalent is not None and of.p_equivalent < alpha
    if of.p_holm is not None and of.p_holm < alpha:
        if of.gain.value > 0:
            return "helps little" if small else "helps"
        return "hurts little" if small else "hurts"
    if of.metric != "log_loss" and of.second_value == 1:
        return "cannot"
    if small:
        return "equivalent"
    return "same" if of.p_value is None and of.gain.value == 0 else "unclear"


Beside = Literal["more", "less", "not shown to be more"]


def beside_constant(f1: Interval, constant: float) -> Beside:
    """Return whether an F1 is more than what a constant answer reaches, by the interval of the former."""
    if f1.ci_low is not None and f1.ci_low > constant:
        return "more"
    return "less" if f1.ci_high is not None and f1.ci_high < constant else "not shown to be more"


Scaling = Literal["helps", "hurts", "unclear"]


def scaling(saved: Interval, p_value: float | None, confidence: float) -> Scaling:
    """Return what a temperature does to log loss: saved is what it lowers it by, tested image by image.

    Args:
        saved: what the temperature lowers log loss by; below 0 where it raises it.
        p_value: of the paired test; None where nothing varies.
        confidence: a p below what is left of 1 counts.
    """
    if p_value is None or p_value >= 1 - confidence:
        return "unclear"
    return "helps" if saved.value > 0 else "hurts"


Calibrated = Literal["too sure", "too unsure", "off", "not shown to be wrong"]


def calibrated(ece: float, ece_at_most: float, too_sure: Interval, in_the_large: Interval) -> Calibrated:
    """Return whether probabilities can be taken at their word.

    Args:
        ece: the calibration error found.
        ece_at_most: what it would stay below, as often as the confidence says, if they were right.
        too_sure: by how much the mean probability of the likelier class exceeds the share of right calls.
        in_the_large: the mean of P(fake) less the share of fakes.

    Returns:
        "too sure" or "too unsure" where the error is larger than by chance and the likelier class is right
        less often, or more often, than the probabilities say; "off" where only the error, or the mean of
        P(fake), is not what it should be.
    """
    if ece > ece_at_most and _beyond(too_sure):
        return "too sure" if too_sure.value > 0 else "too unsure"
    return "off" if ece > ece_at_most or _beyond(in_the_large) else "not shown to be wrong"


def _beyond(of: Interval) -> bool:
    if of.ci_low is None:  # it is the same on every image
        return of.value != 0
    return not of.ends[0] <= 0 <= of.ends[1]
