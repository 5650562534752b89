"""Write the report: the paper's tables beside ours."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.training.residual.settings import Runs

REPORTS = Path("reports")
SHOWN = (
    *("seed", "split", "resizing", "models", "recipes", "runs"),
    *("ensemble", "evaluation", "comparison"),
)


def main() -> None:
    profile = params.active_profile()
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.studies.residual.report import page, study

    whole = params.load()
    shown = {key: whole[key] for key in SHOWN} | {"profiles": params.read(profile, dict[str, Any])}
    found = study.read(REPORTS, profile.rpartition(".")[2], shown, params.read("runs", Runs))
    write(REPORTS / "report.html", page.render(found))


if __name__ == "__main__":
    command.run(main)
