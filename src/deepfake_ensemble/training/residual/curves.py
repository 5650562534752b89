"""Learning curves of the second study, as tables for plots and as what the report reads."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_csv
from deepfake_ensemble.inference import left_out as results_folder

FILE = "curves.json"


def read(folder: Path) -> dict[str, Any] | None:
    """Read a run's curves: `best`, the index of the evaluation that was kept, and `fitting.FIGURES`.

    None if the run was left out. UserError if the file is damaged.
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
