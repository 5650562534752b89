"""Reports of a run as `measured_run.py` keeps them, with figures that are easy to tell apart."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clones import ROOT
from deepfake_ensemble.archives.audit_report import AuditReport, Baseline, Baselines, LogisticBaseline
from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.foundation.files import read_result, write_json


def metrics(accuracy: float, f1: float, auc: float, n: int) -> Metrics:
    """Return a detector's metrics; those that no page shows are 0."""
    return Metrics(accuracy, 0.0, 0.0, f1, auc, 0.0, 0.0, 0.0, 0.0, n)


def keep(
    folder: Path,
    found: Mapping[str, Mapping[str, Metrics]],
    weights: Mapping[str, float],
    audits: Mapping[str, tuple[int, LogisticBaseline | None]],
) -> None:
    """Write metrics by evaluation, weights, and of each data set the usable images and a baseline."""
    like = read_result(ROOT / "docs/measurements/small/data/internal.json", AuditReport)
    for evaluation, of in found.items():
        write_json(folder / f"evaluation/{evaluation}/metrics.json", of)
    write_json(folder / "ensemble/weights.json", weights)
    for name, (usable, logistic) in audits.items():
        baselines = Baselines(Baseline(0.6, "lower"), None, None, logistic)
        write_json(folder / f"data/{name}.json", replace(like, usable=usable, baselines=baselines))
