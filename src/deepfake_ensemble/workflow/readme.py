"""Write the generated parts of README.md and CONTRIBUTING.md: `make readme`.

What was measured on real images comes from docs/measurements (small, laptop) and residual/results.json; the
picture of the pipeline, and what an edit reruns, from dvc.yaml.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.pages.titles import run_title
from deepfake_ensemble.studies.residual.report import paper
from deepfake_ensemble.workflow import generated, measured, pipeline_picture, rooms

README = Path("README.md")
CONTRIBUTING = Path("CONTRIBUTING.md")
PICTURE = Path("docs/pictures/pipeline.svg")
# The second is shown when it has been measured.
RUNS = (Path("docs/measurements/small.json"), Path("docs/measurements/laptop.json"))
RESIDUAL = Path("residual/results.json")
NOTE = """\
Fake is the positive class, the threshold 0.5; half of the images are fake, so calling all of them fake has
accuracy 0.500 and F1 0.667. The logistic regression sees only each image's file size, brightness and
sharpness, cross-validated on the data set itself: how far one gets without seeing pictures."""


def parts() -> dict[Path, dict[str, str]]:
    """Return the generated parts of each page, by name, of the project in the working folder."""
    runs = [ensemble(run) for run in RUNS if run.exists()]
    found = "\n\n".join([*runs, NOTE, residual(read_json(RESIDUAL))])
    return {README: {"measured": found}, CONTRIBUTING: {"rooms": rooms.rooms()}}


def ensemble(run: Path) -> str:
    """Return what a measured run of the first study gave; its reports lie in the folder of the file's name.

    Raises:
        UserError: if the reports are missing.
    """
    about, reports = read_json(run), measured.read(run.with_suffix(""))
    if reports is None:
        raise UserError(
            f"{run.with_suffix('')}: holds no evaluation; run `python benchmarks/measured_run.py`"
        )
    profile = about["profile"]
    headline = measured.headline(profile, about["params"]["profiles"][profile])
    return f"First study. {headline}\n\n{measured.detectors(reports)}"


def residual(results: Mapping[str, Any]) -> str:
    """Return the second study's F1 on the published test images, the best run first."""
    runs = sorted(results["runs"], key=lambda run: -run["f1_official"]["value"])
    described = sorted(
        {(run["profile"], run["training_images"], run["image_size"], run["cores"]) for run in runs}
    )
    made_with = "; ".join(
        f"profile `{profile}`, {images:,} training images of {size}×{size} pixels, {cores} cores"
        for profile, images, size, cores in described
    )
    rows = [
        [
            run_title(run["run"]),
            f"{paper.F1[run['run']]:.3f}" if run["run"] in paper.F1 else "–",
            "{value:.3f} ({ci_low:.3f}–{ci_high:.3f})".format(**run["f1_official"]),
            f"{run['epochs']}",
            f"{run['minutes']:.0f}",
        ]
        for run in runs
    ]
    header = ["CIFAKE's test images", "F1 in the paper", "F1 (95 % interval)", "epochs", "minutes"]
    return f"Second study: {made_with}.\n\n{generated.table(header, rows)}"


if __name__ == "__main__":
    with exiting():
        for page, made in parts().items():
            generated.refresh(page, made)
        PICTURE.write_text(pipeline_picture.draw(pipeline_picture.graph()), encoding="utf-8")
