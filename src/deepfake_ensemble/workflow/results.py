"""Write what measured runs gave into docs/results.md: `make results`.

Everything comes from what `benchmarks/measured_run.py` left in docs/measurements: NAME.json and, beside
it, the run's own reports; and, of the second study, from residual/results.json. A further run has a section
as soon as its files are there. The sample's figures say nothing about real images, so they are not kept.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.audit_report import Baselines
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.comparison.paired import Tested
from deepfake_ensemble.comparison.robustness import CLEAN, PARTS, NoImages, RobustnessFigures
from deepfake_ensemble.comparison.verdicts import Finding
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json, read_result
from deepfake_ensemble.foundation.section import INTERNAL
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.pages.numbers import interval, points, share
from deepfake_ensemble.pages.rendering import setting
from deepfake_ensemble.pages.titles import AVERAGED, place, title
from deepfake_ensemble.perturbing.conditions import IMITATED
from deepfake_ensemble.studies.ensemble.report.answer import as_markdown, in_short
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, read_compared
from deepfake_ensemble.workflow import generated, measured, residual_page, scalings, trials
from deepfake_ensemble.workflow.generated import table
from deepfake_ensemble.workflow.machine import shown as machine
from deepfake_ensemble.workflow.measured import Reports, Run

RESULTS = Path("docs/results.md")
MEASUREMENTS = Path("docs/measurements")
TRIVIAL = """\
What trivial features alone tell, as AUC: file size, brightness and sharpness one by one, and a logistic
regression on all three, cross-validated; over all images of the archive, those for training, validation and
test together. The regression is fitted on the same kind of images as it is tried on: it says how far these
features tell that archive's classes apart, not what a detector from elsewhere could do with them."""
AT_FLOOR = "floor reached"
REACHED = (
    f'; "{AT_FLOOR}": before that step already the accuracy is not shown to be above a constant answer\'s, so'
    " that the step cannot be told from the others"
)
CARD = "model_card.md"
# What of `reports/` is kept beside the measurements.
KEPT = (
    "comparison/*.json",
    "comparison/drop/*.json",
    "data/*.json",
    "ensemble/weights.json",
    "evaluation/*/metrics.json",
    CARD,
    "robustness/figures.json",
    "training/metrics.json",
)
GRID = "lite0.json"
TRIALS = "quick_trials.json"
NOTHING = "Not measured yet."
Gains = Callable[[Evaluation], Mapping[Tested, Finding] | None]
QUESTIONS: Mapping[str, Gains] = {
    "**Averaging by accuracy shares**, against the member that validation ranks first": lambda of: (
        of.compared.question
    ),
    "**Weights by validation accuracy**, against equal ones": lambda of: of.compared.shares,
    "**Weights fitted by log loss** on half of the test images and tried on the other, against equal ones": (
        lambda of: of.compared.best_weights.less_uniform if of.compared.best_weights else None
    ),
}
INTERVALS = "statistics.md#one-interval-for-each-kind-of-figure"
EACH = "what-averaging-and-weights-gain"
ITEM_BY_ITEM = ("train", "predict")


def parts(measurements: Path, root: Path) -> dict[str, str]:
    """Return what docs/results.md shows, by name.

    Args:
        measurements: the folder of what was measured.
        root: of the project, for the second study's results.
    """
    found = measured.runs(measurements)
    real = [run for run in found if not run.is_sample]
    return {
        "known": "\n".join(f"- {sentence}" for sentence in known(real, measurements, root)),
        "questions": questions(real),
        "runs": "\n\n".join(section(run) for run in real),
        **{
            name: page(read_json(measurements / file)) if (measurements / file).exists() else NOTHING
            for name, file, page in (("grid", GRID, scalings.page), ("trials", TRIALS, trials.page))
        },
        "sample": "\n\n".join(cost_alone(run) for run in found if run.is_sample),
    }


