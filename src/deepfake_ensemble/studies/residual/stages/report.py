"""Write the report, the paper's tables beside ours, and DVC's metrics."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.training.residual.settings import Runs

REPORTS = Path("reports")
SHOWN = (
    *("seed", "split", "resizing", "models", "recipes", "runs"),
    *("ensemble", "evaluation", "comparison"),
)
# What `dvc metrics` and `dvc exp show` compare of each network; its figures on the leak-free test set are in
# reports/evaluation.
COMPARED = ("f1",)
TEST_SET = "official"


def main() -> None:
    """Write `reports/report.html` and DVC's metrics."""
    profile = params.active_profile()
    from deepfake_ensemble.evaluation import compared_figures
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.studies.residual.report import page, study

    whole = params.load()
    shown = {key: whole[key] for key in SHOWN} | {"profiles": params.read(profile, dict[str, Any])}
    found = study.read(REPORTS, profile.rpartition(".")[2], shown, params.read("runs", Runs))
    write(REPORTS / "report.html", page.render(found))
    compared_figures.write(REPORTS / "metrics", {TEST_SET: found.metrics[TEST_SET]}, COMPARED)


if __name__ == "__main__":
    command.run(main)
