"""Is a difference between detectors on the same images more than chance?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, get_args

import numpy as np

from deepfake_ensemble.comparison import delong, intervals
from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval, bisected, quantile, tango_z
from deepfake_ensemble.comparison.sample import Sample, discordant

# The metrics that have a test of their own.
Tested = Literal["accuracy", "auc", "log_loss"]
TESTED: tuple[Tested, ...] = get_args(Tested)


@dataclass(frozen=True)
class McNemar:
    """Test that two detectors are right equally often.

    only_a, only_b: numbers of images that only this detector gets right; p_value: None where there are none.
    """

    only_a: int
    only_b: int
    p_value: float | None


@dataclass(frozen=True)
class CorrectedMcNemar(McNemar):
    """One of several such tests; p_holm: its p-value with Holm's correction for its family."""

    p_holm: float | None


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> McNemar:
    """Compare two detectors' right answers by McNemar's test (1947), exact and two-sided.

    Without images that only one of the two gets right, there is nothing to test.

    Args:
        right_a: (n,) bool, where the first detector is right.
        right_b: (n,) bool, where the second is.
    """
    from scipy.special import bdtr

    only_a, only_b = discordant(right_a, right_b)
    total = only_a + only_b
    if not total:
        return McNemar(0, 0, None)
    return McNemar(only_a, only_b, min(1.0, 2 * float(bdtr(min(only_a, only_b), total, 0.5))))


@dataclass(frozen=True)
class MeanTest:
    """Student's paired test that two detectors have the same log loss; p_value: None where nothing varies."""

    difference: Interval
    p_value: float | None


@dataclass(frozen=True)
class CorrectedMeanTest(MeanTest):
    """One of several such tests; p_holm: its p-value with Holm's correction for its family."""

    p_holm: float | None


def mean_test(differences: np.ndarray, confidence: float = CONFIDENCE) -> MeanTest:
    """Test that a difference taken image by image is zero on average.

    Args:
        differences: (n,), one an image.
        confidence: of the interval, between 0 and 1.
    """
    found = intervals.mean(differences, confidence)
    if found.ci_low is None:
        return MeanTest(found, None)
    return MeanTest(found, min(1.0, 2 * _student_tail(differences, -abs(found.value))))


def _student_tail(differences: np.ndarray, distance: float) -> float:
    """Return the chance of a mean that lies so far below (distance < 0) the true one."""
    from scipy.special import stdtr

    n = len(differences)
    return float(stdtr(n - 1, distance / (float(differences.std(ddof=1)) / sqrt(n))))


@dataclass(frozen=True)
class Contrast:
    """One metric of two detectors on the same images, the first less the second, and what can be said of it.

    gain: the difference, signed so that more is better for the first; p_value: of the test that belongs to
    the metric, None where these images cannot tell; p_holm: with Holm's correction for a family of so many
    tests; p_equivalent: of the hypothesis that the two differ by the margin or more (two one-sided tests,
    Schuirmann 1987), None where it cannot be tested; detectable: the smallest difference that the test would
    have found with the power asked for, detectable_holm: as the first of its family, None where there is
    none.
    """

    metric: Tested
    first: str
    second: str
    first_value: float
    second_value: float
    gain: Interval
    p_value: float | None
    p_holm: float | None
    family: int
    margin: float
    p_equivalent: float | None
    detectable: float | None
    detectable_holm: float | None


@dataclass(frozen=True)
class Level:
    """What contrasts are judged by: confidence, power, and by metric what differences make none."""

    confidence: float
    power: float
    margins: Mapping[str, float]