def known(runs: Sequence[Run], measurements: Path, root: Path) -> Iterable[str]:
    """Yield what is known from real images: by run, by question, of the second study, and whether the study
    was run."""
    evaluations = {run.name: list(run.reports().evaluations.values()) for run in runs}
    for at, run in enumerate(runs):
        if any(run.differs_by_seed(before) for before in runs[:at]):
            continue  # told with the first
        found = evaluations[run.name]
        said = in_short(found, run.weighting) if found else "It was not compared."
        members = _count(len(run.members), "detector") if len(run.members) > 1 else title(run.members[0])
        minutes = f"{run.minutes:,.0f} minutes on {machine(run.about['machine'])}"
        since = "; with other params than today's" if run.changed_params() else ""
        again = [other for other in runs[at:] if run.differs_by_seed(other)]
        yield (
            f"[`{run.name}`](#{_anchor(run)}): {members}, {run.described()}; {minutes}{since}. {said}"
            + "".join(f" {sentence}" for sentence in _seeds([run, *again], evaluations))
        )
    for question, gains in QUESTIONS.items():
        verdicts = [
            measured.verdict_by_metric(findings, each)
            for run in runs
            for each in _weighted_by_shares(run, evaluations[run.name])
            if (findings := gains(each))
        ]
        if verdicts:
            of_all = _count(len(verdicts), "evaluation")
            yield f"{question}, in {of_all}: {_tally(verdicts)} ([each](#{EACH}))."
    if (measurements / GRID).exists():
        yield from scalings.in_short(read_json(measurements / GRID))
    yield from residual_page.in_short(root)
    if not any(run.is_study for run in runs):
        yield (
            "The first study itself, profile `paper`, was not run: it needs Kaggle's archives and a GPU. No"
            " figure here is the study's."
        )


def _weighted_by_shares(run: Run, evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """Return a run's evaluations of an ensemble that is weighted as the study's is."""
    return [each for each in evaluations if run.weighting == "accuracy" and not each.is_alone]


def _tally(told: Sequence[Mapping[Tested, str]]) -> str:
    """Say how often each verdict is passed on each metric, in the order of the verdicts."""
    said = []
    for metric in told[0]:
        counts = Counter(of[metric] for of in told)
        words = [word for word in (*measured.VERDICTS.values(), measured.OF_NO_USE) if word in counts]
        said.append(f"{scalings.METRICS[metric]}: {', '.join(f'{word} {counts[word]}' for word in words)}")
    return "; ".join(said)


def questions(runs: Sequence[Run]) -> str:
    """Return what each run answers on each data set, in Markdown."""
    rows = [
        [
            f"`{run.name}`",
            f"{place(each.name)}, {each.compared.n:,}",
            *(
                f"{measured.gain(found, each)} {measured.verdicts(found, each)}" if found else "–"
                for found in (gains(each) for gains in QUESTIONS.values())
            ),
        ]
        for run in runs
        for each in _weighted_by_shares(run, run.reports().evaluations.values())
    ]
    header = ["run", "test images", "averaging", "weights by accuracy", "weights by log loss"]
    return table(header, rows) if rows else NOTHING


def _seeds(runs: Sequence[Run], evaluations: Mapping[str, Sequence[Evaluation]]) -> Iterable[str]:
    """Say how far apart runs are that differ in nothing but the seed, on what all of them were tested on."""
    if len(runs) == 1:
        return
    found = [{each.name: each for each in evaluations[run.name]} for run in runs]
    told = []
    for name, first in found[0].items():
        if not all(name in of for of in found):
            continue
        spread = {}
        for detector in first.compared.detectors:
            values = [of[name].compared.detectors[detector].accuracy.value for of in found]
            spread[detector] = points(max(values) - min(values), first.digits, "never")
        said = f"{spread.pop(first.subject)} on {place(name)}"
        if not first.is_alone:
            member = max(spread, key=lambda detector: spread[detector].value)
            gains = [of[name].compared.question["accuracy"].contrast.gain.value for of in found]
            of_gain = points(max(gains) - min(gains), first.digits, "never")
            said += f" ({title(member)}: {spread[member]}; gain: {of_gain})"
        told.append(said)
    if told:
        seeds = " and ".join(f"{run.seed} (`{run.name}`)" for run in runs)
        up_to = "" if len(runs) == 2 else "up to "
        also = "the member that moves most, and what averaging gains"
        members = "" if len(runs[0].members) == 1 else f", with {also}, in brackets"
        apart = f"accuracies lie {up_to}so many points apart{members}"
        yield f"Trained with seeds {seeds}, {apart}: {', '.join(told)}."


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n != 1 else ''}"


def _heading(run: Run) -> str:
    return f"Run `{run.name}`"


def _anchor(run: Run) -> str:
    return _heading(run).lower().replace("`", "").replace(" ", "-")


def section(run: Run) -> str:
    """Return what one run gave, in Markdown.

    Raises:
        UserError: if a report is missing.
    """
    return "\n\n".join(
        [
            f"## {_heading(run)}",
            f"Profile `{run.profile}`{'' if run.is_study else ', not the study'}: {run.described()}.",
            _made_with(run),
            *_since(run),
            *_figures(run),
            "Time and memory:",
            _costs(run.about["stages"]),
            *_predicting(run),
        ]
    )


