"""The few figures that one compares between runs; `dvc metrics show` makes a row of each detector's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.foundation.files import replacing_folder, write_json


def compared_figures(
    measured: Mapping[str, Mapping[str, Metrics]], keys: Sequence[str], weights: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Return by detector some of its metrics by evaluation, and its weight where it has one.

    Args:
        measured: all metrics by evaluation and detector.
        keys: names of those that are compared.
        weights: of the ensemble's members.
    """
    figures: dict[str, dict[str, Any]] = {}
    for evaluation, of in measured.items():
        for detector, it in of.items():
            figures.setdefault(detector, {})[evaluation] = {key: getattr(it, key) for key in keys}
    return {
        detector: {"weight": weights[detector], **own} if detector in weights else own
        for detector, own in figures.items()
    }


def write(folder: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `folder/DETECTOR.json`, and nothing else there."""
    with replacing_folder(folder) as partial:
        for detector, own in figures.items():
            write_json(partial / f"{detector}.json", own)
