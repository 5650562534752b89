"""Write the report: the paper's tables beside ours."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.section import INTERNAL
from deepfake_ensemble.training.residual.settings import Runs

REPORTS = Path("reports")
SHOWN = (
    *("seed", "split", "resizing", "models", "recipes", "runs"),
    *("ensemble", "evaluation", "comparison"),
)


def main() -> None:
    profile = params.active_profile()
    from deepfake_ensemble.foundation.files import read_json, replacing_file
    from deepfake_ensemble.studies.residual.report import page as report_page

    whole = params.load()
    sets = ("official", "leak_free")
    study = report_page.Study(
        profile=profile.rpartition(".")[2],
        params={key: whole[key] for key in SHOWN} | {"profiles": params.read(profile, dict[str, Any])},
        runs=params.read("runs", Runs),
        metrics={name: read_json(REPORTS / f"evaluation/{name}/metrics.json") for name in sets},
        comparison={name: read_json(REPORTS / f"evaluation/{name}/comparison.json") for name in sets},
        curves=read_json(REPORTS / "training/curves.json"),
        networks=read_json(REPORTS / "networks.json"),
        audit=read_json(REPORTS / f"data/{INTERNAL}.json"),
        splits=read_json(REPORTS / "data/splits.json"),
    )
    with replacing_file(REPORTS / "report.html") as partial:
        partial.write_text(report_page.render(study), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    command.run(main)
