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
    """Write a run's FIGURES, each by evaluation, and the index of the evaluation that was kept."""
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


def write_table(path: Path, curves: Mapping[str, Mapping[str, Any] | None], figure: str) -> None:
    """Write one figure of all runs over the batches, a column for each, empty where there is nothing.

    A column of a run that was left out is there too, because DVC's plots name it.
    """
    at = {
        name: dict(zip(of["batch"], of[figure], strict=True)) if of is not None else {}
        for name, of in curves.items()
    }
    batches = sorted({batch for values in at.values() for batch in values})
    rows = [(int(batch), *(values.get(batch, "") for values in at.values())) for batch in batches]
    write_csv(path, ("batch", *curves), rows)
