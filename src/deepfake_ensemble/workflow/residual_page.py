"""Write the measured tables of docs/residual.md and its figure: `make residual-results`, in the root.

Scores and times come from residual/results.json; from docs/measurements/residual come costs (cost-SIZE.json),
measured by benchmarks/residual_cost.py, trials (validation-NAME.json, by benchmarks/fast_recipe.py, and
trained-NAME.json, of a stage's training that no test image was shown to), and what was kept of the runs' own
reports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from deepfake_ensemble.comparison.intervals import p_above
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.pages.numbers import p_value
from deepfake_ensemble.pages.titles import TEST_SETS, run_title
from deepfake_ensemble.scoring.scores import Confusion
from deepfake_ensemble.studies.residual.report import paper
from deepfake_ensemble.studies.residual.report.study import stem_title
from deepfake_ensemble.workflow import frontier
from deepfake_ensemble.workflow.generated import refresh, table
from deepfake_ensemble.workflow.machine import shown as machine

DOCUMENT = Path("docs/residual.md")
FRONTIER = Path("docs/residual-frontier.svg")
RESULTS = Path("residual/results.json")
MEASURED = Path("docs/measurements/residual")
NOTHING = "*Not measured yet.*"
NONE = "–"
SINGLE_VIEW = """\
\\* Of a single view of each image, at the checkpoint that was kept (`training/metrics.json` of the report);
the finished model of a recipe with `mean_over` takes the mean over several."""
# What F1 is held against: the paper's best, and what the fast recipes were set.
BARS = (paper.BEST, 0.98, 0.985)
LISTED = """\
Listed are of each run the bars that its F1 as published lies above. The lowest is the figure that the paper
prints for another network, ResNet152 from ImageNet weights at 224 pixels."""
ALPHA = 0.05
# Images a second that a P100 trains on, in batches of 32 at this size (TensorFlow's own benchmarks).
P100: Mapping[str, float] = {"resnet50": 193, "resnet152": 82.4, "vgg16": 144}
P100_SIZE = 224
P100_SOURCE = "https://github.com/tensorflow/docs/blob/62da04c/site/en/r1/guide/performance/benchmarks.md"


@dataclass(frozen=True)
class Kept:
    """What was kept of one training in docs/measurements/residual.

    Attributes:
        confusion: by test set.
        val_f1: on validation, of a single view of each image, at the checkpoint that was kept.
        best: the best run of that report on validation.
    """

    confusion: Mapping[str, Confusion]
    val_f1: float
    best: str


def parts(
    results: Mapping[str, Any] | None,
    trials: list[Mapping[str, Any]],
    costs: list[Mapping[str, Any]],
    kept: Mapping[tuple[str, str], Kept],
) -> dict[str, str]:
    """Return the generated parts by name.

    Args:
        results: the content of residual/results.json; None if there is none yet.
        trials: what was trained and never scored on test images, as benchmarks/fast_recipe.py writes it.
        costs: what benchmarks/residual_cost.py wrote, by size of images.
        kept: by profile and run, what was kept of it.
    """
    return {
        "results": _results(results, kept) if results else NOTHING,
        "trials": _trials(trials) if trials else NOTHING,
        "looks": _looks(results) if results else NOTHING,
        "bars": _bars(results, kept) if results else NOTHING,
        "cost": "\n\n".join(map(_cost, costs)) or NOTHING,
    }


def measured_parts(root: Path) -> dict[str, str]:
    """Return the generated parts from the project's own files."""
    results = _scored(root)
    trials = [*_measured(root, "validation"), *_measured(root, "trained")]
    return parts(results, trials, _measured(root, "cost"), _kept(root, results))


def in_short(root: Path) -> list[str]:
    """Return what is known of the second study from real images."""
    results = _scored(root)
    return best_of_each(results["runs"], _kept(root, results)) if results else []


def best_of_each(runs: Sequence[Mapping[str, Any]], kept: Mapping[tuple[str, str], Kept]) -> list[str]:
    """Return a sentence of the best run of each report; nothing where none was kept.

    Args:
        runs: of results.json.
        kept: what was kept of them, by profile and run.
    """
    told = [
        f"{run_title(run['run'])} {_interval(run['f1_official'])}, {run['image_size']} pixels,"
        f" {run['minutes']:.0f} minutes on {machine(run['machine'])},"
        f" {'' if _passes(run, kept[_place(run)], paper.BEST) else 'not shown to be '}above {paper.BEST}"
        for run in runs
        if _place(run) in kept and kept[_place(run)].best == run["run"]
    ]
    said = (
        "**The second study** ([more](residual.md)), F1 on CIFAKE's test images as published of the run"
        f" that validation ranks first, by profile: {'; '.join(told)}. The paper's best, {paper.BEST}, is of"
        " another network, ResNet152 from ImageNet weights, at 224 pixels."
    )
    return [said] if told else []


