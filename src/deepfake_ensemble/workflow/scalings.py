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
    found = {start: _by_faces(trainings, start) for start in STARTS}
    sizes = sorted(found["imagenet"].keys() & found["random"].keys())
    if sizes:
        of_all = {start: [found[start][n] for n in sizes] for start in STARTS}
        told = [
            ", ".join(str(interval(Interval(**of["accuracy"]), share)) for of in of_all[start])
            + f" from {words}"
            for start, words in STARTS.items()
        ]
        last = [of["last_val_accuracy"] for of in of_all["random"]]
        first = sum(of["kept_epoch"] == 1 for start in STARTS for of in of_all[start])
        faces = ", ".join(f"{n:,}" for n in sizes)
        said.append(
            f"**ImageNet's weights**: EfficientNet-Lite0, one training each, with {faces} training faces has"
            f" on {of_all['random'][0]['n']:,} others accuracy {', and '.join(told)} weights, at the epoch"
            f" with the least validation loss, the first in {first} of these {2 * len(sizes)}; in their last"
            f" epochs those from random weights have {min(last):.3f} to {max(last):.3f} on validation"
            " ([more](#grid))."
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
            f"{of['kept_epoch']} of {of['epochs']}",
            f"{of['val_accuracy']:.3f}, {of['last_val_accuracy']:.3f}",
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
        "epoch kept",
        "on validation: kept, last",
        "minutes, with what it needs",
    ]
    made = f"Made at commit `{results['commit']}` by `python benchmarks/lite0.py`"
    return (
        f"{made}, on {shown(results['machine'])}: {results['minutes']:.0f} minutes for all."
        " Each training has as many steps; the weights of the epoch with the least validation loss are"
        " kept, and its test images were scored once. Accuracy on validation is told for these weights, and"
        f" for the last epoch's.\n\n{table(header, rows)}"
    )


def _scaling(name: str, gain: Mapping[str, Any], trainings: Sequence[Mapping[str, Any]]) -> str:
    seeds = len({of["seed"] for of in trainings if of["set"] == name and of["scaling"] == "unit"})
    told = [
        f"{words} {interval(Interval(**gain[metric]['crossed']['mean']), difference, 4)}"
        for metric, words in METRICS.items()
    ]
    tested = next(of["n"] for of in trainings if of["set"] == name)
    return (
        f"**The paper's scaling** and EfficientNet-Lite0's own, on {tested:,} {SETS[name]}, own less paper's"
        f" as the mean of {seeds} seeds: {', '.join(told)} (in brackets over seeds and images; above 0 its"
        f" own is better, {_beyond_chance(gain)}; [more](#grid))."
    )


def _beyond_chance(gain: Mapping[str, Any]) -> str:
    means = {words: Interval(**gain[metric]["crossed"]["mean"]) for metric, words in METRICS.items()}
    shown = [words for words, mean in means.items() if mean.ends[0] > 0 or mean.ends[1] < 0]
    if not shown:
        return "beyond chance in none"
    return f"beyond chance in {' and '.join(shown)}, uncorrected for {len(means)} metrics"


def _by_faces(trainings: Sequence[Mapping[str, Any]], start: str) -> dict[int, Mapping[str, Any]]:
    """Return the training with each number of faces, with Lite0's own scaling, by the first seed."""
    first = min(of["seed"] for of in trainings)
    wanted = {"set": "faces", "scaling": "native", "start": start, "seed": first}
    return {of["images"]: of for of in trainings if wanted.items() <= of.items()}