def cost_alone(run: Run) -> str:
    """Return what the sample's run cost, in Markdown: its figures are of no interest."""
    stages = run.about["stages"]
    training = sum(of["seconds"] for name, of in stages.items() if name.startswith("train@"))
    peak = max(of["peak_mib"] for of in stages.values())
    return (
        f"Profile `{run.profile}`: {run.described()}. Its images are synthesised from a few photographs, so"
        " that its figures show that the pipeline works, and say nothing about real deepfakes.\n\n"
        f"{_made_with(run)} Its {len(stages)} stages took {60 * run.minutes:,.0f} s, {training:,.0f} s of it"
        f" to train {_count(len(run.members), 'network')}, and at most {peak:,} MiB."
    )


def _figures(run: Run) -> Iterable[str]:
    reports = run.reports()
    yield from _answer(run, reports)
    for evaluation in reports.metrics:
        yield from _detectors(run, evaluation, reports)
    yield from _robustness(run.folder)
    yield TRIVIAL
    yield _trivial(reports)
    yield from _training(run.folder)


def _made_with(run: Run) -> str:
    about, versions = run.about, run.about["versions"]
    weighting = AVERAGED[run.weighting]
    averaged = f", the ensemble's members {weighting}" if len(run.members) > 1 else ""
    commit, _, changes = str(about["commit"]).partition(", ")
    return (
        f"Made at commit `{commit}`{', ' + changes if changes else ''}; what is said here is of that run. On"
        f" {machine(about['machine'])}, {about['machine']['memory_gib']} GiB ({about['machine']['system']});"
        f" Python {versions['python']}, TensorFlow {versions['tensorflow']}, Keras {versions['keras']}, NumPy"
        f" {versions['numpy']}; seed {about['params']['seed']}{averaged}. Its params are in"
        f" [{run.name}.json](measurements/{run.name}.json).{_looks(len(about.get('scored', ())))}"
    )


def _looks(times: int) -> str:
    """Say how many trainings of this name the test images were shown to, or that nobody counted."""
    if not times:
        return " How often its test images were scored was not counted then."
    shown = "once" if times == 1 else f"{times} times, to as many trainings of this run's name"
    return f" Its test images were scored {shown}."


def _since(run: Run) -> Iterable[str]:
    """Say which of the params that trainings depend on had another value then."""
    changed = [
        f"`{key}` was {_shown(before)} and is {_shown(now)}"
        for key, (before, now) in run.changed_params().items()
    ]
    if changed:
        yield f"Since then params have changed: {', '.join(changed)}."


def _shown(value: Any) -> str:
    return f"`{setting(value)}`"


def _answer(run: Run, reports: Reports) -> Iterable[str]:
    """Open with the report's own answer, if what it was built from was kept."""
    if reports.evaluations:
        yield as_markdown(list(reports.evaluations.values()), run.weighting)
        if (run.folder / CARD).exists():
            place = "../reports" if run.folder.name == "reports" else f"measurements/{run.name}"
            yield f"The run's [model card]({place}/{CARD})."


def _detectors(run: Run, evaluation: str, reports: Reports) -> Iterable[str]:
    """Yield a table of the detectors on one data set, and what trivial features reach there."""
    measures, audit = reports.metrics[evaluation], reports.audits[evaluation]
    compared = reports.evaluations[evaluation].compared.detectors if evaluation in reports.evaluations else {}

    def shown(name: str, metric: str) -> str:
        if name in compared:
            return str(interval(getattr(compared[name], metric), share))
        return f"{getattr(measures[name], metric):.3f}"

    rows = [
        [
            measured.detector(name),
            f"{reports.weights[name]:.3f}" if name in reports.weights else "",
            *(shown(name, metric) for metric in ("accuracy", "f1", "auc")),
        ]
        for name in measures
    ]
    fitted = audit.baselines.logistic
    where, n = place(evaluation), next(iter(measures.values())).n
    told = f"{where[0].upper()}{where[1:]}, {n:,} images."
    if fitted:
        rows.append([measured.trivial(audit), "", f"*{fitted.accuracy:.3f}*", "–", f"*{fitted.auc:.3f}*"])
        told += (
            f" The regression is of all {fitted.n:,} images of the archive, by {fitted.folds}-fold"
            " cross-validation."
        )
    if compared:
        told += f" In brackets are intervals over images ([statistics]({INTERVALS}))."
    yield told
    yield table(["detector", "weight", "accuracy", "F1", "AUC"], rows)


