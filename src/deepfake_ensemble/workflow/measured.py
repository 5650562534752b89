"""What a run's own reports say, as the tables of README.md and docs/results.md show it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.audit_report import AuditReport
from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.files import read_result
from deepfake_ensemble.foundation.section import INTERNAL
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.workflow.generated import table

# Keys of metrics.json that the tables show, and their headings.
SHOWN = {"accuracy": "accuracy", "f1": "F1", "auc": "AUC"}


@dataclass(frozen=True)
class Reports:
    """The reports of one run.

    Attributes:
        metrics: by evaluation and detector.
        weights: of the ensemble, by model.
        audits: of the data set behind each evaluation.
    """

    metrics: dict[str, dict[str, Metrics]]
    weights: dict[str, float]
    audits: dict[str, AuditReport]


def read(folder: Path) -> Reports | None:
    """Read a run's reports from `folder`, laid out as `reports/`; None if it holds no evaluation.

    Raises:
        UserError: if one of them is missing or not what its stage writes.
    """
    evaluations = sorted(
        (folder / "evaluation").glob("*/metrics.json"), key=lambda it: it.parent.name != INTERNAL
    )
    if not evaluations:
        return None
    metrics = {file.parent.name: read_result(file, dict[str, Metrics]) for file in evaluations}
    return Reports(
        metrics={name: told_once(of) for name, of in metrics.items()},
        weights=read_result(folder / "ensemble/weights.json", dict[str, float]),
        audits={name: read_result(folder / f"data/{name}.json", AuditReport) for name in metrics},
    )


def detectors(reports: Reports) -> str:
    """Return the table of the members, the ensemble and the trivial baselines, for each evaluation."""
    header = ["detector", "weight"]
    for evaluation, measured in reports.metrics.items():
        n = next(iter(measured.values())).n
        header += [f"{title(evaluation)} (n = {n:,}): {SHOWN['accuracy']}", *list(SHOWN.values())[1:]]
    rows = []
    for name in next(iter(reports.metrics.values())):
        weight = f"{reports.weights[name]:.3f}" if name in reports.weights else ""
        of = [measured[name] for measured in reports.metrics.values()]
        figures = [f"{getattr(each, key):.3f}" for each in of for key in SHOWN]
        rows.append([detector(name), weight, *figures])
    rows.append(["*logistic regression on trivial features*", "", *_trivial(reports)])
    return table(header, rows)


def _trivial(reports: Reports) -> list[str]:
    cells = []
    for evaluation in reports.metrics:
        fitted = reports.audits[evaluation].baselines.logistic
        known = asdict(fitted) if fitted else {}
        cells += [f"*{known[key]:.3f}*" if key in known else "–" for key in SHOWN]
    return cells


def headline(profile: str, settings: Mapping[str, Any]) -> str:
    """Return what a run was, so that nobody takes its figures for the study's.

    Args:
        profile: its name.
        settings: of `profiles.NAME`, at least source, image_size, counts and initial_weights.
    """
    source, size, images = settings["source"], settings["image_size"], settings["counts"]["train"]
    weights = {"random": "random", "imagenet": "ImageNet"}[settings["initial_weights"]]
    study = source != "sample" and (size, images, weights) == (256, 100_000, "ImageNet")
    made_up = (
        " The images are synthesised from a few photographs: these figures show that the pipeline works and"
        " say nothing about real deepfakes."
    )
    return (
        f"**Profile `{profile}`{'' if study else ', not the study'}**: {images:,} training images of"
        f" {size}×{size} pixels, {weights} initial weights.{made_up if source == 'sample' else ''}"
    )


def detector(name: str) -> str:
    """Return what people read for a detector's key in a table: the ensemble stands out."""
    return f"**{title(name)}**" if name == ENSEMBLE else title(name)
