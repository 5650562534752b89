"""Write what measured runs gave into docs/results.md: `make results`.

Everything comes from what `benchmarks/measured_run.py` left in docs/measurements: PROFILE.json and, beside
it, the run's own reports. The sample's figures say nothing about real images, so that they are not kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.audit_report import Baselines
from deepfake_ensemble.comparison.robustness import PARTS
from deepfake_ensemble.evaluation.metrics import Metrics
from deepfake_ensemble.evaluation.weighting import ENSEMBLE, Method
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.foundation.section import INTERNAL
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.pages.titles import AVERAGED, title
from deepfake_ensemble.perturbing.conditions import IMITATED
from deepfake_ensemble.studies.ensemble.report.answer import as_markdown
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, read_compared, read_drop
from deepfake_ensemble.workflow import generated, measured
from deepfake_ensemble.workflow.generated import table
from deepfake_ensemble.workflow.measured import Reports

RESULTS = Path("docs/results.md")
MEASUREMENTS = Path("docs/measurements")
TRIVIAL = """\
What trivial features alone tell, as AUC: file size, brightness and sharpness one by one, and a logistic
regression on all three, cross-validated; over all images of the archive."""
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
ITEM_BY_ITEM = ("train", "predict")


def parts(measurements: Path) -> dict[str, str]:
    """Return for each measured profile, by name, what docs/results.md shows of it."""
    found = {file: read_json(file) for file in sorted(measurements.glob("*.json"))}
    # What benchmarks of speed left there tells of no stages.
    return {file.stem: section(run, file.with_suffix("")) for file, run in found.items() if "stages" in run}


def section(run: Mapping[str, Any], folder: Path) -> str:
    """Return what one run gave, in Markdown; what it cost alone, if its reports were not kept.

    Args:
        run: what `measured_run.py` wrote about it.
        folder: its reports.

    Raises:
        UserError: if a report is missing.
    """
    return "\n\n".join(
        [
            measured.headline(run["profile"], run["params"]["profiles"][run["profile"]]),
            _made_with(run),
            *(_figures(folder, run["params"]["ensemble"]["weighting"]) if folder.is_dir() else ()),
            "Time and memory:",
            _costs(run["stages"]),
            *_predicting(folder, run["stages"]),
        ]
    )


def _figures(folder: Path, weighting: Method) -> Iterable[str]:
    reports = measured.read(folder)
    if reports is None:
        raise UserError(f"{folder}: holds no evaluation; run `python benchmarks/measured_run.py`")
    yield from _answer(folder, reports, weighting)
    yield measured.detectors(reports)
    yield from _remarks(reports)
    yield from _intervals(folder, reports)
    yield from _robustness(folder)
    yield TRIVIAL
    yield _trivial(reports)
    yield from _training(folder)


def _made_with(run: Mapping[str, Any]) -> str:
    machine, versions = run["machine"], run["versions"]
    on = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB"
    weighting = AVERAGED[run["params"]["ensemble"]["weighting"]]
    averaged = f", the ensemble's members {weighting}" if len(run["params"].get("members", ())) != 1 else ""
    return (
        f"On {on}{', ' + machine['gpu'] if machine['gpu'] else ''} ({machine['system']}); Python"
        f" {versions['python']}, TensorFlow {versions['tensorflow']}, Keras {versions['keras']}, NumPy"
        f" {versions['numpy']}; seed {run['params']['seed']}{averaged}; commit {run['commit']}."
    )


def _answer(folder: Path, reports: Reports, weighting: Method) -> Iterable[str]:
    """Open with the report's own answer, if what it was built from was kept."""
    evaluations = [
        _compared(folder, name) for name in reports.metrics if (folder / f"comparison/{name}.json").exists()
    ]
    if evaluations:
        yield as_markdown(evaluations, weighting)
        if (folder / CARD).exists():
            place = "../reports" if folder.name == "reports" else f"measurements/{folder.name}"
            yield f"The run's [model card]({place}/{CARD})."


def _compared(folder: Path, name: str) -> Evaluation:
    """Return an evaluation without what no sentence tells of."""
    drop = folder / f"comparison/drop/{name}.json"
    return Evaluation(
        name=name,
        metrics={},
        compared=read_compared(folder / f"comparison/{name}.json"),
        roc={},
        precision_recall={},
        confusion={},
        drop=read_drop(drop) if drop.exists() else None,
    )


