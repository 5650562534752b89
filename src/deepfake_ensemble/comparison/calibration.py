"""Does P(fake) = 0.8 mean that 80 of 100 such images are fake?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval, mean, wilson
from deepfake_ensemble.evaluation.metrics import ECE_BINS, bin_indices
from deepfake_ensemble.evaluation.probabilities import SMALLEST, clipped

# Numbers drawn at a time.
_BATCH = 2**20
# Outside these temperatures validation does not determine one.
_TEMPERATURES = (1e-3, 1e3)


@dataclass(frozen=True)
class Bin:
    """The images whose P(fake) lies in one bin: their number, mean P(fake), and share of fakes (Wilson)."""

    n: int
    p_fake: float
    share_fake: Interval


def reliability_curve(
    labels: np.ndarray, p_fake: np.ndarray, bins: int = ECE_BINS, confidence: float = CONFIDENCE
) -> list[Bin]:
    """Return the equal-width bins that hold images, from low to high P(fake).

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        bins: how many of equal width.
        confidence: of the interval, between 0 and 1.
    """
    counts, fakes, p_sums = _binned(labels, p_fake, bins)
    return [
        Bin(int(counts[k]), float(p_sums[k] / counts[k]), wilson(int(fakes[k]), int(counts[k]), confidence))
        for k in np.flatnonzero(counts)
    ]


@dataclass(frozen=True)
class BrierDecomposition:
    """brier = reliability - resolution + uncertainty + within_bins, exactly.

    reliability: mean squared distance of the bins' mean P(fake) from their shares of fakes (0 is best);
    resolution: variance of these shares (more is better); uncertainty: s (1 - s) of the share s of all fakes;
    within_bins: what is left because probabilities within a bin differ.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


def brier_decomposition(labels: np.ndarray, p_fake: np.ndarray, bins: int = ECE_BINS) -> BrierDecomposition:
    """Decompose the Brier score over equal-width bins (Murphy 1973).

    His three terms add up to the score only where all probabilities of a bin are equal. For others the rest
    is the variance within bins less twice the covariance with the labels (Stephenson, Coelho & Jolliffe
    2008); it is computed as such and named, not hidden in the reliability.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        bins: how many of equal width.
    """
    n = len(labels)
    counts, fakes, p_sums = _binned(labels, p_fake, bins)
    filled = counts > 0
    n_k, share, p_mean = counts[filled], fakes[filled] / counts[filled], p_sums[filled] / counts[filled]
    base = float(labels.mean())

    index = bin_indices(p_fake, bins)
    inside = p_fake - np.divide(p_sums, counts, out=np.zeros(bins), where=filled)[index]
    outcome = labels - np.divide(fakes, counts, out=np.zeros(bins), where=filled)[index]
    return BrierDecomposition(
        brier=float(np.square(labels - p_fake).mean()),
        reliability=float((n_k * np.square(p_mean - share)).sum() / n),
        resolution=float((n_k * np.square(share - base)).sum() / n),
        uncertainty=base * (1 - base),
        within_bins=float((np.square(inside) - 2 * inside * outcome).mean()),
    )


@dataclass(frozen=True)
class Chance:
    """What a figure would be by chance alone: its mean, and what it would stay below as often as the
    confidence says."""

    mean: float
    at_most: float


def ece_if_calibrated(
    p_fake: np.ndarray,
    bins: int,
    *,
    draws: int,
    seed: int | Sequence[int],
    confidence: float = CONFIDENCE,
) -> Chance:
    """Return the expected calibration error that probabilities would show if they were right: with so many
    images it is not zero. Labels are drawn by them, `draws` times.

    Args:
        p_fake: (n,), P(fake).
        bins: how many of equal width.
        draws: how often labels are drawn.
        seed: of these draws.
        confidence: in this share of the draws the error stays below `at_most`.
    """
    order = np.argsort(p_fake, kind="stable")
    p = p_fake[order].astype(np.float32)
    index = bin_indices(p_fake[order], bins)
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    expected = np.add.reduceat(p_fake[order], starts)
    rng = np.random.default_rng(seed)
    errors = []
    for start in range(0, draws, rows := max(1, _BATCH // len(p))):
        fake = rng.random((min(rows, draws - start), len(p)), dtype=np.float32) < p
        fakes = np.add.reduceat(fake, starts, axis=1, dtype=np.int64)
        errors.append(np.abs(fakes - expected).sum(axis=1) / len(p))
    drawn = np.concatenate(errors)
    return Chance(float(drawn.mean()), float(np.quantile(drawn, confidence)))


def in_the_large(labels: np.ndarray, p_fake: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of P(fake) less the share of fakes (calibration in the large); Student's interval.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        confidence: of the interval, between 0 and 1.
    """
    return mean(p_fake - labels, confidence)


def certainty(p_fake: np.ndarray) -> np.ndarray:
    """Return the probability of each image's likelier class, (n,), from one half to 1."""
    return np.maximum(p_fake, 1 - p_fake)


def too_sure(labels: np.ndarray, p_fake: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Return the mean certainty less the share of images whose likelier class is right, with Student's
    interval; where both classes are as likely, fake is taken.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        confidence: of the interval, between 0 and 1.
    """
    return mean(certainty(p_fake) - ((p_fake >= 0.5) == labels), confidence)


def fit_temperature(labels: np.ndarray, p_fake: np.ndarray, smallest: float = SMALLEST) -> float | None:
    """Return the temperature T > 0 for which sigmoid(logit(p) / T) has the least log loss (Guo et al.
    2017); over 1 means that the detector was too certain.

    The loss is convex in 1 / T, so T is where its derivative is zero. None if that is nowhere between a
    thousandth and a thousand: T falls to 0 if no image is on the wrong side of 0.5, and grows without end
    if the detector is no better than chance.

    Args:
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,), P(fake).
        smallest: what is nearer to 0 or 1 is taken as this far from it.
    """
    from scipy.optimize import brentq
    from scipy.special import expit

    z = _logits(p_fake, smallest)

    def slope(log_temperature: float) -> float:
        return float(((expit(z * np.exp(-log_temperature)) - labels) * z).mean())

    coldest, hottest = np.log(_TEMPERATURES)
    if slope(coldest) <= 0 or slope(hottest) >= 0:
        return None
    return float(np.exp(brentq(slope, coldest, hottest, xtol=1e-13, rtol=1e-14)))


def with_temperature(p_fake: np.ndarray, temperature: float, smallest: float = SMALLEST) -> np.ndarray:
    """Return sigmoid(logit(p) / temperature); what is called fake at 0.5 stays so.

    Args:
        p_fake: (n,), P(fake).
        temperature: above 0; over 1 brings probabilities nearer to 0.5.
        smallest: what is nearer to 0 or 1 is taken as this far from it.
    """
    from scipy.special import expit

    return expit(_logits(p_fake, smallest) / temperature)


def _logits(p_fake: np.ndarray, smallest: float) -> np.ndarray:
    p = clipped(p_fake, smallest)
    return np.log(p) - np.log1p(-p)


def _binned(labels: np.ndarray, p_fake: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each bin's number of images, number of fakes and sum of P(fake)."""
    index = bin_indices(p_fake, bins)
    return (
        np.bincount(index, minlength=bins),
        np.bincount(index[labels == 1], minlength=bins),
        np.bincount(index, weights=p_fake, minlength=bins),
    )
