"""Learning curves of the second study, as a run's own file, and as tables for plots."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from deepfake_ensemble.foundation.files import read_result, write_csv, write_json
from deepfake_ensemble.inference import left_out as results_folder

FILE = "curves.json"


@dataclass(frozen=True)
class Curves:
    """What is known of each evaluation of a run, and which of them was kept.

    Attributes:
        best: the index of the one whose weights were kept.
        batch: after which one it came.
        learning_rate: of that batch.
        loss: the mean since the evaluation before.
        val_f1: the first of the scores on validation.
    """

    best: int
    batch: list[float]
    learning_rate: list[float]
    loss: list[float]
    val_f1: list[float]
    val_precision: list[float]
    val_recall: list[float]
    val_accuracy: list[float]
    val_log_loss: list[float]


FIGURES = tuple(field.name for field in fields(Curves) if field.name != "best")


@dataclass(frozen=True)
class Summary:
    """What the checkpoint that was kept reached on validation, after which of how many batches."""

    batches: int
    best_batch: int
    loss: float
    val_f1: float
    val_accuracy: float
    val_log_loss: float


def write(folder: Path, curves: Mapping[str, list[float]], best: int) -> None:
    """Write a run's curves.

    Args:
        folder: of the run.
        curves: FIGURES, each by evaluation.
        best: the index of the evaluation whose weights were kept.
    """
    # Nine digits tell all float32 values apart and hide none.
    rounded = {name: [float(f"{value:.9g}") for value in curves[name]] for name in FIGURES}
    write_json(folder / FILE, Curves(best, **rounded))


def read(folder: Path) -> Curves | None:
    """Return what `write` wrote; None if the run was left out.

    Raises:
        UserError: if the folder is missing or damaged.
    """
    if results_folder.reason_left_out(folder) is not None:
        return None
    return read_result(folder / FILE, Curves)


def summary(curves: Curves) -> Summary:
    """Return what the checkpoint that was kept reached on validation."""
    best = curves.best
    return Summary(
        batches=int(curves.batch[-1]),
        best_batch=int(curves.batch[best]),
        loss=curves.loss[best],
        val_f1=curves.val_f1[best],
        val_accuracy=curves.val_accuracy[best],
        val_log_loss=curves.val_log_loss[best],
    )


def write_table(path: Path, curves: Mapping[str, Curves]) -> None:
    """Write the evaluations of all runs that were done: a row each, with the run's name and FIGURES."""
    rows = [
        (run, int(batch), *values)
        for run, of in curves.items()
        for batch, *values in zip(*(getattr(of, figure) for figure in FIGURES), strict=True)
    ]
    write_csv(path, ("run", *FIGURES), rows)