def _remarks(reports: Reports) -> Iterable[str]:
    """Say of each evaluation what its figures are to be measured against."""
    for evaluation, detectors in reports.metrics.items():
        name = title(evaluation)
        told = f"{name[0].upper()}{name[1:]}:"
        if len(detectors) > 1:
            told += f" the ensemble gets {_beside_the_best(detectors)}."
        baseline = reports.audits[evaluation].baselines.logistic
        if baseline:
            beaten = sum(figures.auc > baseline.auc for figures in detectors.values())
            told += (
                f" The logistic regression on trivial features has AUC {baseline.auc:.3f} on this data"
                f" set; {beaten or 'none'} of the {len(detectors)} detectors"
                f" {'has' if beaten < 2 else 'have'} more."
            )
            if evaluation != INTERNAL:
                told += " It was fitted to this data set, the detectors were not."
        yield told


def _beside_the_best(detectors: Mapping[str, Metrics]) -> str:
    ensemble, members = detectors[ENSEMBLE], detectors.keys() - {ENSEMBLE}
    best = max(sorted(members), key=lambda name: detectors[name].accuracy)
    images = round((ensemble.accuracy - detectors[best].accuracy) * ensemble.n)
    more = f"{abs(images):,} {'more' if images > 0 else 'fewer'}" if images else "as many"
    than = f"{'than' if images else 'as'} {title(best)}, the best member on these images"
    return f"{more} of {ensemble.n:,} images right {than}"


def _intervals(folder: Path, reports: Reports) -> Iterable[str]:
    """Return a table of accuracy and AUC with the intervals of the `compare` stage, if they were kept."""
    found = {
        evaluation: told_once(read_json(file)["detectors"])
        for evaluation in reports.metrics
        if (file := folder / f"comparison/{evaluation}.json").exists()
    }
    if not found:
        return
    header = ["detector"]
    for evaluation in found:
        header += [f"{title(evaluation)}: accuracy", "AUC"]
    rows = [
        [
            measured.detector(name),
            *(_interval(of[name][metric]) for of in found.values() for metric in ("accuracy", "auc")),
        ]
        for name in next(iter(found.values()))
    ]
    yield (
        "With Wilson's intervals of accuracy and DeLong's of AUC (`comparison.confidence`, over images;"
        " another training adds to them; see [statistics](statistics.md)):"
    )
    yield table(header, rows)


def _interval(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None or figure["ci_low"] is None or figure["ci_high"] is None:
        return "–"
    return f"{figure['value']:.3f} ({figure['ci_low']:.3f}–{figure['ci_high']:.3f})"


def _robustness(folder: Path) -> Iterable[str]:
    """Return what perturbed images and each part of the way to another data set cost, if it was measured."""
    file = folder / "robustness/figures.json"
    found: Mapping[str, Any] = read_json(file) if file.exists() else {"images": 0}
    if not found["images"]:
        return
    yield (
        f"On {found['images']:,} of the internal test's images after the strongest perturbation of each kind,"
        " accuracy:"
    )
    strongest = {of["kind"]: name for name, of in found["conditions"].items()}
    kinds = {kind: name for kind, name in strongest.items() if not kind.startswith(IMITATED)}
    yield table(
        ["detector", "clean", *(name.replace("_", " ") for name in kinds.values())],
        [
            [
                measured.detector(detector),
                *(f"{of[name]['accuracy']['value']:.3f}" for name in ("clean", *kinds.values())),
            ]
            for detector, of in told_once(found["detectors"]).items()
        ],
    )
    for data_set, losses in found["losses"].items():
        yield (
            f"What the detectors lose from those images to {title(data_set)}, in points of accuracy:"
            " by its resolution, by its compression on top, by the rest:"
        )
        yield table(
            ["detector", *PARTS],
            [
                [
                    measured.detector(detector),
                    *(_points(of[part]["accuracy"]) for part in PARTS),
                ]
                for detector, of in told_once(losses).items()
            ],
        )


def _points(figure: Mapping[str, float]) -> str:
    value, low, high = (100 * figure[end] for end in ("value", "ci_low", "ci_high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _trivial(reports: Reports) -> str:
    rows = []
    for name, audit in reports.audits.items():
        cells = [f"{of.auc:.3f}" if of else "–" for of in vars(audit.baselines).values()]
        rows.append([title(name), f"{audit.usable:,}", *cells])
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


def _predicting(folder: Path, stages: Mapping[str, Mapping[str, float]]) -> Iterable[str]:
    """Say what the ensemble's predictions cost beside those of its best member alone, if that was kept."""
    file = folder / f"comparison/{INTERNAL}.json"
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
        generated.refresh(RESULTS, parts(MEASUREMENTS))