def measured_frontier(root: Path) -> str:
    """Return the figure from the project's own files."""
    return frontier.draw(_scored(root) or {"runs": []}, _measured(root, "validation"))


def _scored(root: Path) -> Mapping[str, Any] | None:
    return read_json(root / RESULTS) if (root / RESULTS).exists() else None


def _place(of: Mapping[str, Any]) -> tuple[str, str]:
    return of["profile"], of["run"]


def _kept(root: Path, results: Mapping[str, Any] | None) -> dict[tuple[str, str], Kept]:
    """Return what was kept of each run of results.json, in whichever folder holds the same training of it."""
    found: dict[tuple[str, str], Kept] = {}
    for file in sorted((root / MEASURED).glob("*/training/metrics.json")):
        compared = {
            name: read_json(file.parents[1] / f"evaluation/{name}/comparison.json") for name in TEST_SETS
        }
        trained = read_json(file)
        for run in results["runs"] if results else ():
            name = run["run"]
            if all(
                name in of["intervals"] and of["intervals"][name]["f1"]["value"] == run[f"f1_{key}"]["value"]
                for key, of in compared.items()
            ):
                counts = {key: Confusion(**of["confusion"][name]) for key, of in compared.items()}
                found[_place(run)] = Kept(counts, trained[name]["val_f1"], compared["official"]["best"])
    return found


def _measured(root: Path, kind: str) -> list[Mapping[str, Any]]:
    return [read_json(file) for file in sorted((root / MEASURED).glob(f"{kind}-*.json"))]


def _results(results: Mapping[str, Any], kept: Mapping[tuple[str, str], Kept]) -> str:
    scored = [*results["runs"], *results.get("averages", ())]
    rows = [
        _row(run, kept.get(_place(run)))
        for run in sorted(scored, key=lambda run: (run["profile"], -run["f1_official"]["value"]))
    ]
    header = [
        "run",
        "paper: F1",
        "profile",
        "image",
        "epochs",
        "stem",
        "F1, validation",
        "F1, as published",
        "F1, leak-free",
        "at equal shares",
    ]
    header += ["accuracy", "AUC", "minutes", "commit", "times scored"]
    machines = sorted({machine(run["machine"]) for run in results["runs"]})
    count = len(results["runs"])
    images = sorted({run["training_images"] for run in results["runs"]})
    averaged = len(results.get("averages", ()))
    also = f", and {averaged} average{'s' if averaged > 1 else ''} of such" if averaged else ""
    made_on = f"{count} run{'s' if count > 1 else ''}{also}, on {'; on '.join(machines)}."
    trained = f" Each has {' or '.join(f'{n:,}' for n in images)} training images."
    baselines = sorted(
        {(of["accuracy"], of["auc"]) for run in results["runs"] if (of := run.get("trivial_baseline"))}
    )
    trivial = "".join(
        " By cross-validation over the whole archive the audit's regression on file size, brightness and"
        f" sharpness reaches accuracy {accuracy:.4f}, AUC {auc:.4f}."
        for accuracy, auc in baselines
    )
    averages = "".join(
        f"\n\nThe average of networks of profile `{of['profile']}` has as its members "
        + ", ".join(f"{run_title(run)} ({weight:.3f})" for run, weight in of["weights"].items())
        + "."
        for of in results.get("averages", ())
    )
    single = [run for run in results["runs"] if "validation" not in run and _place(run) in kept]
    best = sorted({kept[_place(run)].best for run in single})
    names = ", ".join(map(run_title, best))
    chosen = f" By finished models, whose own F1 there was not kept, the best is {names}."
    marked = f"\n\n{SINGLE_VIEW}{chosen}" if single else ""
    return f"{made_on}{trained}{_tested(kept)}{trivial}\n\n{table(header, rows)}{marked}{averages}"


def _tested(kept: Mapping[tuple[str, str], Kept]) -> str:
    """Say how many test images there are; nothing where no counts were kept."""
    if not kept:
        return ""
    sizes = {name: {sum(astuple(of.confusion[name])) for of in kept.values()} for name in TEST_SETS}
    told = (
        f"the {TEST_SETS[name]} has {' or '.join(f'{n:,}' for n in sorted(of))}" for name, of in sizes.items()
    )
    return f" Of images {', '.join(told)}."


