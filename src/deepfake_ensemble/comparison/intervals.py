"""How certain a figure is: one method of interval for each kind of figure (docs/statistics.md)."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import exp, factorial, hypot, sqrt
from statistics import NormalDist
from typing import Generic, TypeVar

import numpy as np

from deepfake_ensemble.scoring.scores import Confusion

CONFIDENCE = 0.95

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class ByMetric(Generic[T]):
    """What is said of each metric that has an interval; of precision None where nothing is called fake."""

    accuracy: T
    precision: T | None
    recall: T
    f1: T
    auc: T
    average_precision: T
    log_loss: T

    def combined(self, other: "ByMetric[T]", join: Callable[[T, T], U]) -> "ByMetric[U]":
        """Return what `join` makes of each metric of this and of another."""
        precision = None
        if self.precision is not None and other.precision is not None:
            precision = join(self.precision, other.precision)
        return ByMetric(
            accuracy=join(self.accuracy, other.accuracy),
            precision=precision,
            recall=join(self.recall, other.recall),
            f1=join(self.f1, other.f1),
            auc=join(self.auc, other.auc),
            average_precision=join(self.average_precision, other.average_precision),
            log_loss=join(self.log_loss, other.log_loss),
        )


METRICS = tuple(field.name for field in fields(ByMetric))


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its confidence interval; both None where these images cannot tell them."""

    value: float
    ci_low: float | None
    ci_high: float | None

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends, of a figure that has them."""
        if self.ci_low is None or self.ci_high is None:
            raise ValueError("an interval without ends")
        return self.ci_low, self.ci_high


Figures = ByMetric[Interval]


def quantile(confidence: float) -> float:
    """Return the standard normal quantile z between whose negative and itself the share `confidence` lies."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return a share with its score interval (Wilson 1927); n >= 1.

    With one to three successes or failures (two for n up to 50), the end towards 0 or 1 is the Poisson
    distribution's (Brown, Cai & DasGupta 2001, section 4.1.1): Wilson's own holds the true share there in
    fewer cases than it says.

    Args:
        successes: from 0 to n.
        n: at least 1.
        confidence: of the interval, between 0 and 1.
    """
    z = quantile(confidence)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    few = 2 if n <= 50 else 3
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    if 2 * successes < n and successes <= few:
        low = _poisson_mean(successes, 1 - confidence) / n
    if 2 * successes > n and n - successes <= few:
        high = 1 - _poisson_mean(n - successes, 1 - confidence) / n
    return Interval(share, min(low, share), max(high, share))


def _poisson_mean(count: int, tail: float) -> float:
    """Return the mean with which a Poisson variable reaches `count` with the probability `tail`."""

    def reached(mean: float) -> float:
        return 1 - exp(-mean) * sum(mean**k / factorial(k) for k in range(count))

    return bisected(lambda mean: reached(mean) < tail, 0.0, float(count)) if count else 0.0


def bisected(below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `below`, which is true at `low` and changes once, turns false.

    Args:
        below: true at `low`; changes once.
        low: the lower end of the search.
        high: its upper end.
    """
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def f1(c: Confusion, confidence: float = CONFIDENCE, reals_per_fake: float | None = None) -> Interval:
    """Return F1 = 2 t / (1 + t + r f) of t of the fakes and f of the reals called fake.

    The ends are where the ends of both shares would bring it, one at a time, taken together by squares as in
    `independent`.

    Args:
        c: the counts behind both shares.
        confidence: of the interval.
        reals_per_fake: r, that F1 depends on; None takes what the images have.
    """
    fakes, reals = c.tp + c.fn, c.fp + c.tn
    found, called = wilson(c.tp, fakes, confidence), wilson(c.fp, reals, confidence)
    r = reals / fakes if reals_per_fake is None else reals_per_fake

    def score(t: float, f: float) -> float:
        return 2 * t / (1 + t + r * f)

    value = score(found.value, called.value)
    below = score(found.ends[0], called.value), score(found.value, called.ends[1])
    above = score(found.ends[1], called.value), score(found.value, called.ends[0])
    return Interval(
        value,
        max(0.0, value - hypot(*(value - end for end in below))),
        min(1.0, value + hypot(*(value - end for end in above))),
    )


def p_above(c: Confusion, bar: float) -> float:
    """Return the one-sided p-value that F1 is no more than a bar, from the interval that ends there.

    Args:
        c: the counts behind F1.
        bar: what it is held against, between 0 and 1.
    """
    more = f1(c).value > bar

    def holds_not(confidence: float) -> bool:
        low, high = f1(c, confidence).ends
        return low > bar if more else high < bar

    left = (1 - bisected(holds_not, 0.0, 1 - 1e-12)) / 2
    return left if more else 1 - left


def independent(a: Interval, b: Interval) -> Interval:
    """Return the difference a - b of two figures of unlike images, from the intervals of both.

    By squares of the distances to the ends: Newcombe's method 10 for shares (1998), Zou & Donner's (2008) for
    other figures. The ends are None where those of either are.

    Args:
        a: the one figure.
        b: the other, of other images.
    """
    difference = a.value - b.value
    if a.ci_low is None or a.ci_high is None or b.ci_low is None or b.ci_high is None:
        return Interval(difference, None, None)
    return Interval(
        difference,
        difference - sqrt((a.value - a.ci_low) ** 2 + (b.ci_high - b.value) ** 2),
        difference + sqrt((a.ci_high - a.value) ** 2 + (b.value - b.ci_low) ** 2),
    )


def tango_z(only_a: int, only_b: int, n: int, difference: float) -> float:
    """Return the score statistic of the hypothesis that two shares of the same n images differ by so much.

    Args:
        only_a: images that only the first gets right.
        only_b: images that only the second gets right.
        n: all images.
        difference: the first share less the second, between -1 and 1 (Tango 1998).
    """
    b = (2 * n - only_a + only_b) * difference - only_a - only_b
    c = -only_b * difference * (1 - difference)
    only_b_expected = (sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * only_b_expected + difference * (1 - difference))
    distance = only_a - only_b - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else distance * float("inf")
    return distance / sqrt(variance)


def paired(only_a: int, only_b: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the difference of two shares of the same n images with its score interval (Tango 1998).

    Args:
        only_a: images with the property by the first measure alone.
        only_b: by the second alone.
        n: all images.
        confidence: of the interval, between 0 and 1.
    """
    z, value = quantile(confidence), (only_a - only_b) / n
    return Interval(
        value,
        bisected(lambda it: tango_z(only_a, only_b, n, it) > z, -1.0, value),
        bisected(lambda it: tango_z(only_a, only_b, n, it) > -z, value, 1.0),
    )


def mean(values: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Return a mean with Student's interval; the ends are None where the values do not vary.

    Args:
        values: (n,).
        confidence: of the interval, between 0 and 1.
    """
    from scipy.special import stdtrit

    n, value = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / sqrt(n) if n > 1 else 0.0
    if error <= 1e-15 * max(1.0, abs(value)):
        return Interval(value, None, None)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    return Interval(value, value - half, value + half)
