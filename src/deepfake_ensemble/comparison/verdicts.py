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


def found(contrast: Contrast, confidence: float) -> Finding:
    """Return a comparison with its verdict."""
    return Finding(verdict(contrast, confidence), contrast)


def verdict(of: Contrast, confidence: float) -> Verdict:
    """Return what a comparison says of its first detector.

    helps, hurts: the test, with Holm's correction for its family, finds a difference; with "little" behind it
    if the two one-sided tests find it smaller than the margin. same: both say the same of all images.
    cannot: the second makes no mistake here, so that nothing could be shown to be better. equivalent: no
    difference is found, and the one-sided tests find that none is larger than the margin. unclear: so many
    images cannot tell.
    """
    alpha = 1 - confidence
    small = of.p_equivalent is not None and of.p_equivalent < alpha
    if of.p_holm is not None and of.p_holm < alpha:
        if of.gain.value > 0:
            return "helps little" if small else "helps"
        return "hurts little" if small else "hurts"
    if of.gain.ci_low is None and of.gain.value == 0:
        return "same"
    if of.metric != "log_loss" and of.second_value == 1:
        return "cannot"
    return "equivalent" if small else "unclear"


Calibrated = Literal["too sure", "too unsure", "off", "not shown to be wrong"]


def calibrated(
    ece: float, ece_at_most: float, temperature: float | None, in_the_large: Interval
) -> Calibrated:
    """Return whether probabilities can be taken at their word.

    Args:
        ece: the calibration error found.
        ece_at_most: what it would stay below, as often as the confidence says, if they were right.
        temperature: that is best on these very images; None if none is.
        in_the_large: the mean of P(fake) less the share of fakes.

    Returns:
        "too sure" or "too unsure" where the error is larger than that and the temperature says which way;
        "off" where it is larger, or the mean is wrong, and no temperature tells more.
    """
    low, high = in_the_large.ci_low, in_the_large.ci_high
    biased = low is not None and high is not None and not low <= 0 <= high
    if ece <= ece_at_most and not biased:
        return "not shown to be wrong"
    if ece <= ece_at_most or temperature is None:
        return "off"
    return "too sure" if temperature > 1 else "too unsure"
