"""How much worse detectors are on images of another origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ensemble.comparison.intervals import (
    CONFIDENCE,
    METRICS,
    Bootstrap,
    ByMetric,
    Interval,
    bootstrap,
    differences,
    intervals,
)
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.scoring.scores import THRESHOLD


@dataclass(frozen=True)
class Drop:
    """One metric of one detector on both data sets, and internal - outside. The resamples of the two are
    independent, as the images are."""

    internal: Interval
    outside: Interval
    drop: Interval


def drops(
    internal: Bootstrap, outside: Bootstrap, confidence: float = CONFIDENCE
) -> dict[str, ByMetric[Drop]]:
    """Return each detector's drops by metric from bootstraps of two data sets, which need unlike seeds."""
    found = {}
    for name in internal.estimates:
        inside, out = intervals(internal, name, confidence), intervals(outside, name, confidence)
        change = differences(internal, name, outside, name, confidence)
        found[name] = ByMetric(
            *(Drop(*(getattr(of, metric) for of in (inside, out, change))) for metric in METRICS)
        )
    return found


@dataclass(frozen=True)
class Subject:
    """What detectors do on the images that show one thing, as a CIFAR-10 class.

    detectors: None, with the reason, where there are no figures.
    """

    n_real: int
    n_fake: int
    detectors: dict[str, ByMetric[Interval]] | None
    reason: str | None = None


def by_subject(
    subjects: Sequence[str],
    labels: np.ndarray,
    p_fake: Mapping[str, np.ndarray],
    *,
    resamples: int,
    seed: Sequence[int],
    threshold: float = THRESHOLD,
    confidence: float = CONFIDENCE,
) -> dict[str, Subject]:
    """Return the metrics of each subject's images; `subjects` names what each of the n images shows."""
    names, which = np.unique(np.array(subjects), return_inverse=True)
    found = {}
    for i, name in enumerate(names.tolist()):
        chosen = which == i
        n, n_fake = int(chosen.sum()), int(labels[chosen].sum())
        try:
            sampled = bootstrap(
                labels[chosen],
                {detector: p[chosen] for detector, p in p_fake.items()},
                resamples=resamples,
                seed=[*seed, i],
                threshold=threshold,
            )
        except UserError:
            reason = "there are no fake images of it" if n_fake == 0 else "there are no real images of it"
            found[name] = Subject(n - n_fake, n_fake, None, reason)
        else:
            figures = {detector: intervals(sampled, detector, confidence) for detector in p_fake}
            found[name] = Subject(n - n_fake, n_fake, figures)
    return found
