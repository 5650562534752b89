"""How much worse detectors are on images of another origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_ensemble.comparison.guessing import constant_answer
from deepfake_ensemble.comparison.intervals import CONFIDENCE, ByMetric, Figures, Interval, independent
from deepfake_ensemble.comparison.sample import Sample, intervals, sample
from deepfake_ensemble.evaluation.probabilities import SMALLEST
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.scoring.scores import THRESHOLD


@dataclass(frozen=True)
class Drop:
    """One metric of one detector on both data sets, and internal - outside."""

    internal: Interval
    outside: Interval
    drop: Interval


def drops(internal: Sample, outside: Sample, confidence: float = CONFIDENCE) -> dict[str, ByMetric[Drop]]:
    """Return each detector's drops by metric, from its figures on unlike images.

    Args:
        internal: figures on the internal test.
        outside: figures on other images.
        confidence: of the interval, between 0 and 1.
    """
    found = {}
    for name in internal.detectors:
        inside, out = intervals(internal, name, confidence), intervals(outside, name, confidence)
        found[name] = inside.combined(out, lambda here, there: Drop(here, there, independent(here, there)))
    return found


@dataclass(frozen=True)
class Subject:
    """What detectors do on the images that show one thing, as a CIFAR-10 class.

    detectors: None, with the reason, where there are no figures; constant: the accuracy of a constant answer,
    None in files that were written before it was told.
    """

    n_real: int
    n_fake: int
    detectors: dict[str, Figures] | None
    reason: str | None = None
    constant: float | None = None


def by_subject(
    subjects: Sequence[str],
    labels: np.ndarray,
    p_fake: Mapping[str, np.ndarray],
    *,
    resamples: int,
    seed: Sequence[int],
    threshold: float = THRESHOLD,
    confidence: float = CONFIDENCE,
    smallest: float = SMALLEST,
) -> dict[str, Subject]:
    """Return the metrics of each subject's images.

    Args:
        subjects: (n,), what each image shows.
        labels: (n,), 1 = fake, 0 = real.
        p_fake: (n,) by detector.
        resamples: behind each interval.
        seed: of these resamples.
        threshold: from which P(fake) an image is called fake.
        confidence: of the interval, between 0 and 1.
        smallest: what is nearer to 0 or 1 is taken as this far from it.
    """
    names, which = np.unique(np.array(subjects), return_inverse=True)
    found = {}
    for i, name in enumerate(names.tolist()):
        chosen = which == i
        n, n_fake = int(chosen.sum()), int(labels[chosen].sum())
        constant = constant_answer(n_fake, n).accuracy
        try:
            sampled = sample(
                labels[chosen],
                {detector: p[chosen] for detector, p in p_fake.items()},
                resamples=resamples,
                seed=[*seed, i],
                threshold=threshold,
                smallest=smallest,
            )
        except UserError:
            reason = "there are no fake images of it" if n_fake == 0 else "there are no real images of it"
            found[name] = Subject(n - n_fake, n_fake, None, reason, constant)
        else:
            figures = {detector: intervals(sampled, detector, confidence) for detector in p_fake}
            found[name] = Subject(n - n_fake, n_fake, figures, constant=constant)
    return found