def _row(of: Mapping[str, Any], kept: Kept | None) -> list[str]:
    """Return a run's row, or that of a weighted average, which is nothing that was trained."""
    printed = paper.F1.get(of["run"])
    trained = measured = [NONE] * 3
    if of["run"] != ENSEMBLE:
        size = f"{of['image_size']}×{of['image_size']}"
        trained = [size, str(of["epochs"]), stem_title(of["model"], of["stem"]) or NONE]
        measured = [f"{of['minutes']:.1f}", _commit(of), str(of["times_scored"])]
    return [
        run_title(of["run"]),
        NONE if printed is None else f"{printed:.3f}",
        of["profile"],
        *trained,
        _validation(of, kept),
        _interval(of["f1_official"]),
        _interval(of["f1_leak_free"]),
        _interval(of["f1_leak_free_equal_shares"]) if "f1_leak_free_equal_shares" in of else NONE,
        *(f"{of[score]:.4f}" if score in of else NONE for score in ("accuracy_official", "auc_official")),
        *measured,
    ]


def _validation(of: Mapping[str, Any], kept: Kept | None) -> str:
    if "validation" in of:
        return f"{of['validation']['f1']:.4f}"
    return NONE if kept is None else f"{kept.val_f1:.4f}\\*"


def _passes(run: Mapping[str, Any], kept: Kept, bar: float) -> bool:
    """Return whether F1 is above a bar on both test sets, each p times how often they were looked at."""
    return all(run["times_scored"] * p_above(of, bar) < ALPHA for of in kept.confusion.values())


def _bars(results: Mapping[str, Any], kept: Mapping[tuple[str, str], Kept]) -> str:
    """Return which bars the runs' F1 passes, the lowest first, of those that its value is above."""
    rows = [
        [
            run_title(run["run"]),
            f"{bar:.3f}",
            str(run["times_scored"]),
            *(str(p_value(p_above(of, bar))) for of in kept[_place(run)].confusion.values()),
            "passed" if _passes(run, kept[_place(run)], bar) else "not shown to be passed",
        ]
        for run in results["runs"]
        if _place(run) in kept
        for bar in BARS
        if run["f1_official"]["value"] > bar
    ]
    before = "before × times scored"
    header = [
        "run",
        "bar",
        "times scored",
        f"p, as published, {before}",
        f"p, leak-free, {before}",
        "so it is",
    ]
    return f"{LISTED}\n\n{table(header, rows)}" if rows else NOTHING


def _looks(results: Mapping[str, Any]) -> str:
    """Return each time that the test images were shown to a finished model of a run that was made anew."""
    again = {_place(of) for of in results.get("superseded", ())}
    rows = [
        [
            run_title(of["run"]),
            of["profile"],
            _commit(of),
            str(of["epochs"]),
            f"{of['minutes']:.1f}",
            _interval(of["f1_official"]),
        ]
        for place in sorted(again)
        for of in [*results["superseded"], *results["runs"]]
        if _place(of) == place
    ]
    header = ["run", "profile", "commit", "epochs", "minutes", "F1, as published"]
    return table(header, rows) if rows else NOTHING


def _commit(of: Mapping[str, Any]) -> str:
    commit = (of["commit"] or NONE).replace("-dirty", ", with changes")
    name, _, changes = commit.partition(", ")
    return f"`{name[:7]}`{', ' + changes if changes else ''}"


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.4f} ({figure['ci_low']:.4f}–{figure['ci_high']:.4f})"


def _trials(trials: list[Mapping[str, Any]]) -> str:
    scores = ("precision", "recall", "accuracy")
    rows = [
        [
            f"`{trial['run']}`",
            ", ".join(f"`{change}`" for change in trial["changed"]) or "as it is",
            f"{trial['points'][-1]['minutes']:.1f}",
            f"{trial['n']:,}",
            _interval(trial["f1"]),
            *(f"{trial['points'][-1][f'val_{score}']:.4f}" for score in scores),
        ]
        for trial in trials
    ]
    return table(["run", "settings", "minutes", "images", "F1", *scores], rows)


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
    made_on = f"Images of {size}×{size} pixels, on {machine(measured['machine'])}."
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


if __name__ == "__main__":
    with exiting():
        refresh(DOCUMENT, measured_parts(Path()))
        FRONTIER.write_text(measured_frontier(Path()), encoding="utf-8")
