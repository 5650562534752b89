"""The second study's report as one self-contained page: the paper's tables beside ours.

Each section has a template; the functions that prepare what it shows stand in the order of the page.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from deepfake_ensemble.comparison.intervals import ByMetric, Interval
from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.rendering import Figure, Section, drawn
from deepfake_ensemble.pages.rendering import render as rendered
from deepfake_ensemble.pages.titles import TEST_SETS, run_title, title
from deepfake_ensemble.studies.common.complexity import Cost
from deepfake_ensemble.studies.residual.outline import Stage
from deepfake_ensemble.studies.residual.report import claims, figures, look_of_mistakes, paper
from deepfake_ensemble.studies.residual.report.study import Study, stem_title
from deepfake_ensemble.training.residual.curves import Curves
from deepfake_ensemble.training.residual.settings import Runs

OURS = ("fast_15", "fast_60", "efficientnet_lite0_imagenet")  # runs that are no row of the paper's table 2
OPTIMIZERS = {"adamw": "AdamW", "muon": "Muon"}
WEIGHTS = ("random", "imagenet")  # what runs start from, as their names have it


def render(study: Study) -> str:
    """Return the page."""
    return rendered(
        __name__,
        "report.html",
        study=study,
        paper=paper,
        ENSEMBLE=ENSEMBLE,
        sections=[
            Section("How it was done", "flow.html", _flow(study)),
            Section("The networks", "networks.html", _networks(study)),
            Section("Without residual connections", "ablation.html", _ablation(study)),
            claims.section(study),
            Section("Is it more than chance?", "tests.html"),
            Section("The schedule", "schedule.html", _schedule(study)),
            Section("Mistakes", "mistakes.html", _mistakes(study)),
            look_of_mistakes.section(study),
            Section("All runs", "all_runs.html", _all_runs(study)),
            Section("Data", "data.html"),
            Section("Where the paper contradicts itself", "contradictions.html"),
            Section("How it was made", "making.html"),
        ],
    )


def _flow(study: Study) -> list[Figure]:
    """Return the study from its data to its scores (figure 1), and its deepest network (figure 4)."""
    splits, size = study.splits, study.params["profiles"]["image_size"]
    models = {study.runs.all[run].model for run in study.curves}
    preprocessing, training = recipes_in_words(study.recipes.values())
    steps = [
        ("CIFAKE", f"{study.audit.usable:,} images,\nhalf of them fake"),
        ("split", "\n".join(f"{name} {splits[name].images:,}" for name in ("train", "val", "test"))),
        (preprocessing, f"at random in training,\nto {size}² pixels"),
        ("networks", f"{len(models)}, in {len(study.curves)} run{'' if study.is_one_run else 's'}"),
        ("training", training),
        ("validation", "the checkpoint with\nthe best F1 is kept"),
        ("test", "F1, precision, recall,\naccuracy; once more\nwithout leaks"),
    ]
    found = [Figure(Markup(figures.row("flow", steps)), "The flow of the study (figure 1).", wide=True)]
    run = _deepest(study, "_random")
    if run:
        name = title(study.runs.all[run].model)
        shown = figures.architecture(study.networks[run].image_size, study.outlines[run], "P(fake)")
        text = f"{name}, and the size of what comes out of each stage, at this profile's images (figure 4)."
        found.append(Figure(Markup(shown), text, wide=True))
    return found


def recipes_in_words(recipes: Collection[Mapping[str, Any]]) -> tuple[str, str]:
    """Return what the recipes of params.yaml do to images, and by what they train, on the lines of a box."""
    crop = "crop, " if any(of["crop_scale"] for of in recipes) else ""
    flip = "flip,\n" if any(of["symmetry"] != "none" for of in recipes) else ""
    optimizers = dict.fromkeys(OPTIMIZERS[of["optimizer"]] for of in recipes)
    schedules = dict.fromkeys(of["schedule"] for of in recipes)
    training = f"{' or '.join(optimizers)};\nlearning rate\n{' or '.join(schedules)}"
    return f"{crop}{flip}normalise", training


def _deepest(study: Study, ending: str) -> str | None:
    """Return the deepest ResNet's run of a name that ends so; None where params.yaml has none."""
    runs = [f"{name}{ending}" for name in paper.RESNETS]
    return next((run for run in reversed(runs) if run in study.outlines), None)