def _robustness(folder: Path) -> Iterable[str]:
    """Return what perturbed images and each part of the way to another data set cost, if it was measured."""
    file = folder / "robustness/figures.json"
    found = read_result(file, RobustnessFigures | NoImages) if file.exists() else NoImages()
    if isinstance(found, NoImages):
        return
    yield (
        f"On {found.images:,} of the internal test's images after the strongest perturbation of each kind,"
        " accuracy:"
    )
    strongest = {of.kind: name for name, of in found.conditions.items()}
    kinds = {kind: name for kind, name in strongest.items() if not kind.startswith(IMITATED)}
    yield table(
        ["detector", "clean", *(name.replace("_", " ") for name in kinds.values())],
        [
            [
                measured.detector(detector),
                *(f"{of[name].accuracy.value:.3f}" for name in (CLEAN, *kinds.values())),
            ]
            for detector, of in told_once(found.detectors).items()
        ],
    )
    for data_set, losses in found.losses.items():
        rows = []
        for detector, of in told_once(losses).items():
            told = found.tellable(detector, data_set, "accuracy")
            cells = [_points(getattr(of, part).accuracy) if part in told else AT_FLOOR for part in PARTS]
            rows.append([measured.detector(detector), *cells])
        yield (
            f"What the detectors lose from those images to {title(data_set)}, in points of accuracy:"
            " by its resolution, by its compression on top, by the rest"
            f"{REACHED if any(AT_FLOOR in row for row in rows) else ''}:"
        )
        yield table(["detector", *PARTS], rows)


def _points(figure: Interval) -> str:
    value, low, high = (100 * end for end in (figure.value, *figure.ends))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _trivial(reports: Reports) -> str:
    rows = []
    for name, audit in reports.audits.items():
        cells = [f"{of.auc:.3f}" if of else "–" for of in vars(audit.baselines).values()]
        rows.append([f"archive of {'the ' * (name == INTERNAL)}{title(name)}", f"{audit.usable:,}", *cells])
    features = [field.name.replace("_", " ") for field in fields(Baselines)]
    return table(["data set", "images", *features], rows)


def _training(folder: Path) -> Iterable[str]:
    file = folder / "training/metrics.json"
    if not file.exists():
        return
    summaries = read_json(file)
    yield "Training (at the best epoch, by validation loss, whose weights are kept):"
    yield table(
        ["detector", "epochs", "best", "loss", "accuracy", "validation loss", "validation accuracy"],
        [
            [
                measured.detector(name),
                str(of["epochs"]),
                str(of["best_epoch"]),
                *(f"{of[key]:.3f}" for key in ("loss", "accuracy", "val_loss", "val_accuracy")),
            ]
            for name, of in summaries.items()
        ],
    )


def _costs(stages: Mapping[str, Mapping[str, float]]) -> str:
    """Return a row for each stage; for those that train and predict, one for each model."""
    rows: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for name, figures in stages.items():
        stage, _, item = name.partition("@")
        rows[f"{stage} {item}" if stage in ITEM_BY_ITEM else stage].append(figures)
    total = sum(figures["seconds"] for figures in stages.values())
    return table(
        ["stage", "items", "wall time, s", "peak memory, MiB"],
        [
            *(
                [
                    name,
                    str(len(items)),
                    f"{sum(it['seconds'] for it in items):,.1f}",
                    f"{max(it['peak_mib'] for it in items):,}",
                ]
                for name, items in rows.items()
            ),
            [
                "**all**",
                str(len(stages)),
                f"**{total:,.1f}**",
                f"{max(it['peak_mib'] for it in stages.values()):,}",
            ],
        ],
    )


def _predicting(run: Run) -> Iterable[str]:
    """Say what the ensemble's predictions cost beside those of its best member alone, if that was kept."""
    file, stages = run.folder / f"comparison/{INTERNAL}.json", run.about["stages"]
    members = {name.removeprefix("predict@"): of for name, of in stages.items() if "predict@" in name}
    if not file.exists() or len(members) < 2:
        return
    best = read_compared(file).question["accuracy"].contrast.second
    alone, seconds = members[best], sum(of["seconds"] for of in members.values())
    peak = max(of["peak_mib"] for of in members.values())
    memory = f"{peak:,} MiB where that has {alone['peak_mib']:,} MiB"
    yield (
        f"To predict with the ensemble is to predict with each of its members: {seconds:,.1f} s,"
        f" {seconds / alone['seconds']:.1f} times the {alone['seconds']:,.1f} s of {title(best)}, the most"
        f" accurate on validation, and, one after the other, at most"
        f" {'as much memory as that' if peak == alone['peak_mib'] else memory}."
    )


if __name__ == "__main__":
    with exiting():
        generated.refresh(RESULTS, parts(MEASUREMENTS, Path()))
