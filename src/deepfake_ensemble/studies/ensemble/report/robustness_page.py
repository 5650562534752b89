"""The page on perturbed images: a curve per detector and kind, tables, and what a loss is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from deepfake_ensemble.comparison.robustness import CLEAN, PARTS, Applied, NoImages, RobustnessFigures
from deepfake_ensemble.pages.detectors import told_once
from deepfake_ensemble.pages.drawing import (
    CONSTANT,
    FULL,
    HALF,
    empty,
    legend_below,
    line,
    plot_styles,
    styled,
    svg,
)
from deepfake_ensemble.pages.numbers import decimals
from deepfake_ensemble.pages.rendering import Figure, Section
from deepfake_ensemble.pages.rendering import render as rendered
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.perturbing.conditions import IMITATED, ImageFormat, Robustness, conditions

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


# Images that a page without any proposes to perturb.
_TRIED = 100


@dataclass(frozen=True)
class AccuracyDropParts:
    """What a loss is made of: to which data set, in what format its images are, and the way there."""

    data_set: str
    format: ImageFormat
    steps: Figure


def render(found: RobustnessFigures | NoImages, settings: Robustness, profile: str, test_images: int) -> str:
    """Return the page, or one that says how to have it.

    Args:
        found: figures, or that there are none.
        settings: the section `robustness`.
        profile: the active one's name.
        test_images: of the internal test.
    """
    if isinstance(found, NoImages):
        return rendered(
            __name__,
            "robustness.html",
            found=None,
            profile=profile,
            tried=min(_TRIED, test_images),
            most=test_images,
            conditions=len(conditions(settings)),
            sections=[],
        )
    found = replace(
        found,
        detectors=told_once(found.detectors),
        lost=told_once(found.lost),
        losses={name: told_once(of) for name, of in found.losses.items()},
    )
    curves = (
        "Accuracy of each detector, from images as they are (left) to the strongest perturbation. The grey"
        " line is a constant answer."
    )
    return rendered(
        __name__,
        "robustness.html",
        found=found,
        CLEAN=CLEAN,
        PARTS=PARTS,
        digits=decimals(found.images),
        conditions={name: _told(of) for name, of in found.conditions.items()},
        curves=Figure(Markup(_curves(found)), curves, wide=True),
        sections=[
            Section("Accuracy", "robustness_accuracy.html"),
            Section("AUC", "robustness_auc.html"),
            *(_loss(found, data_set, settings.like[data_set]) for data_set in found.losses),
        ],
    )


def _told(condition: Applied) -> str:
    if condition.kind in _KINDS:
        return _KINDS[condition.kind][2].format(condition.severity)
    data_set = condition.kind.removeprefix(IMITATED)
    return f"at {title(data_set)}'s resolution" + (" and compression" if condition.severity == 2 else "")


def _loss(found: RobustnessFigures, data_set: str, format: ImageFormat) -> Section:
    name = title(data_set)
    steps = Figure(
        Markup(_steps(found, data_set)),
        f"Accuracy on the way from the internal test to {name}. The grey line is a constant answer.",
    )
    view = AccuracyDropParts(data_set, format, steps)
    return Section(f"What the loss on {name} is made of", "robustness_loss.html", view)


def _curves(found: RobustnessFigures) -> str:
    """Draw accuracy over severity, a panel a kind."""
    with styled():
        drawn, panels = empty(FULL, 4.6, nrows=2, ncols=3, sharey=True)
        *axes_of_kinds, last = panels.flat
        for axes, (kind, (what, unit, _)) in zip(axes_of_kinds, _KINDS.items(), strict=True):
            steps = {name: of.severity for name, of in found.conditions.items() if of.kind == kind}
            for detector, style in plot_styles(list(found.detectors)).items():
                of = found.detectors[detector]
                accuracies = [of[name].accuracy.value for name in (CLEAN, *steps)]
                line(axes, detector, style, range(len(accuracies)), accuracies, marker=style.marker)
            _steps_of(axes, ["–", *(f"{severity:g}" for severity in steps.values())])
            axes.axhline(found.constant.accuracy, **CONSTANT)
            axes.set(title=what, xlabel=unit)
        for row in panels:
            row[0].set_ylabel("accuracy")
        last.set_axis_off()
        last.legend(*axes_of_kinds[0].get_legend_handles_labels(), loc="center")
        return svg(drawn, "perturbed")


def _steps(found: RobustnessFigures, data_set: str) -> str:
    """Draw accuracy as images become those of another data set, step by step."""
    with styled():
        drawn, axes = empty(HALF[0] + 1.5, HALF[1])
        names = (CLEAN, *(f"{IMITATED}{data_set}_{step}" for step in (1, 2)))
        for detector, style in plot_styles(list(found.detectors)).items():
            of = found.detectors[detector]
            accuracies = [of[name].accuracy.value for name in names]
            accuracies.append(found.losses[data_set][detector].there.accuracy.value)
            line(axes, detector, style, range(len(accuracies)), accuracies, marker=style.marker)
        _steps_of(axes, [title("internal"), "its resolution", "its compression", title(data_set)])
        axes.axhline(found.constant.accuracy, **CONSTANT)
        axes.set_ylabel("accuracy")
        legend_below(drawn, axes)
        return svg(drawn, f"steps-{data_set}")


def _steps_of(axes: Any, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names)
    axes.set(ylim=(-0.02, 1.02))
    axes.grid(visible=False, axis="x")
