"""Tables behind the plots of an evaluation: one for all detectors, of which each has rows of its own."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deepfake_ensemble.evaluation.metrics import precision_recall_curve, roc_curve
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.settings import EvaluationParams
from deepfake_ensemble.foundation.files import write_csv
from deepfake_ensemble.scoring.scores import confusion


def write(
    folder: Path, labels: np.ndarray, detectors: Mapping[str, np.ndarray], settings: EvaluationParams
) -> None:
    """Write `roc.csv`, `precision_recall.csv` and `confusion.csv`.

    Args:
        folder: of the evaluation.
        labels: (n,), 1 is fake.
        detectors: each one's P(fake): (n,).
        settings: how many points a curve has at most, and from where on an image is called fake.
    """
    for file, curve, axes in (
        ("roc.csv", roc_curve, ("false_positive_rate", "true_positive_rate")),
        ("precision_recall.csv", precision_recall_curve, ("recall", "precision")),
    ):
        points = [
            (name, *point)
            for name, p_fake in detectors.items()
            for point in rounded(np.column_stack(curve(labels, p_fake, settings.curve_points)))
        ]
        write_csv(folder / file, ("detector", *axes), points)
    matrices = []
    for name, p_fake in detectors.items():
        counts = confusion(labels, p_fake, settings.threshold)
        matrices += [
            (name, "real", "real", counts.tn),
            (name, "real", "fake", counts.fp),
            (name, "fake", "real", counts.fn),
            (name, "fake", "fake", counts.tp),
        ]
    write_csv(folder / "confusion.csv", ("detector", "actual", "predicted", "images"), matrices)
