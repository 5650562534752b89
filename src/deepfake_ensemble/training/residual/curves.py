"""Learning curves of the second study, as a run's own file, and as tables for plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.files import read_result, write_csv, write_json
from deepfake_ensemble.inference import left_out as results_folder

FILE = "curves.json"


@dataclass(frozen=True)
class Curves:
    """What is known of a run's training and of its evaluations, and which of these was kept.

    Attributes:
        best: the index of the evaluation whose weights were kept.
        batch: each that was recorded; the evaluated ones are among them.
        learning_rate: of that batch.
        loss: the mean since the one that was recorded before.
        val_batch: each that an evaluation came after.
        val_f1: the first of the scores on validation.
    """

    best: int
    batch: list[int]
    learning_rate: list[float]
    loss: list[float]
    val_batch: list[int]
    val_f1: list[float]
    val_precision: list[float]
    val_recall: list[float]
    val_accuracy: list[float]
    val_log_loss: list[float]

    def of(self, figure: str) -> tuple[list[int], list[float]]:
        """Return the batches of a figure, and its values."""
        return self.val_batch if figure in EVALUATED else self.batch, getattr(self, figure)


_, *_CURVES = (field.name for field in fields(Curves))
EVALUATED = tuple(name for name in _CURVES if name.startswith("val_"))
RECORDED = tuple(name for name in _CURVES if name not in EVALUATED)


@dataclass(frozen=True)
class Summary:
    """What the checkpoint that was kept reached on validation, after which of how many batches."""

    batches: int
    best_batch: int
    loss: float
    val_f1: float
    val_accuracy: float
    val_log_loss: float


def write(folder: Path, curves: Mapping[str, Sequence[float]], best: int) -> None:
    """Write a run's curves.

    Args:
        folder: of the run.
        curves: RECORDED, each by recorded batch, and EVALUATED, each by evaluation.
        best: the index of the evaluation whose weights were kept.
    """
    # Nine digits tell all float32 values apart and hide none.
    rounded: dict[str, list[Any]] = {
        name: [value if isinstance(value, int) else float(f"{value:.9g}") for value in curves[name]]
        for name in _CURVES
    }
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
    best_batch = curves.val_batch[best]
    return Summary(
        batches=curves.batch[-1],
        best_batch=best_batch,
        loss=curves.loss[curves.batch.index(best_batch)],
        val_f1=curves.val_f1[best],
        val_accuracy=curves.val_accuracy[best],
        val_log_loss=curves.val_log_loss[best],
    )


def write_table(path: Path, curves: Mapping[str, Curves]) -> None:
    """Write what was recorded of all runs that were done: a row each, with the run's name.

    Scores are empty where no evaluation came after the batch.
    """
    scores = [name for name in EVALUATED if name != "val_batch"]
    rows = []
    for run, of in curves.items():
        evaluations = zip(*(getattr(of, name) for name in scores), strict=True)
        by_batch = dict(zip(of.val_batch, evaluations, strict=True))
        recorded = zip(*(getattr(of, name) for name in RECORDED), strict=True)
        rows += [(run, *row, *by_batch.get(row[0], [""] * len(scores))) for row in recorded]
    write_csv(path, ("run", *RECORDED, *scores), rows)
