"""Bring the learning curves of all models into git, where plots and metrics read them."""

import shutil
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.files import replacing_folder, write_json
from deepfake_ensemble.training.ensemble import curves


def main() -> None:
    models = params.read("models", dict[str, Any])
    with replacing_folder(Path("reports/training/curves")) as folder:
        for model in models:
            for table in curves.TABLES.values():
                target = folder / model / table.removeprefix("plots/metrics/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path("models/curves") / model / table, target)
    write_json(
        Path("reports/training/metrics.json"),
        {model: curves.read_summary(Path("models/curves") / model) for model in models},
    )


if __name__ == "__main__":
    command.run(main)
