"""Bring the learning curves of all models into git, where plots and metrics read them."""

from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.files import write_csv, write_json
from deepfake_ensemble.training.ensemble import curves


def main() -> None:
    """Write all learning curves as one table, and a summary of each, to `reports/training`."""
    folders = {model: Path("models/curves") / model for model in params.read("members", list[str])}
    write_csv(
        Path("reports/training/curves.csv"),
        ("detector", "epoch", *curves.TABLES),
        [(model, *row) for model, folder in folders.items() for row in curves.read_rows(folder)],
    )
    write_json(
        Path("reports/training/metrics.json"),
        {model: curves.read_summary(folder) for model, folder in folders.items()},
    )


if __name__ == "__main__":
    command.run(main)
