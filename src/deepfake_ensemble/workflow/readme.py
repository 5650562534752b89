"""Write the generated parts of README.md and CONTRIBUTING.md: `make readme`.

What was measured on real images comes from docs/measurements and residual/results.json; the
picture of the pipeline, and what an edit reruns, from dvc.yaml.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ensemble.comparison.guessing import Guess, Ranks
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
has accuracy 0.500 and F1 0.667. Intervals are over images. Against guessing is told of the calls at the
threshold, then of the order of all images (AUC). The regression sees nothing of an image but its file size,
brightness and sharpness; it is fitted, by cross-validation, on all n images of the archive that the test
images are from, whether or not detectors were trained on it. Averaging is held against the member that
validation ranks first, weighting against equal weights: in points of accuracy, and in brackets what is said
of accuracy, AUC and log loss. "Equivalent", "helps little" and "hurts little" are within a point of accuracy,
0.01 of AUC, 0.02 of log loss; a gain is "of no use" where even with it the ensemble is not shown to be better
than guessing, or has no less log loss than an even chance for every image
([statistics](docs/statistics.md#more-than-chance))."""
NOT_SHOWN = "not shown"
GUESSES: Mapping[Guess | Ranks, str] = {
    "better": "better",
    "worse": "worse",
    "may be guessing": NOT_SHOWN,
    "not shown to be better": NOT_SHOWN,
}


def parts() -> dict[Path, dict[str, str]]:
    """Return the generated parts of each page, by name, of the project in the working folder."""
    runs = [run for run in measured.runs(MEASUREMENTS) if not run.is_sample]
    found = "\n\n".join([ensemble(runs), NOTE, *since(runs), residual(read_json(RESIDUAL))])
    return {README: {"measured": found}, CONTRIBUTING: {"rooms": rooms.rooms()}}


def ensemble(runs: Sequence[measured.Run]) -> str:
    """Return what measured runs of the first study gave: a row of each run and data set.

    Raises:
        UserError: if the reports of one are missing.
    """
    rows = []
    for number, run in enumerate(runs):
        reports = run.reports()
        trained = _trained(run, runs[:number])
        for at, (name, evaluation) in enumerate(reports.evaluations.items()):
            compared, fitted = evaluation.compared, reports.audits[name].baselines.logistic
            figures = compared.detectors[evaluation.subject]
            guess = compared.guessing[evaluation.subject]
            rows.append(
                [
                    "" if at else f"`{run.name}`: {trained}",
                    f"{title(name)}, {compared.n:,}",
                    *(str(interval(figure, share)) for figure in (figures.accuracy, figures.auc)),
                    f"{GUESSES[guess.verdict]}, {GUESSES[guess.ranks]}",
                    f"{fitted.auc:.3f} ({fitted.n:,})" if fitted else "–",
                    *(
                        f"{measured.gain(of, evaluation)} {measured.verdicts(of, evaluation)}"
                        if of and not evaluation.is_alone
                        else "–"
                        for of in (compared.question, compared.shares)
                    ),
                ]
            )
    header = [
        "first study",
        "test images",
        "accuracy",
        "AUC",
        "against guessing: calls, order",
        "regression: AUC (n)",
        "averaging, points",
        "weighting, points",
    ]
    return generated.table(header, rows)


def since(runs: Sequence[measured.Run]) -> list[str]:
    """Say which runs were made with other params than today's, if any were."""
    changed = [f"`{run.name}`" for run in runs if run.changed_params()]
    if not changed:
        return []
    names = " and ".join(filter(None, [", ".join(changed[:-1]), changed[-1]]))
    return [f"Made with other params than today's: {names} ([which](docs/results.md))."]


def _trained(run: measured.Run, above: Sequence[measured.Run]) -> str:
    """Say what was trained from what; of a run like one above it, the seed."""
    like = next((other for other in above if run.differs_by_seed(other)), None)
    if like:
        return f"like `{like.name}`, with seed {run.seed} in place of {like.seed}"
    detectors = title(run.members[0]) if len(run.members) == 1 else f"{len(run.members)} detectors"
    return f"{detectors}, {run.described()}"


def residual(results: Mapping[str, Any]) -> str:
    """Return the second study's F1 on the published test images, the best run first."""
    runs = sorted(results["runs"], key=lambda run: -run["f1_official"]["value"])
    made_with = "; ".join(
        f"{images:,} training images, {cores} cores"
        for images, cores in sorted({(run["training_images"], run["cores"]) for run in runs})
    )
    rows = [
        [
            run_title(run["run"]),
            run["profile"],
            f"{paper.F1[run['run']]:.3f}" if run["run"] in paper.F1 else "–",
            "{value:.3f} ({ci_low:.3f}–{ci_high:.3f})".format(**run["f1_official"]),
            f"{run['image_size']}×{run['image_size']}",
            f"{run['epochs']}",
            f"{run['minutes']:.0f}",
        ]
        for run in runs
    ]
    header = [
        "CIFAKE's test images",
        "profile",
        "F1 in the paper",
        "F1 (95 % interval)",
        "image",
        "epochs",
        "minutes",
    ]
    return f"Second study: {made_with}.\n\n{generated.table(header, rows)}"


if __name__ == "__main__":
    with exiting():
        for page, made in parts().items():
            generated.refresh(page, made)
        PICTURE.write_text(pipeline_picture.draw(pipeline_picture.graph()), encoding="utf-8")
