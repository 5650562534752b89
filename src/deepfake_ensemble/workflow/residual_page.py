"""Write the measured tables of docs/residual.md and its figure: `make residual-results`, in the root.

Scores and times come from residual/results.json; from docs/measurements/residual come costs (cost-SIZE.json),
measured by benchmarks/residual_cost.py, and trials (validation-NAME.json), by benchmarks/fast_recipe.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.pages.titles import run_title
from deepfake_ensemble.studies.residual.report import paper
from deepfake_ensemble.studies.residual.report.study import WITHOUT_STEM
from deepfake_ensemble.workflow import frontier
from deepfake_ensemble.workflow.generated import refresh, table

DOCUMENT = Path("docs/residual.md")
FRONTIER = Path("docs/residual-frontier.svg")
RESULTS = Path("residual/results.json")
MEASURED = Path("docs/measurements/residual")
NOTHING = "*Not measured yet.*"
NONE = "–"
# Images a second that a P100 trains on, in batches of 32 at this size (TensorFlow's own benchmarks).
P100: Mapping[str, float] = {"resnet50": 193, "resnet152": 82.4, "vgg16": 144}
P100_SIZE = 224
P100_SOURCE = "https://github.com/tensorflow/docs/blob/62da04c/site/en/r1/guide/performance/benchmarks.md"


def parts(
    results: Mapping[str, Any] | None, trials: list[Mapping[str, Any]], costs: list[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the generated parts by name.

    Args:
        results: the content of residual/results.json; None if there is none yet.
        trials: what benchmarks/fast_recipe.py wrote, each.
        costs: what benchmarks/residual_cost.py wrote, by size of images.
    """
    return {
        "results": _results(results) if results else NOTHING,
        "trials": _trials(trials) if trials else NOTHING,
        "cost": "\n\n".join(map(_cost, costs)) or NOTHING,
    }


def measured_parts(root: Path) -> dict[str, str]:
    """Return the generated parts from the project's own files."""
    return parts(_scored(root), _measured(root, "validation"), _measured(root, "cost"))


def measured_frontier(root: Path) -> str:
    """Return the figure from the project's own files."""
    return frontier.draw(_scored(root) or {"runs": []}, _measured(root, "validation"))


def _scored(root: Path) -> Mapping[str, Any] | None:
    return read_json(root / RESULTS) if (root / RESULTS).exists() else None


def _measured(root: Path, kind: str) -> list[Mapping[str, Any]]:
    return [read_json(file) for file in sorted((root / MEASURED).glob(f"{kind}-*.json"))]


def _results(results: Mapping[str, Any]) -> str:
    scored = [*results["runs"], *results.get("averages", ())]
    rows = [
        _row(run) for run in sorted(scored, key=lambda run: (run["profile"], -run["f1_official"]["value"]))
    ]
    header = [
        "run",
        "paper: F1",
        "profile",
        "epochs",
        "stem",
        "F1, validation",
        "F1, as published",
        "F1, leak-free",
        "at equal shares",
    ]
    header += ["accuracy", "AUC", "minutes", "commit", "times scored"]
    machines = sorted({_machine(run["machine"]) for run in results["runs"]})
    count = len(results["runs"])
    images = {run["profile"]: run["training_images"] for run in results["runs"]}
    made_on = f"{count} run{'s' if count > 1 else ''}, on {'; on '.join(machines)}."
    trained = "".join(f" Profile `{profile}` has {n:,} training images." for profile, n in images.items())
    baselines = {run["profile"]: of for run in results["runs"] if (of := run.get("trivial_baseline"))}
    trivial = "".join(
        f" On the images of profile `{profile}` the audit's regression on file size, brightness and sharpness"
        f" reaches accuracy {of['accuracy']:.4f}, AUC {of['auc']:.4f}."
        for profile, of in baselines.items()
    )
    averages = "".join(
        f"\n\nThe average of networks of profile `{of['profile']}` has as its members "
        + ", ".join(f"{run_title(run)} ({weight:.3f})" for run, weight in of["weights"].items())
        + "."
        for of in results.get("averages", ())
    )
    return f"{made_on}{trained}{trivial}\n\n{table(header, rows)}{averages}"