@dataclass(frozen=True)
class Network:
    """A row of table 2: the paper's scores and ours.

    Attributes:
        title: what it is called.
        printed: by the paper; None for what is ours alone.
        millions: of parameters, likewise.
        pretrained: the run from ImageNet weights; None where there is none to be trained.
        scratch: the run from random weights, likewise.
        cost: of our network.
    """

    title: str
    printed: paper.Scores | None
    millions: float | None
    pretrained: str | None
    scratch: str | None
    cost: Cost | None


def _networks(study: Study) -> list[Network]:
    costs = study.networks
    papers = [
        Network(
            title=title(name),
            printed=printed,
            millions=millions,
            pretrained=f"{name}_imagenet" if f"{name}_imagenet" in study.runs.all else None,
            scratch=f"{name}_random",
            cost=costs.get(f"{name}_random"),  # None if params.yaml no longer has it
        )
        for name, (printed, millions) in paper.NETWORKS.items()
    ]
    ours = [
        Network(
            title=run_title(run),
            printed=None,
            millions=None,
            pretrained=run if run in study.runs.imagenet else None,
            scratch=run if run in study.runs.random else None,
            cost=costs[run],
        )
        for run in OURS
        if run in costs
    ]
    from_imagenet = any(run in study.runs.imagenet for run in study.official.ensemble_weights)
    average = Network(
        title=run_title(ENSEMBLE),
        printed=None,
        millions=None,
        pretrained=ENSEMBLE if from_imagenet else None,
        scratch=None if from_imagenet else ENSEMBLE,
        cost=None,
    )
    return [*papers, *ours, average]


@dataclass(frozen=True)
class Ablated:
    """A row of tables 6 and 7: a network in a scenario, the paper's scores if it has any, and our run."""

    title: str
    place: str
    printed: paper.Scores | None
    run: str


@dataclass(frozen=True)
class Ablation:
    """What removed connections change.

    Attributes:
        connections: in words, which are removed from which runs.
        blocks: a drawing of a stage with them and without.
        rows: of tables 6 and 7.
        losses: figures of each network.
        gradients: likewise.
    """

    connections: str
    blocks: Sequence[Figure]
    rows: Sequence[Ablated]
    losses: Sequence[Sequence[Figure]]
    gradients: Sequence[Figure]


def _ablation(study: Study) -> Ablation:
    return Ablation(
        connections=_which_connections(study.runs),
        blocks=_stages(study),
        rows=[*_scenarios(), *_at_its_word(study.runs)],
        losses=[
            _losses(network, _with_and_without(study, network))
            for network in paper.RESNETS
            if any(f"{network}_{weights}_plain" in study.curves for weights in WEIGHTS)
        ],
        gradients=drawn(
            study.gradients.without,
            lambda run: figures.gradients(
                run, study.gradients.with_connections[run], study.gradients.without[run]
            ),
            lambda run: (
                f"{run_title(run.removesuffix('_plain'))}: norm of the gradient at each convolution before"
                f" the first update, of the mean loss over {study.gradients.images} images."
            ),
        ),
    )


def _stages(study: Study) -> list[Figure]:
    """Return the first stage of the deepest ResNet with all connections, one fewer, and none (figure 11)."""
    kinds = {"": "as it is", "_thinned": "one removed", "_plain": "all removed"}
    runs = {heading: _deepest(study, f"_random{ending}") for ending, heading in kinds.items()}
    found = {
        f"{title(study.runs.all[run].model)}, {heading}": _first_stage(study.outlines[run])
        for heading, run in runs.items()
        if run
    }
    text = "The first stage, with its residual connections and without (figure 11)."
    return [Figure(Markup(figures.stages(found)), text, wide=True)] if found else []


def _first_stage(outline: Sequence[Stage]) -> Stage:
    return next(stage for stage in outline if len(stage.blocks) > 1)


def _scenarios() -> Iterator[Ablated]:
    for scenario, (marks, printed) in paper.SCENARIOS.items():
        for network in paper.RESNETS:
            name = f"{title(network)}, {scenario}"
            yield Ablated(name, f"scenario {scenario[0]}", printed.get(network), f"{network}_{marks}")


def _at_its_word(runs: Runs) -> Iterator[Ablated]:
    """Yield the scenarios in which one connection a stage is removed, of the networks that have such runs."""
    for scenario, (marks, printed) in paper.SCENARIOS.items():
        for network in paper.RESNETS:
            run = f"{network}_{paper.AT_ITS_WORD.get(marks)}"
            if run in runs.all:
                name = f"{title(network)}, {scenario[0]}: only one connection a stage removed"
                yield Ablated(name, f"scenario {scenario[0]}", printed[network], run)


