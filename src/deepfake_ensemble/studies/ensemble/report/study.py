"""What the stages have found, read from `reports/` for the page and the model card."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.pages.detectors import place
from deepfake_ensemble.pages.numbers import decimals

# A table's columns by name, as numbers where they are numbers.
Columns = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Evaluation:
    """One data set's figures, as the stages `evaluate` and `compare` wrote them.

    metrics[detector] and compared are the JSON files; roc, precision_recall[detector] and confusion are
    tables; drop is None for the internal test, which has nowhere to drop from.
    """

    name: str
    metrics: Mapping[str, Mapping[str, float]]
    compared: Mapping[str, Any]
    roc: Mapping[str, Columns]
    precision_recall: Mapping[str, Columns]
    confusion: Columns
    drop: Mapping[str, Any] | None

    @property
    def detectors(self) -> list[str]:
        """The members and, last, their ensemble."""
        return list(self.compared["detectors"])

    @property
    def place(self) -> str:
        """What stands after "on"."""
        return place(self.name)

    @property
    def digits(self) -> int:
        """Decimals of a share of this many images."""
        return decimals(self.compared["n"])


@dataclass(frozen=True)
class Study:
    """Everything that the report shows.

    validation: whether each model does better than guessing on that split; evaluations: the internal test
    first; audits: by data set; splits: how many images each gave; training: each model's summary;
    curves[model][column of reports/training/curves.csv]; run: profile, parameters, fingerprint.
    """

    run: Mapping[str, Any]
    weights: Mapping[str, float]
    validation: Mapping[str, Mapping[str, Any]]
    evaluations: Sequence[Evaluation]
    audits: Mapping[str, Mapping[str, Any]]
    splits: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, Mapping[str, float]]
    curves: Mapping[str, Columns]

    @property
    def source(self) -> str:
        """Where the data come from: sample, kaggle or local."""
        return self.run["params"][f"profiles.{self.run['profile']}"]["source"]

    @property
    def models(self) -> list[str]:
        return list(self.weights)


def inputs(
    folder: Path, models: Sequence[str], data_sets: Sequence[str], outside: Sequence[str]
) -> list[Path]:
    """Return the files and folders that `read` reads."""
    evaluated = [folder / "evaluation" / name for name in ("internal", *outside)]
    tables = ("metrics.json", "roc.csv", "precision_recall.csv", "confusion.csv")
    return [
        folder / "ensemble/weights.json",
        folder / "ensemble/validation.json",
        *(each / table for each in evaluated for table in tables),
        *(folder / f"comparison/{each.name}.json" for each in evaluated),
        *(folder / f"comparison/drop/{name}.json" for name in outside),
        *(folder / f"data/{name}.json" for name in (*data_sets, "splits")),
        folder / "training/metrics.json",
        folder / "training/curves.csv",
    ]


def read(
    folder: Path,
    models: Sequence[str],
    data_sets: Sequence[str],
    outside: Sequence[str],
    run: Mapping[str, Any],
) -> Study:
    """Read what lies under `folder`; `outside` are the data sets evaluated beside the internal test.

    Raises:
        UserError: naming the file that is missing or cannot be read.
    """
    return Study(
        run=run,
        weights=read_json(folder / "ensemble/weights.json"),
        validation=read_json(folder / "ensemble/validation.json"),
        evaluations=[_evaluation(folder, name, models) for name in ("internal", *outside)],
        audits={name: read_json(folder / f"data/{name}.json") for name in data_sets},
        splits=read_json(folder / "data/splits.json"),
        training=read_json(folder / "training/metrics.json"),
        curves=_by_detector(folder / "training/curves.csv"),
    )


def _evaluation(folder: Path, name: str, models: Sequence[str]) -> Evaluation:
    evaluated, compared = folder / "evaluation" / name, folder / "comparison"
    metrics = read_json(evaluated / "metrics.json")
    return Evaluation(
        name=name,
        metrics=metrics,
        compared=read_json(compared / f"{name}.json"),
        roc=_by_detector(evaluated / "roc.csv"),
        precision_recall=_by_detector(evaluated / "precision_recall.csv"),
        confusion=_table(evaluated / "confusion.csv"),
        drop=None if name == "internal" else read_json(compared / "drop" / f"{name}.json"),
    )


def _by_detector(path: Path) -> dict[str, Columns]:
    """Read a table whose rows belong to detectors: each one's columns, by its name."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in _rows(path):
        rows.setdefault(row.pop("detector"), []).append(row)
    return {detector: _columns(of) for detector, of in rows.items()}


def _table(path: Path) -> Columns:
    return _columns(_rows(path))


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; `dvc repro report` makes what the report needs") from None


def _columns(rows: Sequence[Mapping[str, str]]) -> Columns:
    return {name: [_value(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
