"""What detectors tell apart on perturbed images, and what their loss on another data set is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepfake_ensemble.comparison.comparison import Settings
from deepfake_ensemble.comparison.guessing import ConstantAnswer, constant_answer
from deepfake_ensemble.comparison.intervals import Figures, Interval
from deepfake_ensemble.comparison.sample import Sample, differences, differences_between, intervals
from deepfake_ensemble.evaluation.predictions import Aligned, Predictions, aligned
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.weighting import with_ensemble
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.perturbing.conditions import IMITATED, Condition

CLEAN = "clean"  # the images as they are


@dataclass(frozen=True)
class Applied:
    """What a condition does to images: see `perturbing.perturbations`."""

    kind: str
    severity: float


@dataclass(frozen=True)
class Losses:
    """What a detector loses from the images here to another data set, in parts, and its figures there.

    Attributes:
        resolution: what is lost by bringing images to the other's resolution.
        compression: what its compression costs on top.
        rest: all else.
        total: the sum of these.
        there: its figures on the other data set.
    """

    resolution: Figures
    compression: Figures
    rest: Figures
    total: Figures
    there: Figures


PARTS = ("resolution", "compression", "rest", "total")


@dataclass(frozen=True)
class RobustnessFigures:
    """What the models and their ensemble do on the same images clean and perturbed.

    Attributes:
        images: their number.
        fake_images: fake ones among them.
        threshold: an image is called fake from this P(fake) up.
        confidence: of all intervals.
        resamples: behind each of them.
        constant: what is reached by saying the same of every image.
        conditions: by name.
        detectors: by detector and condition, CLEAN first.
        lost: clean less perturbed, by detector and condition.
        losses: by data set and detector.
    """

    images: int
    fake_images: int
    threshold: float
    confidence: float
    resamples: int
    constant: ConstantAnswer
    conditions: dict[str, Applied]
    detectors: dict[str, dict[str, Figures]]
    lost: dict[str, dict[str, Figures]]
    losses: dict[str, dict[str, Losses]]

    def tellable(self, detector: str, data_set: str, metric: Literal["accuracy", "auc"]) -> list[str]:
        """Return which of PARTS can be told: those before which the detector has something left to lose, as
        its figure's interval lies above what guessing reaches; and their total."""
        floor = self.constant.accuracy if metric == "accuracy" else 0.5
        before = (CLEAN, *(f"{IMITATED}{data_set}_{step}" for step in (1, 2)))

        def above(of: Interval) -> bool:
            return (of.value if of.ci_low is None else of.ci_low) > floor

        under = self.detectors[detector]
        left = [above(getattr(under[name], metric)) for name in before]
        return [part for part, can in zip(PARTS, (*left, True), strict=True) if can]


@dataclass(frozen=True)
class NoImages:
    """Stands for the figures where a profile perturbs nothing."""

    images: Literal[0] = 0


def robustness(
    clean: Mapping[str, Predictions],
    perturbed: Mapping[Condition, Mapping[str, Predictions]],
    outside: Mapping[str, Mapping[str, Predictions]],
    ensemble_weights: Mapping[str, float],
    settings: Settings,
) -> RobustnessFigures:
    """Measure the models and their ensemble on the same images clean and perturbed.

    Args:
        clean: each model's predictions of the whole test split.
        perturbed: each model's predictions of some or all of its images under each condition.
        outside: each model's predictions of the data sets that images were likened to.
        ensemble_weights: the members' weights.
        settings: how they are measured. What is lost is paired by image.

    Raises:
        UserError: if predictions do not match each other or a class is missing.
    """
    under = {condition.name: aligned(of) for condition, of in perturbed.items()}
    paths = next(iter(under.values())).paths
    under = {CLEAN: _chosen(aligned(clean), paths), **under}
    for name, of in under.items():
        if of.paths != paths or not np.array_equal(of.labels, under[CLEAN].labels):
            raise UserError(
                f"predictions: under {name} they are not of the same images as under other conditions;"
                " `dvc repro -sf perturb` makes them anew"
            )
    labels = under[CLEAN].labels
    p_fake = {name: with_ensemble(ensemble_weights, of.p_fake) for name, of in under.items()}
    detectors = list(p_fake[CLEAN])
    confidence = settings.confidence
    here = settings.sample(
        under[CLEAN],
        {_under(detector, name): p for name, of in p_fake.items() for detector, p in of.items()},
        "perturbed",
    )

    def lost(detector: str, before: str, after: str) -> Figures:
        return differences(here, _under(detector, before), _under(detector, after), confidence)

    def parts(detector: str, data_set: str, there: Sample) -> Losses:
        resized, compressed = (f"{IMITATED}{data_set}_{step}" for step in (1, 2))
        outside = intervals(there, detector, confidence)

        def to_outside(condition: str) -> Figures:
            return differences_between(intervals(here, _under(detector, condition), confidence), outside)

        return Losses(
            resolution=lost(detector, CLEAN, resized),
            compression=lost(detector, resized, compressed),
            rest=to_outside(compressed),
            total=to_outside(CLEAN),
            there=outside,
        )

    losses = {}
    for data_set, members in outside.items():
        others = aligned(members)
        there = settings.sample(others, with_ensemble(ensemble_weights, others.p_fake), data_set)
        losses[data_set] = {detector: parts(detector, data_set, there) for detector in detectors}
    return rounded(
        RobustnessFigures(
            images=len(labels),
            fake_images=int(labels.sum()),
            threshold=settings.threshold,
            confidence=confidence,
            resamples=settings.comparing.resamples,
            constant=constant_answer(int(labels.sum()), len(labels)),
            conditions={it.name: Applied(it.kind, it.severity) for it in perturbed},
            detectors={
                detector: {name: intervals(here, _under(detector, name), confidence) for name in under}
                for detector in detectors
            },
            lost={
                detector: {name: lost(detector, CLEAN, name) for name in under if name != CLEAN}
                for detector in detectors
            },
            losses=losses,
        )
    )


def summary(found: RobustnessFigures) -> dict[str, dict[str, float]]:
    """Return what commits are compared by: each detector's accuracy on clean images, and its mean over all
    conditions."""
    return rounded(
        {
            detector: {
                "clean_accuracy": of[CLEAN].accuracy.value,
                "perturbed_accuracy": float(np.mean([of[name].accuracy.value for name in found.conditions])),
            }
            for detector, of in found.detectors.items()
        }
    )


def _under(detector: str, condition: str) -> str:
    return f"{detector} under {condition}"


def _chosen(split: Aligned, paths: Sequence[str]) -> Aligned:
    """Return the predictions of some of a split's images, in the order of `paths`."""
    position = {path: i for i, path in enumerate(split.paths)}
    missing = next((path for path in paths if path not in position), None)
    if missing is not None:
        raise UserError(
            f"predictions: {missing} was perturbed, but is not in the test split;"
            " `dvc repro -sf perturb` makes them anew"
        )
    rows = [position[path] for path in paths]
    return Aligned(
        tuple(paths), split.labels[rows], {name: p_fake[rows] for name, p_fake in split.p_fake.items()}
    )
