"""Learning curves of the second study, as tables for plots and as what the report reads."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ensemble.errors import UserError
from deepfake_ensemble.files import write_csv
from deepfake_ensemble.residual import results_folder

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
        **{name: curves[name][best] for name in ("loss", "val_f1", "val_accuracy", "val_loss")},
    }


def write_pair(path: Path, curves: Mapping[str, Mapping[str, Any] | None], figure: str) -> None:
    """Write one figure of several runs over the batches, a column for each; left-out runs have none.

    Runs of one table are evaluated at the same batches; a shorter one leaves the rest of its column empty.
    """
    done = {name: of for name, of in curves.items() if of is not None}
    batches: Sequence[float] = max((of["batch"] for of in done.values()), key=len, default=[])
    rows = [
        (int(batch), *(of[figure][i] if i < len(of[figure]) else "" for of in done.values()))
        for i, batch in enumerate(batches)
    ]
    write_csv(path, ("batch", *done), rows)