def _row(of: Mapping[str, Any]) -> list[str]:
    """Return a run's row, or that of a weighted average, which is nothing that was trained."""
    printed = paper.F1.get(of["run"])
    trained = [NONE] * 2
    measured = [NONE] * 3
    if of["run"] != ENSEMBLE:
        trained = [str(of["epochs"]), NONE if of["model"] in WITHOUT_STEM else of["stem"]]
        commit, _, changes = (of["commit"] or NONE).partition(", ")
        measured = [f"{of['minutes']:.1f}", f"`{commit[:7]}`{', ' + changes if changes else ''}"]
        measured.append(str(of["times_scored"]))
    return [
        run_title(of["run"]),
        NONE if printed is None else f"{printed:.3f}",
        of["profile"],
        *trained,
        f"{of['validation']['f1']:.4f}" if "validation" in of else NONE,
        _interval(of["f1_official"]),
        _interval(of["f1_leak_free"]),
        _interval(of["f1_leak_free_equal_shares"]) if "f1_leak_free_equal_shares" in of else NONE,
        *(f"{of[score]:.4f}" if score in of else NONE for score in ("accuracy_official", "auc_official")),
        *measured,
    ]


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.4f} ({figure['ci_low']:.4f}–{figure['ci_high']:.4f})"


def _trials(trials: list[Mapping[str, Any]]) -> str:
    scores = ("f1", "precision", "recall", "accuracy")
    rows = [
        [
            f"`{trial['run']}`",
            ", ".join(f"`{change}`" for change in trial["changed"]) or "as it is",
            f"{trial['points'][-1]['minutes']:.1f}",
            *(f"{trial['points'][-1][f'val_{score}']:.4f}" for score in scores),
        ]
        for trial in trials
    ]
    return table(["run", "settings", "minutes", *("F1", *scores[1:])], rows)


def _cost(measured: Mapping[str, Any]) -> str:
    size = measured["image_size"]
    rows = [
        [
            run_title(name),
            f"{of['trainable'] / 1e6:.2f}",
            f"{of['multiply_adds'] / 1e6:,.0f}",
            f"{of['trained_per_second']:,.1f}",
            f"{P100[name]:,.1f}" if size == P100_SIZE and name in P100 else NONE,
            f"{of['training_peak_mib']:,}",
            f"{of['predicted_per_second']:,.1f}",
            f"{of['prediction_peak_mib']:,}",
        ]
        for name, of in measured["networks"].items()
    ]
    made_on = f"Images of {size}×{size} pixels, on {_machine(measured['machine'])}."
    header = [
        "network",
        "M parameters",
        "M multiply-adds",
        "images/s, training",
        "the same on a P100, published",
        "peak memory, MiB",
        "images/s, prediction",
        "peak memory, MiB ",
    ]
    of_the_paper = (
        5 * 100_000 / P100["resnet152"] / 3600
    )  # table 1's epochs over all of CIFAKE's training half
    return (
        f"{made_on}\n\n{table(header, rows)}\n\n"
        f"The paper's GPU is a P100. What is published of one is of TensorFlow in May 2017, with SGD and real"
        f" images, VGG16 with its dense layers (<{P100_SOURCE}>); at that rate ResNet152's five epochs over"
        f" 100,000 images take {of_the_paper:.1f} hours."
    )


def _machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['cpu']}, {machine['cores']} cores{', ' + machine['gpu'] if machine['gpu'] else ''}"


if __name__ == "__main__":
    with exiting():
        refresh(DOCUMENT, measured_parts(Path()))
        FRONTIER.write_text(measured_frontier(Path()), encoding="utf-8")
