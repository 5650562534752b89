"""Learning curves of the second study, as a run's own file, and as tables for plots."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_csv, write_json
from deepfake_ensemble.inference import left_out as results_folder

FILE = "curves.json"
# What is known of each evaluation: after which batch it came, that one's learning rate, the mean loss since
# the evaluation before, and scores on validation.
FIGURES = (
    "batch",
    "learning_rate",
    "loss",
    "val_f1",
    "val_precision",
    "val_recall",
    "val_accuracy",
    "val_log_loss",
)


def write(folder: Path, curves: Mapping[str, list[float]], best: int) -> None:
    """Write a run's curves.

    Args:
        folder: of the run.
        curves: FIGURES, each by evaluation.
        best: the index of the evaluation whose weights were kept.
    """
    # Nine digits tell all float32 values apart and hide none.
    rounded = {name: [float(f"{value:.9g}") for value in curves[name]] for name in FIGURES}
    write_json(folder / FILE, {"best": best, **rounded})


def read(folder: Path) -> dict[str, Any] | None:
    """Return what `write` wrote; None if the run was left out.

    Raises:
        UserError: if the folder is missing or damaged.
    """
    if results_folder.why_empty(folder) is not None:
        return None
    try:
        return json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / FILE}: damaged ({error}); `dvc checkout` restores it") from None


def summary(curves: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the checkpoint that was kept reached on validation."""
    best = curves["best"]
    return {
        "batches": int(curves["batch"][-1]),
        "best_batch": int(curves["batch"][best]),
        **{name: curves[name][best] for name in ("loss", "val_f1", "val_accuracy", "val_log_loss")},
    }


def write_table(path: Path, curves: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the evaluations of all runs that were done: a row each, with the run's name and FIGURES."""
    rows = [
        (run, int(batch), *values)
        for run, of in curves.items()
        for batch, *values in zip(*(of[figure] for figure in FIGURES), strict=True)
    ]
    write_csv(path, ("run", *FIGURES), rows)
