"""Is a difference between detectors on the same images more than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from statistics import NormalDist

import numpy as np

from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval

# With fewer images than this that only one detector gets right, chi-square is a poor approximation.
EXACT_BELOW = 25


@dataclass(frozen=True)
class McNemar:
    """Test that two detectors are right equally often.

    only_a, only_b: numbers of images that only this detector gets right; statistic: the smaller of them for
    the exact test, else chi-square.
    """

    only_a: int
    only_b: int
    method: str
    statistic: float
    p_value: float


@dataclass(frozen=True)
class CorrectedMcNemar(McNemar):
    """One of several such tests; p_holm: its p-value with Holm's correction for all of them."""

    p_holm: float


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> McNemar:
    """Compare two detectors' right answers, bool arrays (n,) (McNemar 1947).

    Exact binomial, two-sided, below EXACT_BELOW discordant images; from there up chi-square with one degree
    of freedom and Edwards' continuity correction, (|a - b| - 1)^2 / (a + b). Without discordant images p is
    1.
    """
    from scipy.special import bdtr, chdtrc

    only_a, only_b = _discordant(right_a, right_b)
    total = only_a + only_b
    if total < EXACT_BELOW:
        fewer = min(only_a, only_b)
        p = min(1.0, 2 * float(bdtr(fewer, total, 0.5))) if total else 1.0
        return McNemar(only_a, only_b, "exact binomial", fewer, p)
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / total
    p = float(chdtrc(1, statistic))
    return McNemar(only_a, only_b, "chi-square with continuity correction", statistic, p)


@dataclass(frozen=True)
class OddsRatio:
    """How many times more often the first of two detectors is the only one that is right; None where there
    is no bound or no figure, with the reason."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    reason: str | None = None


def odds_ratio(right_a: np.ndarray, right_b: np.ndarray, confidence: float = CONFIDENCE) -> OddsRatio:
    """Return McNemar's effect size, only_a / only_b, with its exact conditional interval: Clopper & Pearson's
    for the share only_a / (only_a + only_b), as odds."""
    from scipy.special import betaincinv

    only_a, only_b = _discordant(right_a, right_b)
    if only_a + only_b == 0:
        return OddsRatio(None, None, None, "both are right on the same images")
    tail = (1 - confidence) / 2
    low = float(betaincinv(only_a, only_b + 1, tail)) if only_a else 0.0
    high = float(betaincinv(only_a + 1, only_b, 1 - tail)) if only_b else None
    return OddsRatio(
        only_a / only_b if only_b else None,
        low / (1 - low),
        None if high is None else high / (1 - high),
        None if only_b else "the second is never right alone, so the ratio has no upper bound",
    )


@dataclass(frozen=True)
class CochransQ:
    statistic: float
    degrees_of_freedom: int
    p_value: float


def cochrans_q(right: Sequence[np.ndarray]) -> CochransQ:
    """Test that k >= 2 detectors are right equally often, from bool arrays (n,) (Cochran 1950).

    If all are right on the same images, nothing speaks against it: the statistic is 0 and p is 1.
    """
    from scipy.special import chdtrc

    k = len(right)
    table = np.stack(right).astype(np.int64)
    per_image, per_detector = table.sum(axis=0), table.sum(axis=1)
    total = int(per_image.sum())
    spread = k * total - int(np.square(per_image).sum())
    if spread == 0:
        return CochransQ(0.0, k - 1, 1.0)
    statistic = (k - 1) * (k * int(np.square(per_detector).sum()) - total**2) / spread
    return CochransQ(statistic, k - 1, float(chdtrc(k - 1, statistic)))


@dataclass(frozen=True)
class DeLong:
    """AUCs (k,) of k detectors on the same images, and the covariance (k, k) of these estimates."""

    auc: np.ndarray
    covariance: np.ndarray


def delong(labels: np.ndarray, scores: Sequence[np.ndarray]) -> DeLong | None:
    """Estimate AUCs and their covariance without a model of the scores (DeLong, DeLong & Clarke-Pearson
    1988), from midranks in O(k n log n) (Sun & Xu 2014).

    labels (n,), scores k arrays (n,). None where a class has fewer than two images, so no variance.
    """
    fake, real = labels == 1, labels == 0
    n1, n0 = int(fake.sum()), int(real.sum())
    if min(n1, n0) < 2:
        return None
    stacked = np.stack(scores)
    among_all = _midranks(stacked)
    # For each fake the share of reals that score less, for each real the share of fakes that score more; ties
    # count half.
    above_reals = (among_all[:, fake] - _midranks(stacked[:, fake])) / n0
    below_fakes = 1 - (among_all[:, real] - _midranks(stacked[:, real])) / n1
    covariance = _covariance(above_reals) / n1 + _covariance(below_fakes) / n0
    return DeLong(above_reals.mean(axis=1), covariance)


@dataclass(frozen=True)
class AucTest:
    """A difference of two AUCs, its interval, and the test that it is zero."""

    difference: Interval
    z: float
    p_value: float


@dataclass(frozen=True)
class CorrectedAucTest(AucTest):
    """One of several such tests; p_holm: its p-value with Holm's correction for all of them."""

    p_holm: float


def auc_test(of: DeLong, a: int, b: int, confidence: float = CONFIDENCE) -> AucTest | None:
    """Test AUC_a - AUC_b of two of the detectors, two-sided, by the normal approximation.

    Equal AUCs without variance (as of two perfect detectors) give z 0 and p 1. A difference without
    variance, as between all right and all wrong, is None: there is nothing to compare it with.
    """
    difference = float(of.auc[a] - of.auc[b])
    c = of.covariance
    variance = float(c[a, a] + c[b, b] - 2 * c[a, b])
    # Where two rank the images alike, rounding leaves a last bit of the variances.
    if variance <= 1e-12 * float(c[a, a] + c[b, b]):
        if abs(difference) > 1e-12:
            return None
        return AucTest(Interval(0.0, 0.0, 0.0), 0.0, 1.0)
    error = sqrt(variance)
    z = difference / error
    half = NormalDist().inv_cdf(1 - (1 - confidence) / 2) * error
    return AucTest(Interval(difference, difference - half, difference + half), z, erfc(abs(z) / sqrt(2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false rejection among them stays at the level tested (Holm
    1979)."""
    m = len(p_values)
    adjusted = [0.0] * m
    largest = 0.0
    for rank, i in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (m - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _discordant(right_a: np.ndarray, right_b: np.ndarray) -> tuple[int, int]:
    return int(np.count_nonzero(right_a & ~right_b)), int(np.count_nonzero(right_b & ~right_a))


def _midranks(rows: np.ndarray) -> np.ndarray:
    """Return the ranks, from 1, within each row; ties share their mean. (scipy.stats has this, but
    to import it takes longer than all that the stage computes.)"""
    ranks = np.empty(rows.shape)
    for row, of in zip(rows, ranks, strict=True):
        ordered = np.sort(row)
        below, up_to = (np.searchsorted(ordered, row, side) for side in ("left", "right"))
        of[:] = (below + up_to + 1) / 2
    return ranks


def _covariance(rows: np.ndarray) -> np.ndarray:
    """Return the sample covariance (k, k) of k rows, without a matrix product, whose order of summation would
    depend on the processor."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return (centred[:, None, :] * centred[None, :, :]).sum(axis=2) / (rows.shape[1] - 1)
