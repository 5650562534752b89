"""The page's sections, each on one question: what its template shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from deepfake_ensemble.comparison.comparison import NoThreshold
from deepfake_ensemble.comparison.operating_points import ANSWERED, OperatingPoint
from deepfake_ensemble.pages.numbers import Number, percent
from deepfake_ensemble.pages.rendering import Figure, Section, drawn
from deepfake_ensemble.studies.ensemble.report import figures
from deepfake_ensemble.studies.ensemble.report.implications import THRESHOLDS, implications
from deepfake_ensemble.studies.ensemble.report.method_figures import pipeline
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, Study

CONSTANT = "The grey line is a constant answer."


def sections(study: Study, flip: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> list[Section]:
    """Return all sections; `flip` are a face's pixels (size, size, 3) before and after the flip."""
    return [
        Section("The answer in full", "in_full.html"),
        detectors(study),
        *([] if study.is_alone else _of_several(study)),
        calibration(study),
        operating_points(study),
        Section("Practical implications", "implications.html", implications(study)),
        cross_data_set(study),
        training(study),
        Section("Data", "data.html"),
        methods(study, flip),
    ]


def _of_several(study: Study) -> list[Section]:
    return [Section("Is it more than chance?", "tests.html"), members(study), weightings(study)]


@dataclass(frozen=True)
class Detectors:
    """Every detector's curves and confusion matrices, by data set."""

    roc: Sequence[Figure]
    precision_recall: Sequence[Figure]
    confusion: Sequence[Figure]


def detectors(study: Study) -> Section:
    """Every detector's metrics, ROC and precision-recall curves, confusion matrices."""
    view = Detectors(
        roc=_of_each(study, figures.roc, "ROC curves on {}. The grey line is guessing."),
        precision_recall=_of_each(
            study, figures.precision_recall, "Precision over recall on {}. The grey line is guessing."
        ),
        confusion=_of_each(
            study,
            figures.confusion,
            "Confusion matrices on {}, shaded by the share of each class.",
            wide=True,
        ),
    )
    return Section("The detectors", "detectors.html", view)


@dataclass(frozen=True)
class Members:
    """What the members get wrong together and add to each other, by data set."""

    wrong_together: Sequence[Figure]
    leave_one_out_gain: Sequence[Figure]
    subsets: Sequence[Figure]


def members(study: Study) -> Section:
    """Complementarity: what the members get wrong together, and what each is worth to the others."""
    view = Members(
        wrong_together=_of_each(
            study, figures.wrong_together, "How many images so many of the models get wrong, on {}."
        ),
        leave_one_out_gain=_of_each(
            study,
            figures.leave_one_out_gain,
            "What each member adds to the others' ensemble on {}, with Tango's intervals.",
        ),
        subsets=_of_each(
            study,
            figures.subsets,
            "Accuracy of the ensemble of every subset on {}, with Wilson's intervals: its members are marked "
            "below, and weighted by their validation accuracy, whatever the ensemble's weighting. "
            + CONSTANT,
            wide=True,
        ),
    )
    return Section("What each member adds", "members.html", view)


def weightings(study: Study) -> Section:
    """The study's weights beside equal ones and those that are best on validation."""
    caption = "Weights by method. They come from validation, so they are the same for every data set."
    (figure,) = drawn(study.evaluations[:1], figures.weightings, lambda _: caption, wide=True)
    return Section("Do the weights matter?", "weightings.html", figure)


@dataclass(frozen=True)
class Probabilities:
    """Reliability by data set; answered: the shares of the surest images."""

    reliability: Sequence[Figure]
    answered: Sequence[Number]


def calibration(study: Study) -> Section:
    """Reliability curves, the Brier score's parts, temperature scaling, and the surest images."""
    view = Probabilities(
        reliability=_of_each(
            study,
            figures.reliability,
            "Reliability on {}, and how many images each bin has. The grey line is perfect calibration.",
        ),
        answered=[percent(share, 2) for share in ANSWERED],
    )
    return Section("Are the probabilities right?", "calibration.html", view)


@dataclass(frozen=True)
class Thresholds:
    """What thresholds do on one data set.

    Attributes:
        evaluation: of the data set.
        points: detector, what the threshold was chosen for, and what it does.
        missing: by what no threshold was found for, and why, the detectors that lack it.
    """

    evaluation: Evaluation
    points: Sequence[tuple[str, str, OperatingPoint]]
    missing: Mapping[tuple[str, str], Sequence[str]]


def operating_points(study: Study) -> Section:
    """What other thresholds do, chosen on validation."""
    return Section("Other thresholds", "operating_points.html", list(map(_thresholds, study.evaluations)))


def _thresholds(evaluation: Evaluation) -> Thresholds:
    points: list[tuple[str, str, OperatingPoint]] = []
    missing: dict[tuple[str, str], list[str]] = {}
    for name, of in evaluation.compared.operating_points.items():
        for chosen, point in of.items():
            if isinstance(point, NoThreshold):
                missing.setdefault((THRESHOLDS[chosen], point.reason), []).append(name)
            else:
                points.append((name, THRESHOLDS[chosen], point))
    return Thresholds(evaluation, points, missing)


def cross_data_set(study: Study) -> Section:
    """What is lost on other data sets, and on which of their subjects."""
    whose = "" if study.is_alone else " the ensemble's"
    view = {
        each.name: [
            *drawn(
                [each],
                figures.drop,
                lambda of: (
                    f"Accuracy on the internal test and on {of.place}, with Wilson's intervals. {CONSTANT}"
                ),
            ),
            *drawn(
                [each] if any(of.detectors for of in each.drop.subjects.values()) else [],
                figures.subjects,
                lambda of: f"Accuracy on {of.place} by what the images show,{whose} with Wilson's intervals.",
            ),
        ]
        for each in study.evaluations
        if each.drop
    }
    return Section("Across data sets", "across.html", view)


def training(study: Study) -> Section:
    """Learning curves, and what each model's best epoch reached."""
    curves = {
        "loss": "Training loss, with the penalty on weights",
        "val_loss": "Validation loss, by which the best epoch is chosen",
        "accuracy": "Training accuracy, with dropout at work",
        "val_accuracy": "Validation accuracy",
    }
    view = drawn(
        curves,
        lambda curve: figures.learning(study, curve),
        lambda curve: f"{curves[curve]}. The best epoch is marked.",
    )
    return Section("Training", "training.html", view)


@dataclass(frozen=True)
class Making:
    """The study's figures 3.1 and 3.2; flip: what an image of the latter shows, and its pixels."""

    pipeline: Figure
    flip: Mapping[str, NDArray[np.uint8]]


def methods(study: Study, flip: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> Section:
    """The pipeline, the flip, the run's configuration and fingerprint."""
    view = Making(
        pipeline=Figure(
            Markup(pipeline(study)), "The study's figure 3.1: from the archives to the analysis.", wide=True
        ),
        flip=dict(zip(("a face", "the same face, mirrored"), flip, strict=True)),
    )
    return Section("How it was made", "making.html", view)


def with_intervals(study: Study) -> list[Figure]:
    """Return the figures of the page's opening."""
    return _of_each(
        study,
        figures.with_intervals,
        "Accuracy with Wilson's intervals, AUC with DeLong's, on {}. The grey lines are a constant answer.",
    )


def _of_each(
    study: Study, draw: Callable[[Evaluation], str], caption: str, *, wide: bool = False
) -> list[Figure]:
    """Return a figure of each data set; `{}` in the caption is its place."""
    return drawn(study.evaluations, draw, lambda each: caption.format(each.place), wide=wide)
