"""The page on perturbed images: a curve per detector and kind, tables, and what a loss is made of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deepfake_ensemble.comparison.robustness import CLEAN, PARTS
from deepfake_ensemble.pages.cells import interval
from deepfake_ensemble.pages.detectors import looks, title
from deepfake_ensemble.pages.document import document
from deepfake_ensemble.pages.drawing import FULL, HALF, empty, line, styled, svg
from deepfake_ensemble.pages.html import Child, element, figure, table
from deepfake_ensemble.pages.numbers import (
    Number,
    count,
    decimals,
    difference,
    given,
    percent,
    points,
    share,
)
from deepfake_ensemble.perturbing.conditions import IMITATED, Robustness

TITLE = "Detectors on perturbed images"

# What each kind is called, what its severity is, and what a condition of it is called.
_KINDS = {
    "jpeg": ("JPEG", "quality", "JPEG of quality {:g}"),
    "downscale": (
        "shrunk and brought back",
        "to this share of the side",
        "shrunk to {:g} of the side and back",
    ),
    "blur": ("blurred", "sd, share of the side", "blurred, sd {:g} of the side"),
    "noise": ("noisy", "sd, grey levels", "noise, sd {:g} grey levels"),
    "crop": ("cropped and scaled up", "share of the side that is kept", "middle {:g} of the side, scaled up"),
}


def render(found: Mapping[str, Any], settings: Robustness) -> str:
    """Return the page; `found` is what `evaluation.robustness` returns, or {"images": 0} if it is off."""
    footer: Child = [
        "Every figure on this page stands in robustness/figures.json beside it. ",
        element("a", "The report", href="report.html"),
        ".",
    ]
    if not found["images"]:
        key = element("code", "perturbed_images")
        off = element("p", "This profile perturbs no images: its ", key, " is 0 in params.yaml.")
        return document(TITLE, off, {}, footer)
    header: Child = [
        element(
            "p",
            "The same ",
            count(found["images"]),
            " images of the internal test, ",
            count(found["fake_images"]),
            " of them fake, as they are and after each of the following, at the detectors' input size. An "
            "image is called fake from P(fake) = ",
            given(found["threshold"]),
            " on. Figures in small print are ",
            percent(found["confidence"], 2),
            " intervals from ",
            count(found["resamples"]),
            " resamples of the images; what is lost is compared image by image, so its intervals are "
            "narrower than those of two figures side by side.",
        ),
        figure(
            _curves(found),
            "Accuracy of each detector, from images as they are (left) to the strongest perturbation.",
            wide=True,
        ),
    ]
    content: dict[str, Child] = {
        "Accuracy": [
            _table(found, "accuracy", "Accuracy as images are perturbed"),
            _lost(found, "accuracy", points, "Accuracy lost, in percentage points"),
        ],
        "AUC": [
            _table(found, "auc", "AUC, which no threshold enters, as images are perturbed"),
            _lost(found, "auc", difference, "AUC lost"),
        ],
    }
    for data_set in found["losses"]:
        like = settings.like[data_set]
        name = title(data_set)
        content[f"What the loss on {name} is made of"] = [
            element(
                "p",
                f"Faces are brought to {name}'s ",
                given(like.size),
                " pixels and back, then to its JPEG quality (",
                given(like.quality),
                ") as well. What is lost by that is put down to resolution and to compression, in this "
                "order; in another the parts may differ, and a detector that only guesses can lose no more. "
                "The rest is everything else: what the images show, who made the fakes, how well the "
                "threshold fits.",
            ),
            figure(_steps(found, data_set), f"Accuracy on the way from the internal test to {name}."),
            _losses(found, data_set, "accuracy", points, "Accuracy lost, in percentage points,"),
            _losses(found, data_set, "auc", difference, "AUC lost"),
        ]
    return document(TITLE, header, content, footer)


def _table(found: Mapping[str, Any], metric: str, caption: str) -> Child:
    digits = decimals(found["images"])
    names = {CLEAN: "as they are"} | _conditions(found)
    rows = [
        [told, *(interval(of[name][metric], share, digits) for of in found["detectors"].values())]
        for name, told in names.items()
    ]
    return table(caption, ["images", *map(title, found["detectors"])], rows)


def _lost(found: Mapping[str, Any], metric: str, show: Callable[..., Number], caption: str) -> Child:
    digits = decimals(found["images"])
    rows = [
        [told, *(interval(of[name][metric], show, digits) for of in found["lost"].values())]
        for name, told in _conditions(found).items()
    ]
    return table(caption, ["images", *map(title, found["lost"])], rows)


def _conditions(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: _told(name, of) for name, of in found["conditions"].items()}


def _told(name: str, condition: Mapping[str, Any]) -> str:
    kind, severity = condition["kind"], condition["severity"]
    if kind in _KINDS:
        return _KINDS[kind][2].format(severity)
    data_set = kind.removeprefix(IMITATED)
    return f"at {title(data_set)}'s resolution" + (" and compression" if severity == 2 else "")


def _losses(
    found: Mapping[str, Any], data_set: str, metric: str, show: Callable[..., Number], what: str
) -> Child:
    digits = decimals(found["images"])
    rows: list[list[Child]] = []
    for detector, of in found["losses"][data_set].items():
        clean = found["detectors"][detector][CLEAN][metric]
        row: list[Child] = [title(detector), interval(clean, share, digits)]
        row += [interval(of[part][metric], show, digits) for part in PARTS]
        rows.append([*row, interval(of["there"][metric], share, digits)])
    caption: list[Child] = [f"{what} from these ", count(found["images"]), f" images to {title(data_set)}"]
    return table(caption, ["detector", "here", *PARTS, f"on {title(data_set)}"], rows)


def _curves(found: Mapping[str, Any]) -> str:
    """Draw accuracy over severity, a panel a kind."""
    with styled():
        drawn, panels = empty(FULL, 4.6, nrows=2, ncols=3, sharey=True)
        *axes_of_kinds, last = panels.flat
        for axes, (kind, (what, unit, _)) in zip(axes_of_kinds, _KINDS.items(), strict=True):
            steps = {name: of["severity"] for name, of in found["conditions"].items() if of["kind"] == kind}
            for detector, look in looks(list(found["detectors"])).items():
                of = found["detectors"][detector]
                accuracies = [of[name]["accuracy"]["value"] for name in (CLEAN, *steps)]
                line(axes, detector, look, range(len(accuracies)), accuracies, marker=look.marker)
            _steps_of(axes, ["–", *(f"{severity:g}" for severity in steps.values())])
            axes.set(title=what, xlabel=unit)
        for row in panels:
            row[0].set_ylabel("accuracy")
        last.set_axis_off()
        last.legend(*axes_of_kinds[0].get_legend_handles_labels(), loc="center")
        return svg(drawn, "perturbed")


def _steps(found: Mapping[str, Any], data_set: str) -> str:
    """Draw accuracy as images become those of another data set, step by step."""
    with styled():
        drawn, axes = empty(HALF[0] + 1.5, HALF[1])
        names = (CLEAN, *(f"{IMITATED}{data_set}_{step}" for step in (1, 2)))
        for detector, look in looks(list(found["detectors"])).items():
            of = found["detectors"][detector]
            accuracies = [of[name]["accuracy"]["value"] for name in names]
            accuracies.append(found["losses"][data_set][detector]["there"]["accuracy"]["value"])
            line(axes, detector, look, range(len(accuracies)), accuracies, marker=look.marker)
        _steps_of(axes, [title("internal"), "its resolution", "its compression", title(data_set)])
        axes.set_ylabel("accuracy")
        axes.legend(loc="best")
        return svg(drawn, f"steps-{data_set}")


def _steps_of(axes: Any, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names)
    axes.set(ylim=(-0.02, 1.02))
    axes.grid(visible=False, axis="x")
