"""Detectors on the same images: their figures there, what differs between them, and how certain that is."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ensemble.comparison import delong
from deepfake_ensemble.comparison import intervals as kinds
from deepfake_ensemble.comparison.delong import Placements, placements
from deepfake_ensemble.comparison.intervals import CONFIDENCE, METRICS, Figures, Interval, independent, wilson
from deepfake_ensemble.evaluation.metrics import log_losses, metrics
from deepfake_ensemble.evaluation.probabilities import SMALLEST
from deepfake_ensemble.scoring.scores import THRESHOLD, Confusion, confusion, require_both_classes

# The metrics that are resampled: no formula gives an interval to them, or to a difference of two.
RESAMPLED = ("precision", "f1", "average_precision", "log_loss")

# Numbers held at a time for each array: few enough for the processor's cache, whatever the number of images.
_BATCH = 2**14


@dataclass(frozen=True)
class Detector:
    """One detector on a sample of images.

    estimates: its metrics, precision None where nothing is called fake; counts: of right and wrong answers;
    right: (n,) bool; losses: (n,) log losses; placements: behind its AUC; resampled: by RESAMPLED metric,
    (resamples,), NaN where undefined.
    """

    estimates: dict[str, float | None]
    counts: Confusion
    right: np.ndarray
    losses: np.ndarray
    placements: Placements
    resampled: dict[str, np.ndarray]


@dataclass(frozen=True)
class Sample:
    """Detectors on the same images. Resample r is of the same images for each of them, so that differences
    between them are paired."""

    labels: np.ndarray
    detectors: dict[str, Detector]


def sample(
    labels: np.ndarray,
    p_fake: Mapping[str, np.ndarray],
    *,
    resamples: int,
    seed: int | Sequence[int],
    threshold: float = THRESHOLD,
    smallest: float = SMALLEST,
) -> Sample:
    """Measure detectors on the images, and on resamples with replacement of each class by itself (the
    stratified bootstrap; Efron & Tibshirani 1993).

    A resample is how often each image is drawn, so scores are sorted once and a resample costs no sorting.

    Args:
        labels: (n,), 1 is fake.
        p_fake: each detector's P(fake), (n,).
        resamples: how many.
        seed: of the draws.
        threshold: an image is called fake from this P(fake) up.
        smallest: probability that log loss counts.

    Raises:
        UserError: unless both classes occur.
    """
    require_both_classes(labels)
    n1 = int(np.count_nonzero(labels))
    n0 = len(labels) - n1
    draw_fake, draw_real = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    # Detectors that say the same (a weighting may equal another) are measured once.
    kinds_of = {name: np.asarray(p, dtype=np.float64).tobytes() for name, p in p_fake.items()}
    distinct = {kinds_of[name]: p for name, p in p_fake.items()}
    ranked = {kind: _ranked(labels, p, threshold, smallest) for kind, p in distinct.items()}
    parts: dict[bytes, list[np.ndarray]] = {kind: [] for kind in distinct}
    batch = max(1, _BATCH // len(labels))
    for start in range(0, resamples, batch):
        rows = min(batch, resamples - start)
        fakes, reals = _draw(draw_fake, rows, n1), _draw(draw_real, rows, n0)
        drawn = _Draws(fakes, reals, fakes.astype(np.float64), reals.astype(np.float64))
        for kind, of in ranked.items():
            parts[kind].append(_resampled(of, drawn))
    measured = {}
    for kind, p in distinct.items():
        figures, counts = metrics(labels, p, threshold, smallest=smallest), confusion(labels, p, threshold)
        estimates = {metric: getattr(figures, metric) for metric in METRICS}
        measured[kind] = Detector(
            estimates=estimates | ({} if counts.tp + counts.fp else {"precision": None}),
            counts=counts,
            right=(p >= threshold) == labels,
            losses=log_losses(labels, p, smallest),
            placements=placements(labels, p),
            resampled=dict(zip(RESAMPLED, np.concatenate(parts[kind], axis=1), strict=True)),
        )
    return Sample(labels, {name: measured[kind] for name, kind in kinds_of.items()})


def stream(seed: int, name: str) -> list[int]:
    """Return the seed of one sample's own random numbers: none shares them with one of another name."""
    return [seed, zlib.crc32(name.encode())]


