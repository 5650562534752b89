"""Areas under the ROC curve, after DeLong: intervals and tests without a model of the scores."""

from dataclasses import dataclass
from math import erfc, exp, log, sqrt

import numpy as np

from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval, independent, quantile

# What rounding leaves of a variance that is none, as a share of those that it is made of.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Placements:
    """Where each image stands among those of the other class; their means are the AUC.

    fakes: (n1,), the share of reals that score less; reals: (n0,), the share of fakes that score more; ties
    count half.
    """

    fakes: np.ndarray
    reals: np.ndarray

    @property
    def auc(self) -> float:
        return float(self.fakes.mean())

    @property
    def pairs(self) -> int:
        """How many pairs of a fake and a real there are that share no image."""
        return min(len(self.fakes), len(self.reals))


def placements(labels: np.ndarray, scores: np.ndarray) -> Placements:
    """Return the placements of n images of both classes, in O(n log n) (Sun & Xu 2014).

    Args:
        labels: (n,), 1 = fake, 0 = real.
        scores: (n,), higher for what is likelier fake.
    """
    fakes, reals = scores[labels == 1], scores[labels == 0]
    return Placements(_share_below(fakes, np.sort(reals)), 1 - _share_below(reals, np.sort(fakes)))


def _share_below(scores: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    below, up_to = (np.searchsorted(ordered, scores, side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(ordered))


def variance(of: Placements, less: Placements | None = None) -> float | None:
    """Return the variance of an AUC, or of its difference from another on the same images (DeLong, DeLong &
    Clarke-Pearson 1988); None where a class has a single image.

    Args:
        of: of the detector.
        less: of the one it is compared with, on the same images; None for the AUC alone.
    """
    if of.pairs < 2:
        return None
    fakes = of.fakes if less is None else of.fakes - less.fakes
    reals = of.reals if less is None else of.reals - less.reals
    return float(fakes.var(ddof=1) / len(fakes) + reals.var(ddof=1) / len(reals))


def interval(of: Placements, confidence: float = CONFIDENCE) -> Interval:
    """Return an AUC with DeLong's interval on the scale of its logit, which stays between 0 and 1.

    Where nothing varies, all fakes score more than all reals, or less, or all the same: then the ends are
    exact for as many pairs of a fake and a real as share no image, all of which agree (Clopper & Pearson
    1934). None where a class has a single image that does not score the most or the least.

    Args:
        of: of the detector.
        confidence: of the interval, between 0 and 1.
    """
    auc, found = of.auc, variance(of)
    if auc in (0, 1):
        bound = ((1 - confidence) / 2) ** (1 / of.pairs)
        return Interval(auc, bound if auc else 0.0, 1.0 if auc else 1 - bound)
    if found is None:
        return Interval(auc, None, None)
    if found <= _ROUNDING:
        half = (1 - (1 - confidence) ** (1 / of.pairs)) / 2
        return Interval(auc, max(0.0, auc - half), min(1.0, auc + half))
    middle = log(auc / (1 - auc))
    half = quantile(confidence) * sqrt(found) / (auc * (1 - auc))
    return Interval(auc, *(1 / (1 + exp(-end)) for end in (middle - half, middle + half)))


@dataclass(frozen=True)
class AucTest:
    """A difference of two AUCs on the same images, its interval, and DeLong's test that it is zero.

    p_value: None, with the reason, where it cannot be tested.
    """

    difference: Interval
    p_value: float | None
    reason: str | None = None


def test(a: Placements, b: Placements, confidence: float = CONFIDENCE) -> AucTest:
    """Test AUC_a - AUC_b on the same images, two-sided, by the normal approximation.

    Where the difference does not vary, its ends are: for detectors that rank all images alike, how far apart
    they can be on others if none of the pairs of a fake and a real that share no image tells them apart;
    else those of both AUCs taken together.

    Args:
        a: of the first detector.
        b: of the second, on the same images.
        confidence: of the interval, between 0 and 1.
    """
    value = a.auc - b.auc
    found = variance(a, b)
    if found is None:
        return AucTest(Interval(value, None, None), None, "needs two images of each class")
    if found <= _ROUNDING * ((variance(a) or 0) + (variance(b) or 0)):
        if abs(value) > _ROUNDING:
            bounds = independent(interval(a, confidence), interval(b, confidence))
            return AucTest(bounds, None, "neither AUC varies, so there is nothing to compare it with")
        half = 1 - (1 - confidence) ** (1 / a.pairs)
        return AucTest(Interval(0.0, -half, half), None, "both rank all pairs of a fake and a real alike")
    error = sqrt(found)
    half = quantile(confidence) * error
    return AucTest(Interval(value, value - half, value + half), erfc(abs(value) / error / sqrt(2)))
