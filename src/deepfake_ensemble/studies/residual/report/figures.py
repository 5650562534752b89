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
from deepfake_ensemble.studies.residual.outline import Block, Stage
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


def stages(drawn: Mapping[str, Stage]) -> str:
    """Draw the blocks of a stage as several networks have it, by what stands above each (figure 11)."""
    with styled():
        drawing, panels = empty(FULL + 1.5, 1.25 * len(drawn), nrows=len(drawn), squeeze=False)
        for (axes,), (heading, stage) in zip(panels, drawn.items(), strict=True):
            _chain(axes, heading, stage.blocks)
        return svg(drawing, "stages")


def _chain(axes: Axes, heading: str, blocks: Sequence[Block]) -> None:
    names, connections = ["in"], []
    for block in blocks:
        start = len(names) - 1
        names += [f"{side}×{side}" for side in block.convolutions]
        if block.connection:
            connections.append((start, len(names), block.connection))
        names += ["+" if block.connection else "", "ReLU"]
    axes.set_axis_off()
    axes.set(xlim=(-0.6, len(names) - 0.4), ylim=(-0.6, 1.4))
    axes.set_title(heading, loc="left")
    for x, name in enumerate(names):
        if name:
            frame = {"boxstyle": "round", "facecolor": "none", "edgecolor": INK}
            axes.text(x, 0, name, ha="center", va="center", size=8, bbox=frame)
    shown = [x for x, name in enumerate(names) if name]
    for left, right in itertools.pairwise(shown):
        _arrow(axes, (left + 0.38, 0), (right - 0.38, 0), 0)
    for start, end, kind in connections:
        _arrow(axes, (start, 0.35), (end, 0.35), -0.2)
        if kind == "projection":
            axes.text((start + end) / 2, 1.05, "1×1", ha="center", va="bottom", size=8)


def architecture(image_size: int, found: Sequence[Stage], head: str) -> str:
    """Draw a network from the image to the answer, with the sizes of what comes out of each stage (figure 4).

    Args:
        image_size: of its input, in pixels.
        found: its stages.
        head: what follows them.
    """
    steps = [("image", f"{image_size}² × 3")]
    for stage in found:
        size = f"{stage.side}² × {stage.channels:,}"
        if not stage.blocks:
            steps.append(("max pooling", size))
            continue
        sides = [f"{side}×{side}" for side in stage.blocks[0].convolutions]
        if stage.blocks[0].connection is None and len(sides) == 1:
            steps.append((f"{sides[0]}\nconvolution", size))
        else:
            steps.append((f"{len(stage.blocks)} blocks of\n{', '.join(sides)}", size))
    return row("architecture", [*steps, ("mean over\nplaces", f"{found[-1].channels:,}"), (head, "1")])


def row(name: str, steps: Sequence[tuple[str, str]]) -> str:
    """Draw steps from left to right, each with a note below it.

    Args:
        name: of the figure, see `pages.drawing.svg`.
        steps: what stands in each box, and what below it.
    """
    with styled():
        drawing, axes = empty(FULL + 1.5, 1.5)
        axes.set_axis_off()
        axes.set(xlim=(-0.5, len(steps) - 0.5), ylim=(-1.4, 0.8))
        for x, (text, note) in enumerate(steps):
            axes.add_patch(Rectangle((x - 0.4, -0.5), 0.8, 1, fill=False, edgecolor=INK, linewidth=0.9))
            axes.text(x, 0, text, ha="center", va="center", size=7)
            axes.text(x, -0.65, note, ha="center", va="top", size=7)
            if x:
                _arrow(axes, (x - 0.6, 0), (x - 0.4, 0), 0)
        return svg(drawing, name)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], bend: float) -> None:
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 8, "color": INK, "linewidth": 0.9}
    style |= {"shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", **style))
