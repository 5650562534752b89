"""Do the images that a detector gets wrong look different from those that it gets right?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.archives.index import CLASS_NAMES
from deepfake_ensemble.comparison.delong import interval, placements
from deepfake_ensemble.comparison.intervals import CONFIDENCE, Interval, wilson
from deepfake_ensemble.comparison.paired import holm

FIFTHS = 5

K = TypeVar("K")


@dataclass(frozen=True)
class MeasureContrast:
    """One measure of images of one class, of those that are got wrong beside those that are got right.

    Attributes:
        right: median of the latter; None where there are none.
        wrong: median of the former, likewise.
        wrong_has_more: the chance that of a wrong and a right one, drawn at random, the wrong one has more of
            it (the area under the ROC curve), with DeLong's interval; None where either kind is missing.
        p_value: of Mann & Whitney's test that this is a half (1947), None as well.
        p_holm: with Holm's correction for all such tests of a detector's classes, or of its subjects.
    """

    right: float | None
    wrong: float | None
    wrong_has_more: Interval | None
    p_value: float | None
    p_holm: float | None


@dataclass(frozen=True)
class Group:
    """The images of one class, or those of them that show one thing.

    Attributes:
        images: how many.
        wrong: how many of them are got wrong.
        contrasts: by measure.
    """

    images: int
    wrong: int
    contrasts: dict[str, MeasureContrast]


@dataclass(frozen=True)
class Look:
    """What a detector's mistakes look like.

    Attributes:
        classes: real and fake images.
        wrong_by_fifth: of each class, by measure, the share got wrong of the fifth with the least of it, and
            so on to the fifth with the most; empty where a class has fewer images than that.
        subjects: the same as `classes` by what the images show.
    """

    classes: dict[str, Group]
    wrong_by_fifth: dict[str, dict[str, list[Interval]]]
    subjects: dict[str, dict[str, Group]]


@dataclass(frozen=True)
class Looks:
    """What several detectors' mistakes look like, and how sure that is: reports/mistakes.json."""

    confidence: float
    runs: dict[str, Look]


def look(
    labels: NDArray[np.int64],
    wrong: NDArray[np.bool_],
    measured: Mapping[str, NDArray[np.float64]],
    subjects: Sequence[str | None],
    confidence: float = CONFIDENCE,
) -> Look:
    """Return what a detector's mistakes look like.

    Args:
        labels: of the images, 1 for fake: (n,).
        wrong: which of them it gets wrong: (n,).
        measured: each measure of them: (n,).
        subjects: what each shows; None where that is not known.
        confidence: of all intervals.
    """
    of_class = {name: labels == label for label, name in enumerate(CLASS_NAMES)}
    shown = np.array([subject or "" for subject in subjects])

    def group(which: NDArray[np.bool_]) -> Group:
        contrasts = {name: _contrast(of[which], wrong[which], confidence) for name, of in measured.items()}
        return Group(int(which.sum()), int(wrong[which].sum()), contrasts)

    return Look(
        classes=_corrected({name: group(which) for name, which in of_class.items()}),
        wrong_by_fifth={
            name: {m: _by_fifth(of[which], wrong[which], confidence) for m, of in measured.items()}
            for name, which in of_class.items()
        },
        subjects=_by_subject(
            {
                (subject, name): group(which & (shown == subject))
                for subject in dict.fromkeys(each for each in subjects if each)
                for name, which in of_class.items()
            }
        ),
    )


def _contrast(values: NDArray[np.float64], wrong: NDArray[np.bool_], confidence: float) -> MeasureContrast:
    from scipy.stats import mannwhitneyu

    of_right, of_wrong = values[~wrong], values[wrong]
    right_median, wrong_median = (float(np.median(of)) if len(of) else None for of in (of_right, of_wrong))
    if not len(of_right) or not len(of_wrong):
        return MeasureContrast(right_median, wrong_median, None, None, None)
    more = interval(placements(wrong.astype(np.int64), values), confidence)
    p_value = float(mannwhitneyu(of_wrong, of_right).pvalue) if np.ptp(values) else 1.0
    return MeasureContrast(right_median, wrong_median, more, p_value, None)


def _by_fifth(values: NDArray[np.float64], wrong: NDArray[np.bool_], confidence: float) -> list[Interval]:
    if len(values) < FIFTHS:
        return []
    parts = np.array_split(wrong[np.argsort(values, kind="stable")], FIFTHS)
    return [wilson(int(part.sum()), len(part), confidence) for part in parts]


def _corrected(groups: Mapping[K, Group]) -> dict[K, Group]:
    """Return the groups with Holm's correction for all of their tests."""
    places = [(name, measure) for name, group in groups.items() for measure in group.contrasts]
    p_holm = dict(zip(places, holm([groups[n].contrasts[m].p_value for n, m in places]), strict=True))
    return {
        name: replace(
            group,
            contrasts={m: replace(of, p_holm=p_holm[name, m]) for m, of in group.contrasts.items()},
        )
        for name, group in groups.items()
    }


def _by_subject(groups: Mapping[tuple[str, str], Group]) -> dict[str, dict[str, Group]]:
    found: dict[str, dict[str, Group]] = {}
    for (subject, name), group in _corrected(groups).items():
        found.setdefault(subject, {})[name] = group
    return found
