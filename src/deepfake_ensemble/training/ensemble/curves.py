"""Learning curves, in DVCLive's layout: one table a metric, a row an epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_result, write_csv, write_json

# Keras' name of a metric → its table in DVCLive's layout.
TABLES = {
    "loss": "plots/metrics/train/loss.tsv",
    "accuracy": "plots/metrics/train/accuracy.tsv",
    "val_loss": "plots/metrics/val/loss.tsv",
    "val_accuracy": "plots/metrics/val/accuracy.tsv",
}


@dataclass(frozen=True)
class Summary:
    """What a training's best epoch reached, whose weights are the model's, and how many epochs there were."""

    epochs: int
    best_epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


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


def summary(history: Mapping[str, list[float]]) -> Summary:
    """Return the best epoch, the one with the least validation loss, and what it reached."""
    best = min(range(len(history["val_loss"])), key=history["val_loss"].__getitem__)
    return Summary(
        epochs=len(history["val_loss"]),
        best_epoch=best + 1,
        **{metric: _number(history[metric][best]) for metric in TABLES},
    )


def read_summary(folder: Path) -> Summary:
    """Read the summary that `write` wrote.

    Raises:
        UserError: if it is missing or not one.
    """
    return read_result(folder / "metrics.json", Summary)


def _number(value: float) -> float:
    # Keras reports float32 values; nine digits tell all of them apart and hide none.
    return float(f"{value:.9g}")
