"""Bring the learning curves of all runs into git, where plots, metrics and the report read them."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.training.residual import curves as learning
from deepfake_ensemble.training.residual.settings import Runs


def main() -> None:
    """Write all learning curves as one table and as JSON, and a summary of each, to `reports/training`."""
    runs = params.read("runs", Runs)
    found = {run: learning.read(Path("models/trained") / run) for run in runs.all}
    done = {run: curves for run, curves in found.items() if curves is not None}
    learning.write_table(Path("reports/training/curves.csv"), done)
    write_json(Path("reports/training/curves.json"), done)
    write_json(Path("reports/training/metrics.json"), {run: learning.summary(of) for run, of in done.items()})


if __name__ == "__main__":
    command.run(main)
