"""What was measured of the detectors, summarised for the model file's metadata."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.comparison.comparison import Comparison
from deepfake_ensemble.comparison.intervals import wilson
from deepfake_ensemble.evaluation.metrics import bin_indices
from deepfake_ensemble.portable.metadata import (
    CalibrationBin,
    DataSetResults,
    DetectorResults,
    ThresholdCounts,
)
from deepfake_ensemble.scoring.scores import confusion

# What a threshold may be, beside the operating points: for each, its errors are kept.
STEPS = tuple(step / 100 for step in range(1, 100))

LICENCE = (
    "MIT, as far as it is this project's to give. The images it was trained on are not part of it; they have"
    " terms of their own, which their publishers state or leave unstated."
)
LIMITS = (
    "It tells apart images like those it was trained on; on others its errors are others, and mostly more.",
    "It looks at a whole face, or a whole image, scaled down: details get lost.",
    "A high P(fake) is no proof and a low one no certificate: it is not for decisions about people.",
    "In a collection where fakes are rarer than in the test, more of what it calls fake is real.",
    "Changes made to deceive it are likely to.",
)


def description(data_set: DataSet, source: Source) -> str:
    """Return in words what a data set is, and where it came from."""
    made = "synthesised in the layout of" if source == "sample" else "from"
    return f"{data_set.archive}, {made} {data_set.kaggle}"


def operating_points(compared: Comparison) -> dict[str, dict[str, float | None]]:
    """Return the thresholds by detector and name from a comparison, as the stage `compare` wrote it."""
    return {
        name: {point: found.threshold for point, found in points.items()}
        for name, points in compared.operating_points.items()
    }


def data_set_results(
    name: str,
    data: str,
    compared: Comparison,
    *,
    labels: NDArray[np.int64],
    p_fake: Mapping[str, NDArray[np.float64]],
    unlike_pixels: NDArray[np.bool_],
    unlike_features: NDArray[np.bool_],
    bins: int,
) -> DataSetResults:
    """Return what was measured on one data set.

    Args:
        name: as reports/evaluation has it.
        data: what it is, in words.
        compared: what the stage `compare` found on it.
        labels: of its images (n,).
        p_fake: by each detector (n,).
        unlike_pixels: whether the pixels' statistics of each image are flagged.
        unlike_features: whether the networks' features are, of each image that was asked.
        bins: equal-width ones, of the calibration.
    """
    confidence = compared.confidence
    points = operating_points(compared)
    fakes = int(labels.sum())
    return DataSetResults(
        name=name,
        data=data,
        n_fake=fakes,
        n_real=len(labels) - fakes,
        confidence=confidence,
        unlike_pixels=wilson(int(unlike_pixels.sum()), len(unlike_pixels), confidence),
        unlike_features=wilson(int(unlike_features.sum()), len(unlike_features), confidence),
        detectors={
            detector: DetectorResults(
                metrics={name: of for name, of in vars(compared.detectors[detector]).items() if of},
                calibration=_calibration(labels, p, bins, confidence),
                called_fake=_called_fake(labels, p, [t for t in points[detector].values() if t is not None]),
            )
            for detector, p in p_fake.items()
        },
    )


def _calibration(
    labels: NDArray[np.int64], p_fake: NDArray[np.float64], bins: int, confidence: float
) -> tuple[CalibrationBin, ...]:
    index = bin_indices(p_fake, bins)
    n = np.bincount(index, minlength=bins)
    fakes = np.bincount(index[labels == 1], minlength=bins)
    return tuple(
        CalibrationBin(k / bins, (k + 1) / bins, int(n[k]), wilson(int(fakes[k]), int(n[k]), confidence))
        for k in np.flatnonzero(n).tolist()
    )


def _called_fake(
    labels: NDArray[np.int64], p_fake: NDArray[np.float64], points: Sequence[float]
) -> ThresholdCounts:
    thresholds = sorted({*STEPS, *points})
    found = [confusion(labels, p_fake, threshold) for threshold in thresholds]
    return ThresholdCounts(tuple(thresholds), tuple(it.tp for it in found), tuple(it.fp for it in found))
