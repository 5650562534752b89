"""How certain a figure is: confidence intervals from resampled images."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import sqrt
from statistics import NormalDist
from typing import Generic, TypeVar

import numpy as np

from deepfake_ensemble.evaluation.metrics import metrics
from deepfake_ensemble.scoring.scores import THRESHOLD, log_losses, require_both_classes

CONFIDENCE = 0.95

T = TypeVar("T")


@dataclass(frozen=True)
class ByMetric(Generic[T]):
    """What is said of each metric that resamples give an interval to."""

    accuracy: T
    precision: T
    recall: T
    f1: T
    auc: T
    average_precision: T
    log_loss: T


METRICS = tuple(field.name for field in fields(ByMetric))

# Numbers held at a time for each array: few enough for the processor's cache, whatever the number of images.
_BATCH = 2**14


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its confidence interval."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Bootstrap:
    """Metrics of detectors on the images themselves and on resamples of them.

    estimates[detector][metric] is the figure, resampled[detector][metric] an array (resamples,). Resample r
    is of the same images for every detector, so that differences between detectors are paired.
    """

    estimates: dict[str, dict[str, float]]
    resampled: dict[str, dict[str, np.ndarray]]


def bootstrap(
    labels: np.ndarray,
    p_fake: Mapping[str, np.ndarray],
    *,
    resamples: int,
    seed: int | Sequence[int],
    threshold: float = THRESHOLD,
) -> Bootstrap:
    """Resample the images with replacement, each class by itself (the stratified bootstrap; Efron &
    Tibshirani 1993), and compute METRICS of every detector on every resample.

    A resample is how often each image is drawn, so scores are sorted once and a resample costs no sorting.
    Raises UserError unless both classes occur.
    """
    require_both_classes(labels)
    n1 = int(np.count_nonzero(labels))
    n0 = len(labels) - n1
    draw_fake, draw_real = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    # Detectors that say the same (a weighting may equal another) are resampled once.
    kinds = {name: np.asarray(p, dtype=np.float64).tobytes() for name, p in p_fake.items()}
    distinct = {kinds[name]: p for name, p in p_fake.items()}
    ranked = {kind: _ranked(labels, p, threshold) for kind, p in distinct.items()}
    parts: dict[bytes, list[np.ndarray]] = {kind: [] for kind in distinct}
    batch = max(1, _BATCH // len(labels))
    for start in range(0, resamples, batch):
        rows = min(batch, resamples - start)
        fakes, reals = _draw(draw_fake, rows, n1), _draw(draw_real, rows, n0)
        drawn = _Draws(fakes, reals, fakes.astype(np.float64), reals.astype(np.float64))
        for kind, detector in ranked.items():
            parts[kind].append(_resampled(detector, drawn))
    estimates = {}
    resampled = {}
    for name, p in p_fake.items():
        figures = metrics(labels, p, threshold)
        estimates[name] = {metric: getattr(figures, metric) for metric in METRICS}
        resampled[name] = dict(zip(METRICS, np.concatenate(parts[kinds[name]], axis=1), strict=True))
    return Bootstrap(estimates, resampled)


def stream(seed: int, name: str) -> list[int]:
    """Return the seed of one bootstrap's own random numbers: none shares them with one of another name."""
    return [seed, zlib.crc32(name.encode())]


