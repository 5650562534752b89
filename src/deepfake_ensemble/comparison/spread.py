"""How certain one training is: what figures do when it is repeated with other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np

from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval, mean
from deepfake_ensemble.comparison.paired import Tested
from deepfake_ensemble.comparison.sample import Sample
from deepfake_ensemble.foundation.errors import UserError


@dataclass(frozen=True)
class Spread:
    """A figure over repeated trainings on the same images.

    Attributes:
        values: by seed.
        mean: with Student's interval over seeds; without ends where all are the same.
        deviation: their standard deviation.
        repeatability: what the difference between two further trainings stays below, as often as the
            confidence says: √2 standard deviations times Student's quantile, for so few seeds tell the
            standard deviation only roughly. None where all values are the same.
    """

    values: Sequence[float]
    mean: Interval
    deviation: float
    repeatability: float | None


def spread(values: Sequence[float], confidence: float = CONFIDENCE) -> Spread:
    """Return the spread of at least two values.

    Raises:
        UserError: if there are fewer.
    """
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        raise UserError("seeds: a spread needs at least two of them; add another")
    deviation = float(np.std(values, ddof=1))
    over_seeds = mean(np.array(values), confidence)
    factor = float(stdtrit(n - 1, (1 + confidence) / 2)) * sqrt(2)
    return Spread(
        tuple(values), over_seeds, deviation, None if over_seeds.ci_low is None else factor * deviation
    )


@dataclass(frozen=True)
class CrossedEffects:
    """A mean over seeds and images, for trainings and images like these.

    Attributes:
        mean: with an interval that holds both.
        of_seeds: the share of its variance that comes of the seeds, and of what they do to single images.
        of_images: the share that comes of the images.
    """

    mean: Interval
    of_seeds: float
    of_images: float


def crossed_effects(values: np.ndarray, confidence: float = CONFIDENCE) -> CrossedEffects:
    """Return the mean of values of several seeds (rows) on the same images (columns), (seeds, images).

    Both are random effects, as in the analysis of many readers who look at the same cases (Dorfman, Berbaum &
    Metz 1992). What each of them alone would add to the mean on either side, by Student's quantile for so
    many seeds or images, is taken together by squares (Graybill & Wang 1980): Hillis' degrees of freedom hold
    the true mean in fewer cases with three seeds. Seeds that agree on all images tell nothing of others: then
    the interval has no ends.

    Args:
        values: (seeds, images).
        confidence: of the interval, between 0 and 1.
    """
    from scipy.special import stdtrit

    seeds, images = values.shape
    by_seed, by_image, total = values.mean(axis=1), values.mean(axis=0), float(values.mean())
    rest = values - by_seed[:, None] - by_image[None, :] + total
    of_seeds = images * float(np.square(by_seed - total).sum()) / (seeds - 1)
    of_images = seeds * float(np.square(by_image - total).sum()) / (images - 1)
    of_rest = float(np.square(rest).sum()) / ((seeds - 1) * (images - 1))
    more = max(of_images - of_rest, 0.0)
    whole = of_seeds + more
    if whole <= 1e-15:
        return CrossedEffects(Interval(total, None, None), 0.0, 0.0)
    shares = of_seeds / whole, more / whole
    if of_seeds <= 1e-15 * whole:
        return CrossedEffects(Interval(total, None, None), *shares)
    factors = (float(stdtrit(n - 1, (1 + confidence) / 2)) for n in (seeds, images))
    half = hypot(*(f * sqrt(of) for f, of in zip(factors, (of_seeds, more), strict=True)))
    half /= sqrt(seeds * images)
    return CrossedEffects(Interval(total, total - half, total + half), *shares)


def by_image(of: Sample, first: str, second: str, metric: Tested) -> np.ndarray:
    """Return what each image contributes to the gain of one detector over another, (n,): their mean is the
    gain. Of AUC these are the pseudo-values whose variance is DeLong's.

    Args:
        of: the images.
        first: the detector that may gain.
        second: the one it is compared with.
        metric: of the gain.
    """
    a, b = of.detectors[first], of.detectors[second]
    if metric == "accuracy":
        return a.right.astype(np.float64) - b.right
    if metric == "log_loss":
        return b.losses - a.losses
    n, gain = len(of.labels), a.placements.auc - b.placements.auc
    found = np.empty(n)
    for label, one, other in (
        (1, a.placements.fakes, b.placements.fakes),
        (0, a.placements.reals, b.placements.reals),
    ):
        found[of.labels == label] = gain + n / len(one) * (one - other - gain)
    return found
