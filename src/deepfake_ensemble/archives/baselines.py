"""What can be told about a class without looking at the picture: trivial features and how well they do.

A detector must beat these, and a data set where they do well has a shortcut that a network will find.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.archives.audit_report import Baseline, Baselines, LogisticBaseline

_FOLDS = 5
_DIGITS = 6  # what is left is the same on every processor


class Features(NamedTuple):
    """The trivial features of an image."""

    file_size: float
    """Bytes of the JPEG file."""
    brightness: float
    """Mean grey value, 0 to 255."""
    sharpness: float
    """Variance of the Laplacian (4-neighbour, inner pixels) of the grey values."""


def features(file_size: int, image: Image.Image) -> Features:
    """Return the trivial features of a decoded image.

    Grey is Pillow's integer approximation of ITU-R 601 luma and all sums are integers, so the result does
    not depend on the processor.

    Args:
        file_size: in bytes.
        image: RGB or grey, any size; under 3 pixels on a side it has sharpness 0.
    """
    grey = np.asarray(image.convert("L"), dtype=np.int16)
    return Features(file_size, int(grey.sum(dtype=np.int64)) / grey.size, sharpness(grey))


def sharpness(grey: NDArray[np.int16]) -> float:
    """Return the variance of the Laplacian of grey values (height, width), see `Features`."""
    if min(grey.shape) < 3:
        return 0.0
    laplacian = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    n = laplacian.size
    total = int(laplacian.sum(dtype=np.int64))
    squares = int(np.square(laplacian, dtype=np.int32).sum(dtype=np.int64))
    return (n * squares - total * total) / (n * n)


def baselines(rows: Sequence[Features], labels: Sequence[int], seed: int) -> Baselines:
    """Measure how well the trivial features tell fake (1) from real (0).

    Args:
        rows: the features of n images.
        labels: of the same images: n of 0 or 1.
        seed: of the folds.

    Returns:
        For each feature its AUC, folded to 0.5 or more, and whether fake images have the higher or the lower
        values; under `logistic` the AUC and the accuracy of a logistic regression on all of them
        (standardised, L2 with C = 1), predicted out of fold in a stratified cross-validation shuffled by
        `seed`. None where a class has too few images to say anything.
    """
    from sklearn.metrics import roc_auc_score

    truth = np.asarray(labels, dtype=np.int64)
    smallest = int(np.bincount(truth, minlength=2).min())
    single: dict[str, Baseline | None] = dict.fromkeys(Features._fields)
    logistic: LogisticBaseline | None = None
    if smallest >= 1:
        values = np.asarray(rows, dtype=np.float64)
        for name, column in zip(Features._fields, values.T, strict=True):
            auc = float(roc_auc_score(truth, column))
            fake_is = "higher" if auc > 0.5 else "lower" if auc < 0.5 else "the same"
            single[name] = Baseline(round(max(auc, 1 - auc), _DIGITS), fake_is)
    if smallest >= 2:
        folds = min(_FOLDS, smallest)
        p_fake = _out_of_fold(values, truth, folds, seed)
        logistic = LogisticBaseline(
            auc=round(float(roc_auc_score(truth, p_fake)), _DIGITS),
            accuracy=round(int(((p_fake >= 0.5) == truth).sum()) / truth.size, _DIGITS),
            folds=folds,
            n=truth.size,
        )
    return Baselines(**single, logistic=logistic)


def _out_of_fold(values: np.ndarray, truth: np.ndarray, folds: int, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Newton's method ends at the optimum to the last digits, whatever order a processor adds in.
    model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky", tol=1e-10))
    cross_validation = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return cross_val_predict(model, values, truth, cv=cross_validation, method="predict_proba")[:, 1]