def interval(value: float, resampled: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Return the percentile interval of a figure, from the figure's values on resamples."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def intervals(of: Bootstrap, detector: str, confidence: float = CONFIDENCE) -> ByMetric[Interval]:
    """Return the intervals of all metrics of one detector."""
    return ByMetric(
        *(
            interval(of.estimates[detector][metric], of.resampled[detector][metric], confidence)
            for metric in METRICS
        )
    )


def differences(
    a: Bootstrap, detector_a: str, b: Bootstrap, detector_b: str, confidence: float = CONFIDENCE
) -> ByMetric[Interval]:
    """Return a - b for all metrics with intervals: paired if `a` and `b` are the same bootstrap,
    independent if they are of other images and seeds."""
    return ByMetric(
        *(
            interval(
                a.estimates[detector_a][metric] - b.estimates[detector_b][metric],
                a.resampled[detector_a][metric] - b.resampled[detector_b][metric],
                confidence,
            )
            for metric in METRICS
        )
    )


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return a share with its score interval (Wilson 1927), which has a width even at 0 and 1; n >= 1."""
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(
        share,
        0.0 if successes == 0 else max(0.0, middle - half),
        1.0 if successes == n else min(1.0, middle + half),
    )


@dataclass(frozen=True)
class _Ranked:
    """One detector's scores, reduced to what a resample needs; n1 fakes, n0 reals.

    from_low: (n0,) the reals in rising order of score; from_high: (n1,) the fakes in falling order; below,
    not_above: (n1,) for each fake of from_high the number of reals that score less, or at most as much;
    tied_end: (n1,) the index in from_high of the last fake with the same score; called_fake, called_real:
    (n1,) and (n0,) 1 where the fake, the real is called fake; loss_fake, loss_real: (n1,) and (n0,) log
    losses.
    """

    from_low: np.ndarray
    from_high: np.ndarray
    below: np.ndarray
    not_above: np.ndarray
    tied_end: np.ndarray
    called_fake: np.ndarray
    called_real: np.ndarray
    loss_fake: np.ndarray
    loss_real: np.ndarray


def _ranked(labels: np.ndarray, p_fake: np.ndarray, threshold: float) -> _Ranked:
    fakes, reals = p_fake[labels == 1], p_fake[labels == 0]
    losses = log_losses(labels, p_fake)
    from_low = np.argsort(reals, kind="stable")
    from_high = np.argsort(-fakes, kind="stable")
    rising, falling = reals[from_low], fakes[from_high]
    return _Ranked(
        from_low=from_low,
        from_high=from_high,
        below=np.searchsorted(rising, falling, side="left"),
        not_above=np.searchsorted(rising, falling, side="right"),
        tied_end=np.searchsorted(-falling, -falling, side="right") - 1,
        called_fake=(fakes >= threshold).astype(np.float64),
        called_real=(reals >= threshold).astype(np.float64),
        loss_fake=losses[labels == 1],
        loss_real=losses[labels == 0],
    )


def _draw(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """Return (rows, n) how often each of n images is drawn in n draws with replacement."""
    drawn = rng.integers(0, n, size=(rows, n)) + np.arange(rows)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)


@dataclass(frozen=True)
class _Draws:
    """How often each fake (rows, n1) and each real (rows, n0) is drawn: as integers, which are summed up
    several times as fast, and as floats for matrix products."""

    fakes: np.ndarray
    reals: np.ndarray
    fakes_as_floats: np.ndarray
    reals_as_floats: np.ndarray


def _resampled(d: _Ranked, drawn: _Draws) -> np.ndarray:
    """Return one detector's METRICS (len(METRICS), rows) on resamples."""
    rows, n1 = drawn.fakes.shape
    n0 = drawn.reals.shape[1]

    tp, fp = drawn.fakes_as_floats @ d.called_fake, drawn.reals_as_floats @ d.called_real
    called = tp + fp
    precision = np.divide(tp, called, out=np.zeros(rows), where=called > 0)
    log_loss = (drawn.fakes_as_floats @ d.loss_fake + drawn.reals_as_floats @ d.loss_real) / (n1 + n0)

    reals = np.zeros((rows, n0 + 1), dtype=np.int64)
    np.cumsum(np.take(drawn.reals, d.from_low, axis=1), axis=1, out=reals[:, 1:])
    times = np.take(drawn.fakes, d.from_high, axis=1)
    below = np.take(reals, d.below, axis=1)
    auc = (times * (below + np.take(reals, d.not_above, axis=1))).sum(axis=1) / (2 * n1 * n0)

    true = np.take(np.cumsum(times, axis=1), d.tied_end, axis=1)
    # With a fake's score as threshold `true` fakes and n0 - below reals are called fake. Where that is none,
    # the fake was not drawn and counts nothing.
    share = true / np.maximum(true + (n0 - below), 1)
    average_precision = (times * share).sum(axis=1) / n1

    return np.stack(
        [
            (tp + n0 - fp) / (n1 + n0),
            precision,
            tp / n1,
            2 * tp / (n1 + called),
            auc,
            average_precision,
            log_loss,
        ]
    )