def _which_connections(runs: Runs) -> str:
    texts = {
        "removed": "All are removed from",
        "one_a_stage_removed": "Of each stage the first is removed from",
    }
    found = {
        kind: [run_title(name) for name, run in runs.all.items() if run.connections == kind] for kind in texts
    }
    return " ".join(f"{texts[kind]} {'; '.join(names)}." for kind, names in found.items() if names)


def _with_and_without(study: Study, network: str) -> dict[str, Curves]:
    """Return the curves of a network's runs with all residual connections, and with fewer."""
    runs = (f"{network}_{weights}{plain}" for weights in WEIGHTS for plain in ("", "_plain"))
    return {run: study.curves[run] for run in runs if run in study.curves}


def _losses(network: str, of: Mapping[str, Curves]) -> list[Figure]:
    captions = {
        "loss": f"{title(network)}: training loss with residual connections and without (figure 12).",
        "val_log_loss": f"{title(network)}: validation loss of the same.",
    }
    labels = {"loss": "training loss", "val_log_loss": "validation loss"}
    return drawn(
        captions,
        lambda key: figures.curves(f"{network}-plain-{key}", of, key, labels[key]),
        lambda key: captions[key],
    )


def _schedule(study: Study) -> list[Figure]:
    """Return ResNet152's curves with the schedule and without; nothing where it was not trained with both."""
    pairs = (
        {run: study.curves[run] for run in (name, f"{name}_constant") if run in study.curves}
        for name in ("resnet152_imagenet", "resnet152_random")
    )
    shown = next((pair for pair in pairs if len(pair) == 2), None)
    if shown is None:
        return []
    names = ", ".join(map(run_title, shown))
    labels = {
        "learning_rate": ("learning rate", "Learning rate (figure 6)"),
        "loss": ("training loss", "Training loss with the schedule and without (figure 7)"),
        "val_log_loss": ("validation loss", "Validation loss with and without the schedule (figure 8)"),
    }
    return drawn(
        labels,
        lambda key: figures.curves(f"schedule-{key}", shown, key, labels[key][0]),
        lambda key: f"{labels[key][1]}: {names}.",
    )


@dataclass(frozen=True)
class Mistakes:
    """A run's confusion matrix on a test set; the caption stands in the template, with its marks."""

    run: str
    test_set: str
    svg: Markup


def _mistakes(study: Study) -> list[Mistakes]:
    known = study.official.confusion
    shown = dict.fromkeys(
        [study.best, *(run for run in ("resnet152_imagenet", "resnet152_random") if run in known)]
    )
    return [
        Mistakes(run, TEST_SETS[name], Markup(figures.confusion(name, run, of.confusion[run])))
        for run in shown
        for name, of in study.comparison.items()
    ]


@dataclass(frozen=True)
class RunRow:
    """A row of the table of all runs; epochs and what follows are None for the weighted average."""

    run: str
    scores: ByMetric[Interval]
    epochs: int | None = None
    image_size: int | None = None
    stem: str | None = None
    multiply_adds: int | None = None


@dataclass(frozen=True)
class AllRuns:
    """All runs, and the learning curves of those that were trained."""

    rows: Sequence[RunRow]
    curves: Sequence[Figure]


def _all_runs(study: Study) -> AllRuns:
    numbers = {run: number for number, run in enumerate(study.curves)}
    return AllRuns(
        rows=[
            RunRow(run, of, **_extent(study, run)) if run in study.runs.all else RunRow(run, of)
            for run, of in study.official.intervals.items()
        ],
        curves=drawn(
            study.curves,
            lambda run: figures.learning_curves(f"curve-{numbers[run]}", run, study.curves[run]),
            lambda run: f"Loss of {run_title(run)}.",
        ),
    )


def _extent(study: Study, run: str) -> dict[str, Any]:
    """Return how long a run's training was and what its network is."""
    of, cost = study.runs.all[run], study.networks[run]
    epochs = study.params["profiles"]["runs"][run]["epochs"]
    return {
        "epochs": study.params["recipes"][of.recipe]["epochs"] if epochs is None else epochs,
        "image_size": cost.image_size,
        "stem": stem_title(of.model, cost.stem),
        "multiply_adds": cost.multiply_adds,
    }
