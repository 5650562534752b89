"""Tables behind the plots of an evaluation."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deepfake_ensemble.evaluation.metrics import precision_recall_curve, roc_curve
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.evaluation.settings import EvaluationParams
from deepfake_ensemble.foundation.files import replacing_folder, write_csv
from deepfake_ensemble.scoring.scores import confusion


def write(
    folder: Path, labels: np.ndarray, detectors: Mapping[str, np.ndarray], settings: EvaluationParams
) -> None:
    """Write `roc/NAME.csv` and `precision_recall/NAME.csv` for each detector, and `confusion.csv` for all."""
    points = settings.curve_points
    with replacing_folder(folder / "roc") as roc:
        for name, p_fake in detectors.items():
            curve = rounded(np.column_stack(roc_curve(labels, p_fake, points)))
            write_csv(roc / f"{name}.csv", ("false_positive_rate", "true_positive_rate"), curve)
    with replacing_folder(folder / "precision_recall") as precision_recall:
        for name, p_fake in detectors.items():
            curve = rounded(np.column_stack(precision_recall_curve(labels, p_fake, points)))
            write_csv(precision_recall / f"{name}.csv", ("recall", "precision"), curve)
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
