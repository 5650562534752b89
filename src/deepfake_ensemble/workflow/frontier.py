"""F1 against minutes of training: what was reached on two cores, drawn for docs/residual.md."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from deepfake_ensemble.pages.drawing import FULL, empty, styled, svg
from deepfake_ensemble.pages.titles import run_title
from deepfake_ensemble.studies.residual.report import paper
from deepfake_ensemble.workflow.generated import svg_file

TEST, VALIDATION, BEST = "#0072B2", "#D55E00", "#009E73"
STARTS = {"random": "o", "imagenet": "D"}

Run = Mapping[str, Any]


def on_two_cores(measured: Iterable[Run]) -> list[Run]:
    """Return the runs or trials that were trained on two cores, without a GPU."""
    return [each for each in measured if each["machine"]["cores"] == 2 and not each["machine"]["gpu"]]


def pareto_front(runs: Sequence[Run]) -> list[Run]:
    """Return the runs from random weights, the fastest first, that no faster one of them equals in F1."""
    found: list[Run] = []
    for run in runs:
        if run["weights"] == "random" and (
            not found or run["f1_official"]["value"] > found[-1]["f1_official"]["value"]
        ):
            found.append(run)
    return found


def draw(results: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG file: a point for each run, on the published test set, and each trial, on validation.

    Args:
        results: the content of residual/results.json.
        trials: what benchmarks/fast_recipe.py wrote, each.
    """
    runs = sorted(on_two_cores(results["runs"]), key=lambda run: run["minutes"])
    with styled():
        drawing, axes = empty(FULL, 4.2)
        best = pareto_front(runs)
        axes.plot(
            [run["minutes"] for run in best],
            [run["f1_official"]["value"] for run in best],
            color=TEST,
            linewidth=1,
        )
        beaten = [run for run in runs if run["weights"] == "random" and run not in best]
        for run in runs:
            f1 = run["f1_official"]
            ends = [[f1["value"] - f1["ci_low"]], [f1["ci_high"] - f1["value"]]]
            style = STARTS[run["weights"]]
            axes.errorbar(run["minutes"], f1["value"], yerr=ends, fmt=style, color=TEST, capsize=2)
            # Beaten ones lie close to each other: every other one has its name on the left.
            left = run in beaten[::2]
            _label(axes, run_title(run["run"]), run["minutes"], f1["value"], left=left, below=True)
        for run in on_two_cores(results.get("superseded", ())):
            style = STARTS[run["weights"]]
            axes.plot(run["minutes"], run["f1_official"]["value"], style, color=TEST, fillstyle="none")
        for trial in on_two_cores(trials):
            end = trial["points"][-1]
            axes.plot(end["minutes"], end["val_f1"], "x", color=VALIDATION)
            _label(axes, named(trial), end["minutes"], end["val_f1"])
        axes.axhline(paper.BEST, color=BEST, linewidth=1, linestyle=(0, (4, 3)))
        _label(axes, "the paper's best", 1, paper.BEST)
        axes.plot([], [], "o-", color=TEST, label="test set as published, 95 % interval; random weights")
        axes.plot([], [], STARTS["imagenet"], color=TEST, label="the same, from ImageNet weights")
        axes.plot([], [], "o", color=TEST, fillstyle="none", label="hollow: a recipe that another replaced")
        axes.plot(
            [],
            [],
            "x",
            color=VALIDATION,
            label="a trial, on validation, less its evaluations' time",
        )
        axes.set(
            xscale="log",
            yscale="logit",
            xlabel="minutes of training on two cores",
            ylabel="F1",
            xlim=(1, 600),
        )
        axes.set_xticks([1, 2, 5, 15, 60, 150], ["1", "2", "5", "15", "60", "150"])
        axes.set_yticks([0.7, 0.8, 0.9, 0.95, 0.98, 0.99], ["0.7", "0.8", "0.9", "0.95", "0.98", "0.99"])
        axes.minorticks_off()
        axes.legend(loc="center right", bbox_to_anchor=(1, 0.48))  # where no run lies
        return svg_file(svg(drawing, "frontier"))


def _label(axes: Axes, text: str, x: float, y: float, *, left: bool = False, below: bool = False) -> None:
    axes.annotate(
        text,
        (x, y),
        (-5 if left else 5, -10 if below else 4),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize=7,
    )


def named(trial: Mapping[str, Any]) -> str:
    """Return what a trial is called: its run, and how it departs from it."""
    changes = ", ".join(change.rpartition(".")[2] for change in trial["changed"])
    return trial["run"] + (f", {changes}" if changes else "")
