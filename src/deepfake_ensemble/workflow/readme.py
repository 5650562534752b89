"""Write the generated parts of README.md and CONTRIBUTING.md: `make readme`.

What was measured on real images comes from docs/measurements and residual/results.json; the
picture of the pipeline, and what an edit reruns, from dvc.yaml.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ensemble.comparison.guessing import Guess
from deepfake_ensemble.comparison.verdicts import Verdict
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.pages.numbers import interval, share
from deepfake_ensemble.pages.titles import run_title, title
from deepfake_ensemble.studies.residual.report import paper
from deepfake_ensemble.workflow import generated, measured, pipeline_picture, rooms

README = Path("README.md")
CONTRIBUTING = Path("CONTRIBUTING.md")
PICTURE = Path("docs/pictures/pipeline.svg")
MEASUREMENTS = Path("docs/measurements")
RESIDUAL = Path("residual/results.json")
NOTE = """\
Fake is the positive class, the threshold 0.5; half of the images are fake, so that calling all of them fake
has accuracy 0.500 and F1 0.667. Intervals are over images. The regression sees only an image's
file size, brightness and sharpness, cross-validated on all images of the archive, as many as its n says: how
far one gets without seeing pictures. Averaging is held against the member that validation ranks first, for
accuracy, AUC and log loss ([statistics](docs/statistics.md#more-than-chance))."""
VERDICTS: Mapping[Verdict, str] = {
    "helps": "helps",
    "helps little": "helps little",
    "hurts": "hurts",
    "hurts little": "hurts little",
    "same": "no difference",
    "equivalent": "no difference",
    "cannot": "cannot show",
    "unclear": "not shown",
}

GUESSES: Mapping[Guess, str] = {"better": "better", "worse": "worse", "may be guessing": "no better"}


def parts() -> dict[Path, dict[str, str]]:
    """Return the generated parts of each page, by name, of the project in the working folder."""
    runs = [run for run in measured.runs(MEASUREMENTS) if not run.is_sample]
    found = "\n\n".join([ensemble(runs), NOTE, residual(read_json(RESIDUAL))])
    return {README: {"measured": found}, CONTRIBUTING: {"rooms": rooms.rooms()}}


def ensemble(runs: Sequence[measured.Run]) -> str:
    """Return what measured runs of the first study gave: a row of each run and data set.

    Raises:
        UserError: if the reports of one are missing.
    """
    rows = []
    for run in runs:
        reports = run.reports()
        for at, (name, evaluation) in enumerate(reports.evaluations.items()):
            compared, fitted = evaluation.compared, reports.audits[name].baselines.logistic
            figures, guess = (
                compared.detectors[evaluation.subject],
                compared.guessing[evaluation.subject].verdict,
            )
            verdicts = [VERDICTS[it.verdict] for it in compared.question.values()]
            rows.append(
                [
                    "" if at else f"`{run.name}`: {_trained(run)}",
                    f"{title(name)}, {compared.n:,}",
                    *(str(interval(figure, share)) for figure in (figures.accuracy, figures.auc)),
                    GUESSES[guess],
                    f"{fitted.auc:.3f} ({fitted.n:,})" if fitted else "–",
                    "–" if evaluation.is_alone else ", ".join(verdicts),
                ]
            )
    header = [
        "first study",
        "test images",
        "accuracy",
        "AUC",
        "against guessing",
        "regression: AUC (n)",
        "averaging",
    ]
    return generated.table(header, rows)


def _trained(run: measured.Run) -> str:
    detectors = title(run.members[0]) if len(run.members) == 1 else f"{len(run.members)} detectors"
    return f"{detectors}, {run.described()}"


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