def percentiles(value: float, resampled: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Return the percentile interval of a figure, from its values on resamples; those that are NaN do not
    count. The ends are None where all resamples agree: these images cannot tell them.

    Args:
        value: on the images themselves.
        resampled: (resamples,), the same figure on each.
        confidence: of the interval, between 0 and 1.
    """
    defined = resampled[~np.isnan(resampled)]
    if not len(defined) or np.ptp(defined) <= 1e-12 * max(1.0, abs(value)):
        return Interval(value, None, None)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, min(float(low), value), max(float(high), value))


def intervals(of: Sample, detector: str, confidence: float = CONFIDENCE) -> Figures:
    """Return all figures of one detector with their intervals.

    Args:
        of: the images.
        detector: its name in it.
        confidence: of the interval, between 0 and 1.
    """
    it = of.detectors[detector]
    c = it.counts
    resampled = {
        metric: percentiles(it.estimates[metric] or 0.0, it.resampled[metric], confidence)
        for metric in ("average_precision", "log_loss")
    }
    return Figures(
        accuracy=wilson(c.tp + c.tn, len(of.labels), confidence),
        precision=wilson(c.tp, c.tp + c.fp, confidence) if c.tp + c.fp else None,
        recall=wilson(c.tp, c.tp + c.fn, confidence),
        f1=kinds.f1(c, confidence),
        auc=delong.interval(it.placements, confidence),
        **resampled,
    )


def differences(of: Sample, a: str, b: str, confidence: float = CONFIDENCE) -> Figures:
    """Return the figures of one detector less those of another on the same images, with intervals.

    Precision's is None where either is undefined. Where all resamples agree on precision or F1, the ends
    follow from those of both figures, as if they were of unlike images.

    Args:
        of: the images.
        a: the first detector.
        b: the second.
        confidence: of the interval, between 0 and 1.
    """
    first, second = of.detectors[a], of.detectors[b]
    alone = intervals(of, a, confidence), intervals(of, b, confidence)
    fake = of.labels == 1

    def resampled(metric: str) -> Interval:
        one, other = (getattr(each, metric) for each in alone)
        change = first.resampled[metric] - second.resampled[metric]
        found = percentiles(one.value - other.value, change, confidence)
        return independent(one, other) if found.ci_low is None and metric in ("precision", "f1") else found

    return Figures(
        accuracy=kinds.paired(*discordant(first.right, second.right), len(fake), confidence),
        precision=resampled("precision") if alone[0].precision and alone[1].precision else None,
        recall=kinds.paired(*discordant(first.right[fake], second.right[fake]), int(fake.sum()), confidence),
        f1=resampled("f1"),
        auc=delong.test(first.placements, second.placements, confidence).difference,
        average_precision=resampled("average_precision"),
        log_loss=kinds.mean(first.losses - second.losses, confidence),
    )


def differences_between(a: Figures, b: Figures) -> Figures:
    """Return figures less those of unlike images, from the intervals of both."""
    return a.combined(b, independent)


def resampled_p(change: np.ndarray) -> float | None:
    """Return the two-sided p-value of no difference, from the difference's values on resamples: twice the
    share on the far side of zero, the images themselves counted as one resample (Davison & Hinkley 1997,
    section 4.2); None where all resamples agree."""
    if np.ptp(change) <= 1e-12:
        return None
    fewer = min(np.count_nonzero(change <= 0), np.count_nonzero(change >= 0))
    return min(1.0, 2 * (1 + int(fewer)) / (1 + len(change)))


def discordant(right_a: np.ndarray, right_b: np.ndarray) -> tuple[int, int]:
    """Return how many images only the first of two gets right, and how many only the second.

    Args:
        right_a: (n,) bool, where the first is right.
        right_b: (n,) bool, where the second is.
    """
    return int(np.count_nonzero(right_a & ~right_b)), int(np.count_nonzero(right_b & ~right_a))


@dataclass(frozen=True)
class _Ranked:
    """One detector's scores, reduced to what a resample needs; n1 fakes, n0 reals.

    from_low: (n0,) the reals in rising order of score; from_high: (n1,) the fakes in falling order; below:
    (n1,) for each fake of from_high the number of reals that score less; tied_end: (n1,) the index in
    from_high of the last fake with the same score; called_fake, called_real: (n1,) and (n0,) 1 where the
    fake, the real is called fake; loss_fake, loss_real: (n1,) and (n0,) log losses.
    """

    from_low: np.ndarray
    from_high: np.ndarray
    below: np.ndarray
    tied_end: np.ndarray
    called_fake: np.ndarray
    called_real: np.ndarray
    loss_fake: np.ndarray
    loss_real: np.ndarray


def _ranked(labels: np.ndarray, p_fake: np.ndarray, threshold: float, smallest: float) -> _Ranked:
    fakes, reals = p_fake[labels == 1], p_fake[labels == 0]
    losses = log_losses(labels, p_fake, smallest)
    from_low = np.argsort(reals, kind="stable")
    from_high = np.argsort(-fakes, kind="stable")
    rising, falling = reals[from_low], fakes[from_high]
    return _Ranked(
        from_low=from_low,
        from_high=from_high,
        below=np.searchsorted(rising, falling, side="left"),
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
    """Return one detector's RESAMPLED metrics (len(RESAMPLED), rows)."""
    rows, n1 = drawn.fakes.shape
    n0 = drawn.reals.shape[1]

    tp, fp = drawn.fakes_as_floats @ d.called_fake, drawn.reals_as_floats @ d.called_real
    called = tp + fp
    precision = np.divide(tp, called, out=np.full(rows, np.nan), where=called > 0)
    log_loss = (drawn.fakes_as_floats @ d.loss_fake + drawn.reals_as_floats @ d.loss_real) / (n1 + n0)

    reals = np.zeros((rows, n0 + 1), dtype=np.int64)
    np.cumsum(np.take(drawn.reals, d.from_low, axis=1), axis=1, out=reals[:, 1:])
    times = np.take(drawn.fakes, d.from_high, axis=1)
    below = np.take(reals, d.below, axis=1)
    true = np.take(np.cumsum(times, axis=1), d.tied_end, axis=1)
    # With a fake's score as threshold `true` fakes and n0 - below reals are called fake. Where that is none,
    # the fake was not drawn and counts nothing.
    share = true / np.maximum(true + (n0 - below), 1)
    average_precision = (times * share).sum(axis=1) / n1

    return np.stack([precision, 2 * tp / (n1 + called), average_precision, log_loss])
