"""What the stages have found, read from `reports/` for the page and the model card."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.audit_report import AuditReport
from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.archives.splitting import SetSplits
from deepfake_ensemble.comparison.comparison import Comparison, CrossDataSet, PairTests
from deepfake_ensemble.evaluation import weights_file
from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_result
from deepfake_ensemble.foundation.section import INTERNAL
from deepfake_ensemble.pages import titles
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.pages.numbers import decimals
from deepfake_ensemble.studies.ensemble.costs import Costs
from deepfake_ensemble.training.ensemble.curves import Summary

# A table's columns by name, as numbers where they are numbers.
Columns = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Provenance:
    """What a result was made from, see `foundation.fingerprint`."""

    params: dict[str, Any]
    code: str
    data: dict[str, str]
    versions: dict[str, str]
    digest: str


@dataclass(frozen=True)
class Run:
    """The run that the page tells of: reports/run.json.

    Attributes:
        profile: its name.
        processor: the model of that on which the report was written.
        params: all that shape the results.
        code: a digest, see `foundation.fingerprint`, as of what follows.
        data: digests by path.
        versions: of libraries.
        digest: of all these.
        predictions: what each model's were made from.
    """

    profile: str
    processor: str
    params: dict[str, Any]
    code: str
    data: dict[str, str]
    versions: dict[str, str]
    digest: str
    predictions: dict[str, Provenance]


@dataclass(frozen=True)
class Settings:
    """What the page says of params.yaml in its sentences: of the profile, and of all."""

    source: Source
    image_size: int
    initial_weights: str
    weighting: Method
    data_sets: Mapping[str, DataSet]


@dataclass(frozen=True)
class Evaluation:
    """One data set's figures, as the stages `evaluate` and `compare` wrote them.

    Attributes:
        name: of the data set.
        metrics: by detector.
        compared: the detectors side by side.
        roc: the curve's columns, by detector.
        precision_recall: likewise.
        confusion: one table of all detectors.
        drop: None for the internal test, which has nowhere to drop from.
    """

    name: str
    metrics: Mapping[str, Metrics]
    compared: Comparison
    roc: Mapping[str, Columns]
    precision_recall: Mapping[str, Columns]
    confusion: Columns
    drop: CrossDataSet | None

    @property
    def detectors(self) -> list[str]:
        """The members and, last, their ensemble."""
        return list(self.compared.detectors)

    @property
    def members(self) -> list[str]:
        return [name for name in self.detectors if name != ENSEMBLE]

    @property
    def is_alone(self) -> bool:
        """Whether there is one detector, and nothing to average."""
        return len(self.detectors) == 1

    @property
    def subject(self) -> str:
        """The detector that is answered for: the ensemble, or the only one that there is."""
        return self.detectors[-1]

    @property
    def place(self) -> str:
        """What stands after "on"."""
        return titles.place(self.name)

    @property
    def digits(self) -> int:
        """Decimals of a share of this many images."""
        return decimals(self.compared.n)

    @property
    def families(self) -> dict[str, dict[str, PairTests]]:
        """The pairs of detectors by the family of tests that they belong to."""
        found: dict[str, dict[str, PairTests]] = {}
        for name, pair in self.compared.pairs.items():
            found.setdefault(pair.family, {})[name] = pair
        return found

    def beyond_chance(self, p: float) -> bool:
        """Return whether a p-value is below what the confidence leaves of 1."""
        return p < 1 - self.compared.confidence


@dataclass(frozen=True)
class Study:
    """Everything that the report shows.

    Attributes:
        run: what it was made from.
        settings: what of params.yaml stands in its sentences.
        weights: of the ensemble, by model.
        evaluations: the internal test's first.
        audits: by data set.
        splits: by data set.
        training: what each model's best epoch reached.
        curves: each model's learning curves by epoch.
        costs: of the members and their ensemble.
    """

    run: Run
    settings: Settings
    weights: Mapping[str, float]
    evaluations: Sequence[Evaluation]
    audits: Mapping[str, AuditReport]
    splits: Mapping[str, SetSplits]
    training: Mapping[str, Summary]
    curves: Mapping[str, Columns]
    costs: Costs

    @property
    def is_alone(self) -> bool:
        """Whether there is one detector, and nothing to average."""
        return len(self.weights) == 1

    @property
    def is_sample(self) -> bool:
        """Whether the data are synthesised."""
        return self.settings.source == "sample"

    @property
    def models(self) -> list[str]:
        return list(self.weights)

    @property
    def archives(self) -> dict[str, str]:
        """What people read for the archive of each data set."""
        return {name: titles.title(of.archive) for name, of in self.settings.data_sets.items()}


def inputs(folder: Path, data_sets: Mapping[str, DataSet]) -> list[Path]:
    """Return the files that `read` reads."""
    evaluated = [folder / "evaluation" / name for name in data_sets]
    tables = ("metrics.json", "roc.csv", "precision_recall.csv", "confusion.csv")
    return [
        folder / "costs.json",
        folder / "ensemble/weights.json",
        *(each / table for each in evaluated for table in tables),
        *(folder / f"comparison/{name}.json" for name in data_sets),
        *(folder / f"comparison/drop/{name}.json" for name in data_sets if name != INTERNAL),
        *(folder / f"data/{name}.json" for name in data_sets),
        folder / "data/splits.json",
        folder / "training/metrics.json",
        folder / "training/curves.csv",
    ]


def read(folder: Path, run: Run, settings: Settings) -> Study:
    """Read what lies under `folder`.

    Raises:
        UserError: naming the file that is missing or cannot be read.
    """
    data_sets = settings.data_sets
    return Study(
        run=run,
        settings=settings,
        weights=weights_file.read(folder / "ensemble/weights.json"),
        evaluations=[_evaluation(folder, name) for name in data_sets],
        audits={name: read_result(folder / f"data/{name}.json", AuditReport) for name in data_sets},
        splits=read_result(folder / "data/splits.json", dict[str, SetSplits]),
        training=read_result(folder / "training/metrics.json", dict[str, Summary]),
        curves=_by_detector(folder / "training/curves.csv"),
        costs=read_result(folder / "costs.json", Costs),
    )


def _evaluation(folder: Path, name: str) -> Evaluation:
    evaluated, compared = folder / "evaluation" / name, folder / "comparison"
    outside = name != INTERNAL
    return Evaluation(
        name=name,
        metrics=told_once(read_result(evaluated / "metrics.json", dict[str, Metrics])),
        compared=read_compared(compared / f"{name}.json"),
        roc=_by_detector(evaluated / "roc.csv"),
        precision_recall=_by_detector(evaluated / "precision_recall.csv"),
        confusion=_columns(_rows(evaluated / "confusion.csv")),
        drop=read_drop(compared / f"drop/{name}.json") if outside else None,
    )


def read_compared(path: Path) -> Comparison:
    """Read what the stage `compare` wrote of one data set, an ensemble of one member left out."""
    found = read_result(path, Comparison)
    return replace(
        found,
        detectors=told_once(found.detectors),
        guessing=told_once(found.guessing),
        calibration=told_once(found.calibration),
        operating_points=told_once(found.operating_points),
        selective=told_once(found.selective),
        unknown={
            metric: [name for name in names if name in told_once(found.detectors)]
            for metric, names in found.unknown.items()
        },
    )


def read_drop(path: Path) -> CrossDataSet:
    """Read what the stage `compare` wrote of the way to another data set, likewise."""
    found = read_result(path, CrossDataSet)
    return replace(
        found,
        drops=told_once(found.drops),
        subjects={
            name: replace(of, detectors=told_once(of.detectors)) if of.detectors else of
            for name, of in found.subjects.items()
        },
    )


def _by_detector(path: Path) -> dict[str, Columns]:
    """Read a table whose rows belong to detectors: each one's columns, by its name."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in _rows(path):
        rows.setdefault(row.pop("detector"), []).append(row)
    return {detector: _columns(of) for detector, of in rows.items()}


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
