"""What benchmarks/lite0.py measured, for docs/results.md: the paper's scaling, and ImageNet's weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.pages.numbers import difference, interval, share
from deepfake_ensemble.workflow.generated import table
from deepfake_ensemble.workflow.machine import shown

METRICS = {"accuracy": "accuracy", "auc": "AUC", "log_loss": "log loss"}
SETS = {"faces": "faces", "cifake": "of CIFAKE's test images without leaks"}
STARTS = {"imagenet": "ImageNet", "random": "random"}


def in_short(results: Mapping[str, Any]) -> list[str]:
    """Return what the trainings say, in sentences: of both scalings by data set, and of both starts."""
    trainings = results["trainings"]
    said = [_scaling(name, gain, trainings) for name, gain in results["native_less_unit"].items()]
    reached = {start: _accuracy_on_faces(trainings, start) for start in STARTS}
    sizes = sorted(reached["imagenet"].keys() & reached["random"].keys())
    if sizes:
        told = [
            f"{', '.join(f'{reached[start][n]:.3f}' for n in sizes)} from {words}"
            for start, words in STARTS.items()
        ]
        faces = ", ".join(f"{n:,}" for n in sizes)
        said.append(
            f"**ImageNet's weights**: EfficientNet-Lite0, one training each, with {faces} training faces has"
            f" accuracy {', and '.join(told)} weights ([more](#grid))."
        )
    return said


def page(results: Mapping[str, Any]) -> str:
    """Return all trainings, in Markdown."""
    rows = [
        [
            of["set"],
            f"{of['images']:,}",
            STARTS[of["start"]],
            f"`{of['scaling']}`",
            str(of["seed"]),
            f"{of['n']:,}",
            str(interval(Interval(**of["accuracy"]), share)),
            *(f"{of[metric]:.3f}" for metric in ("auc", "log_loss")),
            f"{of['minutes']:.1f}",
        ]
        for of in results["trainings"]
    ]
    header = [
        "of",
        "training images",
        "weights",
        "`input_scaling`",
        "seed",
        "n",
        *METRICS.values(),
        "minutes, with what it needs",
    ]
    made = f"Made at commit `{results['commit']}` by `python benchmarks/lite0.py`"
    return (
        f"{made}, on {shown(results['machine'])}: {results['minutes']:.0f} minutes for all. Each training has"
        f" as many steps; its test images were scored once.\n\n{table(header, rows)}"
    )


def _scaling(name: str, gain: Mapping[str, Any], trainings: Sequence[Mapping[str, Any]]) -> str:
    seeds = len({of["seed"] for of in trainings if of["set"] == name and of["scaling"] == "unit"})
    told = [
        f"{words} {interval(Interval(**gain[metric]['crossed']['mean']), difference, 4)}"
        for metric, words in METRICS.items()
    ]
    tested = next(of["n"] for of in trainings if of["set"] == name)
    return (
        f"**The paper's scaling** and EfficientNet-Lite0's own, on {tested:,} {SETS[name]}: its own brings,"
        f" as the mean of {seeds} seeds, {', '.join(told)} (in brackets over seeds and images; above 0 is"
        " better; [more](#grid))."
    )


def _accuracy_on_faces(trainings: Sequence[Mapping[str, Any]], start: str) -> dict[int, float]:
    """Return what each number of training faces reaches with Lite0's own scaling, by the first seed."""
    first = min(of["seed"] for of in trainings)
    wanted = {"set": "faces", "scaling": "native", "start": start, "seed": first}
    return {of["images"]: of["accuracy"]["value"] for of in trainings if wanted.items() <= of.items()}
