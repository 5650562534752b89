"""Learning curves, in DVCLive's layout: one table a metric, a row an epoch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_csv, write_json

# Keras' name of a metric → its table in DVCLive's layout.
TABLES = {
    "loss": "plots/metrics/train/loss.tsv",
    "accuracy": "plots/metrics/train/accuracy.tsv",
    "val_loss": "plots/metrics/val/loss.tsv",
    "val_accuracy": "plots/metrics/val/accuracy.tsv",
}


def write(folder: Path, history: Mapping[str, list[float]]) -> None:
    """Write the curves of one training, by epoch from 1, and its summary as `metrics.json`."""
    for metric, table in TABLES.items():
        rows = [(epoch, _number(value)) for epoch, value in enumerate(history[metric], start=1)]
        write_csv(folder / table, ("step", Path(table).stem), rows, delimiter="\t")
    write_json(folder / "metrics.json", summary(history))


def read_rows(folder: Path) -> list[tuple[str, ...]]:
    """Read the curves that `write` wrote: for each epoch its number and what TABLES name, as text.

    Raises:
        UserError: if a table is missing or damaged.
    """
    columns = []
    for table in TABLES.values():
        path = folder / table
        try:
            lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
            columns.append([(epoch, str(float(value))) for epoch, value in lines])
        except (OSError, ValueError):
            raise UserError(f"{path}: missing or damaged; `dvc checkout` restores it") from None
    return [(of_epoch[0][0], *(value for _, value in of_epoch)) for of_epoch in zip(*columns, strict=True)]


def summary(history: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return the best epoch (the least validation loss; its weights are the model's) and what it reached."""
    best = min(range(len(history["val_loss"])), key=history["val_loss"].__getitem__)
    return {
        "epochs": len(history["val_loss"]),
        "best_epoch": best + 1,
        **{metric: _number(history[metric][best]) for metric in TABLES},
    }


def read_summary(folder: Path) -> dict[str, Any]:
    """Read the summary that `write` wrote.

    Raises:
        UserError: if it is missing or not one.
    """
    path = folder / "metrics.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path}: missing; `dvc repro train` makes it, `dvc pull` fetches a stored one"
        ) from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); run `dvc checkout` to restore it") from None
    if not isinstance(data, dict) or data.keys() != {"epochs", "best_epoch", *TABLES}:
        raise UserError(f"{path}: no summary of a training; run `dvc checkout` to restore it")
    return data


def _number(value: float) -> float:
    # Keras reports float32 values; nine digits tell all of them apart and hide none.
    return float(f"{value:.9g}")
