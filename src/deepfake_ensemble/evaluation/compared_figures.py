"""The few figures that one compares between runs: DVC's metrics, a file for each data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.foundation.files import replacing_folder, write_json


def write(folder: Path, measured: Mapping[str, Mapping[str, Metrics]], keys: Sequence[str]) -> None:
    """Write `folder/EVALUATION.json`, some metrics of each detector, and nothing else there.

    Args:
        folder: of DVC's metrics.
        measured: all metrics by evaluation and detector.
        keys: names of those that are compared.
    """
    with replacing_folder(folder) as partial:
        for evaluation, detectors in measured.items():
            figures = {name: {key: getattr(of, key) for key in keys} for name, of in detectors.items()}
            write_json(partial / f"{evaluation}.json", figures)
