"""The report's figures: learning curves, confusion matrices, and what the ablation takes away."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from deepfake_ensemble.mistakes.contrasts import FIFTHS, Look
from deepfake_ensemble.pages.drawing import (
    FULL,
    HALF,
    INK,
    PlotStyle,
    empty,
    legend_below,
    plot_styles,
    styled,
    svg,
)
from deepfake_ensemble.pages.titles import MEASURES, run_title
from deepfake_ensemble.scoring.scores import Confusion
from deepfake_ensemble.studies.residual.gradients import Norms
from deepfake_ensemble.training.residual.curves import Curves

_RIGHT, _WRONG = "#009E73", "#D55E00"


def curves(name: str, found: Mapping[str, Curves], figure: str, label: str) -> str:
    """Draw one figure of several runs over the batches.

    Args:
        name: of the figure, see `pages.drawing.svg`.
        found: the curves of each run.
        figure: the field of `Curves` to draw.
        label: of the vertical axis.
    """
    with styled():
        drawing, axes = empty(HALF[0] + 0.6, 3.2)
        for run, style in plot_styles(list(found)).items():
            _line(axes, run, style, *found[run].of(figure))
        axes.set(xlabel="batch", ylabel=label)
        legend_below(drawing, axes, columns=1)
        return svg(drawing, name)


def learning_curves(name: str, run: str, of: Curves) -> str:
    """Draw a run's loss on training and on validation over the batches."""
    with styled():
        drawing, axes = empty(HALF[0] + 0.6, 3.2)
        drawn = plot_styles(["training", "validation"])
        for part, figure in (("training", "loss"), ("validation", "val_log_loss")):
            _line(axes, part, drawn[part], *of.of(figure))
        axes.set(xlabel="batch", ylabel="loss", title=run_title(run))
        legend_below(drawing, axes, columns=1)
        return svg(drawing, name)


def _line(axes: Axes, name: str, style: PlotStyle, x: Sequence[float], y: Sequence[float]) -> None:
    axes.plot(
        x,
        y,
        color=style.colour,
        linestyle=style.dashes,
        linewidth=style.width,
        marker=style.marker if len(x) < 3 else None,
        label=run_title(name),
    )


def gradients(run: str, kept: Norms, removed: Norms) -> str:
    """Draw the norms of a network's gradients from its input to its output, with connections and without."""
    with styled():
        drawing, axes = empty(HALF[0] + 0.6, 3.2)
        drawn = plot_styles(["with residual connections", "without"])
        for part, of in zip(drawn, (kept, removed), strict=True):
            _line(axes, part, drawn[part], range(1, len(of.norms) + 1), of.norms)
        axes.set(xlabel="convolution, from the input", ylabel="norm of the gradient", yscale="log")
        legend_below(drawing, axes)
        return svg(drawing, f"gradients-{run}")


def confusion(name: str, run: str, of: Confusion) -> str:
    """Draw a run's confusion matrix on a test set (figure 9), shaded by the share of its row.

    Args:
        name: of the figure, see `pages.drawing.svg`.
        run: which; its title stands above.
        of: images by what they are and what they are called.
    """
    with styled():
        drawing, axes = empty(2.6, 2.4)
        classes = ("real", "fake")
        for y, counts in enumerate(((of.tn, of.fp), (of.fn, of.tp))):
            for x, images in enumerate(counts):
                shade = 0.75 * images / max(1, sum(counts))
                corner = (x - 0.48, y - 0.48)
                colour = _RIGHT if x == y else _WRONG
                axes.add_patch(Rectangle(corner, 0.96, 0.96, facecolor=colour, alpha=shade))
                axes.text(x, y, f"{images:,}", ha="center", va="center")
        axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5), aspect="equal", xlabel="called", ylabel="is")
        axes.set_title(run_title(run))
        axes.set_xticks([0, 1], classes)
        axes.set_yticks([0, 1], classes)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return svg(drawing, f"confusion-{name}-{run}")


def wrong_by_fifth(run: str, of: Look) -> str:
    """Draw the shares of real and of fake images that a run gets wrong, by fifths of each measure."""
    with styled():
        drawing, panels = empty(FULL, 2.5, ncols=len(MEASURES), sharey=True)
        drawn = plot_styles(list(of.wrong_by_fifth))
        for axes, measure in zip(panels, MEASURES, strict=True):
            for shift, (kind, style) in zip((-0.08, 0.08), drawn.items(), strict=True):
                shares = of.wrong_by_fifth[kind][measure]
                values = [share.value for share in shares]
                axes.errorbar(
                    [fifth + 1 + shift for fifth in range(len(shares))],
                    values,
                    yerr=[
                        [v - s.ends[0] for v, s in zip(values, shares, strict=True)],
                        [s.ends[1] - v for v, s in zip(values, shares, strict=True)],
                    ],
                    color=style.colour,
                    linestyle=style.dashes,
                    linewidth=style.width,
                    marker=style.marker,
                    label=kind,
                )
            axes.set(xlabel="fifth", title=MEASURES[measure], xticks=range(1, FIFTHS + 1))
        panels[0].set(ylabel="share got wrong")
        panels[0].set_ylim(bottom=0)
        legend_below(drawing, panels[0])
        return svg(drawing, f"wrong-by-fifth-{run}")


def blocks() -> str:
    """Draw two blocks of a ResNet with their residual connections and without (figure 11)."""
    with styled():
        drawing, panels = empty(FULL, 2.6, nrows=2)
        for axes, kept in zip(panels, (True, False), strict=True):
            _chain(axes, kept)
        return svg(drawing, "blocks")


_CONVOLUTIONS = ("1×1", "3×3", "1×1")


def _chain(axes: Axes, kept: bool) -> None:
    axes.set_axis_off()
    axes.set(xlim=(-0.6, 10.6), ylim=(-0.7, 1.1))
    axes.set_title("with residual connections" if kept else "without", loc="left")
    names: list[str] = ["in"]
    for _ in range(2):
        names += [*_CONVOLUTIONS, "+" if kept else "", "ReLU"]
    for x, name in enumerate(names):
        if name:
            axes.text(
                x,
                0,
                name,
                ha="center",
                va="center",
                bbox={"boxstyle": "round", "facecolor": "none", "edgecolor": INK},
            )
    shown = [x for x, name in enumerate(names) if name]
    for left, right in itertools.pairwise(shown):
        _arrow(axes, (left + 0.33, 0), (right - 0.33, 0), 0)
    if kept:
        for start, end in ((0, 4), (5, 9)):
            _arrow(axes, (start, 0.28), (end, 0.28), -0.3)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], bend: float) -> None:
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 8, "color": INK, "linewidth": 0.9}
    axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", **style))