def contrast(
    of: Sample, first: str, second: str, metric: Tested, level: Level, *, p_holm: float | None, family: int
) -> Contrast:
    """Compare two detectors by one metric.

    Args:
        of: the images.
        first: the detector in question.
        second: what it is compared with.
        metric: accuracy by McNemar's exact test, AUC by DeLong's, log loss by Student's.
        level: see Level.
        p_holm: the p-value with Holm's correction; None where there was nothing to test.
        family: how many tests it is for; with one, `p_holm` is not used.
    """
    a, b = of.detectors[first], of.detectors[second]
    margin, confidence = level.margins[metric], level.confidence
    alphas = [(1 - confidence) / each for each in (1, family)]
    if metric == "accuracy":
        only_a, only_b = discordant(a.right, b.right)
        n = len(of.labels)
        gain, p = intervals.paired(only_a, only_b, n, confidence), mcnemar(a.right, b.right).p_value
        p_equivalent: float | None = max(
            normal_tail(tango_z(only_a, only_b, n, -margin)), normal_tail(-tango_z(only_a, only_b, n, margin))
        )
        detectable = [minimum_detectable_gain(only_a + only_b, n, alpha, level.power) for alpha in alphas]
    else:
        error: float | None
        if metric == "auc":
            tested = delong.test(a.placements, b.placements, confidence)
            gain, p = tested.difference, tested.p_value
            error = None if p is None else sqrt(delong.variance(a.placements, b.placements) or 0.0)
        else:
            better = b.losses - a.losses  # the less the better
            of_means = mean_test(better, confidence)
            gain, p = of_means.difference, of_means.p_value
            error = None if p is None else float(better.std(ddof=1)) / sqrt(len(better))
        if error is not None:
            p_equivalent = normal_tail((margin - abs(gain.value)) / error)
        elif metric == "auc" and not gain.value:  # all pairs that share no image are ranked alike
            p_equivalent = (1 - margin) ** a.placements.pairs
        else:
            p_equivalent = None
        detectable = [
            None if error is None else (quantile(1 - alpha) + quantile(2 * level.power - 1)) * error
            for alpha in alphas
        ]
    values = [_estimate(of, name, metric) for name in (first, second)]
    return Contrast(
        metric=metric,
        first=first,
        second=second,
        first_value=values[0],
        second_value=values[1],
        gain=gain,
        p_value=p,
        p_holm=p if family == 1 else p_holm,
        family=family,
        margin=margin,
        p_equivalent=p_equivalent,
        detectable=detectable[0],
        detectable_holm=detectable[1],
    )


def _estimate(of: Sample, name: str, metric: str) -> float:
    value = of.detectors[name].estimates[metric]
    assert value is not None  # only precision may be
    return value


def normal_tail(z: float) -> float:
    """Return the chance that a standard normal variable exceeds z."""
    from math import erfc

    return erfc(z / sqrt(2)) / 2


def minimum_detectable_gain(discordant: int, n: int, alpha: float, power: float) -> float | None:
    """Return the smallest difference of two accuracies that McNemar's test finds with a power, if so many of
    n images are got right by one of the two alone (Connor 1987); None if it finds none.

    With the share psi of such images, a difference d is found if z_alpha sqrt(psi) + z_power sqrt(psi - d^2)
    is at most d sqrt(n).

    Args:
        discordant: images that one of the two alone gets right.
        n: all images.
        alpha: of the two-sided test.
        power: the chance to find the difference; above 0.5.
    """
    psi = discordant / n
    z_alpha, z_power = quantile(1 - alpha), quantile(2 * power - 1)

    def missed(d: float) -> bool:
        return z_alpha * sqrt(psi) + z_power * sqrt(max(psi - d * d, 0.0)) > d * sqrt(n)

    # The exact test needs more than that where few images decide: all of them on one side must be enough.
    if psi == 0 or missed(psi) or 0.5 ** (discordant - 1) > alpha:
        return None
    return bisected(missed, 0.0, psi)


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
    for the share only_a / (only_a + only_b), as odds.

    Args:
        right_a: (n,) bool, where the first detector is right.
        right_b: (n,) bool, where the second is.
        confidence: of the interval, between 0 and 1.
    """
    from scipy.special import betaincinv

    only_a, only_b = discordant(right_a, right_b)
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
class CorrectedAucTest:
    """One of several of DeLong's tests; p_holm: its p-value with Holm's correction for its family."""

    difference: Interval
    p_value: float | None
    p_holm: float | None
    reason: str | None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values so that the chance of any false rejection among them stays at the level tested (Holm
    1979). Where there was nothing to test, there is no test: None stays None and does not count."""
    tested = [i for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(tested, key=lambda i: p_values[i] or 0.0)):
        largest = max(largest, min(1.0, (len(tested) - rank) * (p_values[i] or 0.0)))
        adjusted[i] = largest
    return adjusted
