"""Write the report: the paper's tables beside ours."""

import json
from pathlib import Path
from typing import Any

from deepfake_ensemble import params
from deepfake_ensemble.residual.settings import Runs
from deepfake_ensemble.stages import command

REPORTS = Path("reports")
SHOWN = (
    *("seed", "split", "resizing", "ablation", "models", "recipes", "runs"),
    *("ensemble", "evaluation", "comparison"),
)


def main() -> None:
    profile = params.active_profile()
    from deepfake_ensemble.files import replacing_file
    from deepfake_ensemble.residual import report_page

    whole = params.load()
    sets = ("official", "leak_free")
    study = report_page.Study(
        profile=profile.rpartition(".")[2],
        params={key: whole[key] for key in SHOWN} | {"profiles": params.read(profile, dict[str, Any])},
        runs=params.read("runs", Runs),
        metrics={name: _read(f"evaluation/{name}/metrics.json") for name in sets},
        comparison={name: _read(f"evaluation/{name}/comparison.json") for name in sets},
        curves=_read("training/curves.json"),
        networks=_read("networks.json"),
        audit=_read("data/cifake.json"),
        splits=_read("data/splits.json"),
    )
    with replacing_file(REPORTS / "report.html") as partial:
        partial.write_text(report_page.render(study), encoding="utf-8", newline="\n")


def _read(name: str) -> Any:
    from deepfake_ensemble.errors import UserError

    file = REPORTS / name
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: missing; `dvc repro` makes it") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON ({error}); restore it from git, or run `dvc repro`") from None


if __name__ == "__main__":
    command.run(main)
