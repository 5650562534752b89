"""The report's figures, each of one data set's evaluation or of the training."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from deepfake_ensemble.comparison.comparison import Subset, Weighting
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.pages.drawing import (
    CONSTANT,
    FULL,
    HALF,
    INK,
    empty,
    legend_below,
    line,
    plot_styles,
    styled,
    svg,
)
from deepfake_ensemble.pages.titles import METHODS, title
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, Study

_REAL, _FAKE = "#56B4E9", "#E69F00"
_RIGHT, _WRONG = "#009E73", "#D55E00"


def with_intervals(evaluation: Evaluation) -> str:
    """Draw accuracy and AUC of all detectors with their intervals."""
    with styled():
        figure, panels = empty(HALF[0] + 0.6, 2.4, ncols=2, sharey=True)
        known = {"accuracy": ("accuracy", evaluation.compared.constant.accuracy), "auc": ("AUC", 0.5)}
        for axes, (metric, (heading, constant)) in zip(panels, known.items(), strict=True):
            axes.axvline(constant, **CONSTANT)
            _forest(axes, {name: getattr(of, metric) for name, of in evaluation.compared.detectors.items()})
            axes.set_title(heading)
        return svg(figure, f"intervals-{evaluation.name}")


def leave_one_out_gain(evaluation: Evaluation) -> str:
    """Draw what each member adds to the accuracy of an ensemble of the others."""
    with styled():
        adds = evaluation.compared.complementarity.member_adds
        in_points = {
            name: Interval(*(100 * value for value in vars(of.accuracy).values()))
            for name, of in adds.items()
            if of
        }
        figure, axes = empty(HALF[0], 2.2)
        _forest(axes, in_points)
        axes.axvline(0, **CONSTANT)
        axes.set_xlabel("percentage points of accuracy")
        return svg(figure, f"members-{evaluation.name}")


def _forest(axes: Axes, figures: Mapping[str, Interval]) -> None:
    """Draw a detector's figure and its interval a row, the first on top."""
    for y, (name, style) in enumerate(plot_styles(list(figures)).items()):
        of = figures[name]
        if of.ci_low is not None:
            axes.plot(of.ends, [y, y], color=style.colour, linewidth=1.3)
        axes.plot([of.value], [y], color=style.colour, marker=style.marker, markersize=6)
    _rows(axes, [title(name) for name in figures])


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """Give a vertical axis a named row for each of `names`, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def roc(evaluation: Evaluation) -> str:
    """Draw the ROC curves of all detectors."""
    with styled():
        figure, axes = empty(*HALF)
        _unit_square(axes, "false-positive rate", "true-positive rate")
        axes.plot([0, 1], [0, 1], **CONSTANT)
        for name, style in plot_styles(evaluation.detectors).items():
            of = evaluation.roc[name]
            line(axes, name, style, of["false_positive_rate"], of["true_positive_rate"])
        legend_below(figure, axes)
        return svg(figure, f"roc-{evaluation.name}")


def precision_recall(evaluation: Evaluation) -> str:
    """Draw the precision-recall curves of all detectors."""
    with styled():
        figure, axes = empty(*HALF)
        _unit_square(axes, "recall", "precision")
        fakes = evaluation.compared.n_fake / evaluation.compared.n
        axes.plot([0, 1], [fakes, fakes], **CONSTANT)
        for name, style in plot_styles(evaluation.detectors).items():
            of = evaluation.precision_recall[name]
            line(axes, name, style, of["recall"], of["precision"])
        legend_below(figure, axes)
        return svg(figure, f"precision-recall-{evaluation.name}")


def reliability(evaluation: Evaluation) -> str:
    """Draw each detector's share of fakes over its mean P(fake), bin by bin, and each bin's images."""
    with styled():
        figure, (axes, below) = empty(HALF[0], 5.0, nrows=2, sharex=True, height_ratios=(3, 1.2))
        _unit_square(axes, "", "share of fakes among its images")
        axes.plot([0, 1], [0, 1], **CONSTANT)
        for name, style in plot_styles(evaluation.detectors).items():
            bins = evaluation.compared.calibration[name].reliability
            p_fake = [each.p_fake for each in bins]
            line(axes, name, style, p_fake, [each.share_fake.value for each in bins], marker=style.marker)
            line(below, name, style, p_fake, [each.n for each in bins], marker=style.marker)
        below.set(yscale="log", xlabel="mean P(fake) of a bin", ylabel="images in it")
        below.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        below.yaxis.set_minor_formatter(NullFormatter())
        legend_below(figure, axes)
        return svg(figure, f"reliability-{evaluation.name}")


def _unit_square(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y)


def confusion(evaluation: Evaluation) -> str:
    """Draw every detector's confusion matrix, shaded by the share of its row."""
    with styled():
        table = evaluation.confusion
        cells = zip(table["detector"], table["actual"], table["predicted"], table["images"], strict=True)
        counts = {(detector, actual, predicted): int(n) for detector, actual, predicted, n in cells}
        names, classes = evaluation.detectors, ("real", "fake")
        figure, panels = empty(FULL, 2.1, ncols=len(names), sharey=True, squeeze=False)
        for axes, name in zip(panels[0], names, strict=True):
            for y, actual in enumerate(classes):
                total = sum(counts[name, actual, predicted] for predicted in classes)
                for x, predicted in enumerate(classes):
                    n = counts[name, actual, predicted]
                    colour = _RIGHT if actual == predicted else _WRONG
                    shade = 0.75 * n / total if total else 0
                    axes.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, alpha=shade))
                    axes.text(x, y, f"{n:,}", ha="center", va="center")
            axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5), aspect="equal", title=title(name), xlabel="called")
            axes.set_xticks([0, 1], classes)
            axes.set_yticks([0, 1], classes)
            _bare(axes)
        panels[0][0].set_ylabel("is")
        return svg(figure, f"confusion-{evaluation.name}")


def _bare(axes: Axes) -> None:
    """Take away grid, ticks and spines."""
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def wrong_together(evaluation: Evaluation) -> str:
    """Draw how many images none, one, ... all of the models get wrong, by class."""
    with styled():
        counts = evaluation.compared.complementarity.images_by_wrong_models
        of_models = [int(k) for k in counts["all"]]
        real, fake = ([counts[label][str(k)] for k in of_models] for label in ("real", "fake"))
        figure, axes = empty(HALF[0], 2.6)
        axes.bar(of_models, real, color=_REAL, width=0.7, label="real")
        axes.bar(of_models, fake, bottom=real, color=_FAKE, width=0.7, label="fake", hatch="///")
        axes.set(xlabel="models that get the image wrong", ylabel="images")
        axes.set_xticks(of_models)
        axes.grid(visible=False, axis="x")
        legend_below(figure, axes)
        return svg(figure, f"wrong-{evaluation.name}")


def subsets(evaluation: Evaluation) -> str:
    """Draw the accuracy of the ensemble of every subset, its members marked below, the best first."""
    with styled():
        found = evaluation.compared.complementarity.subsets
        of = {
            tuple(name.split("+")): subset.metrics.accuracy
            for name, subset in found.items()
            if isinstance(subset, Subset)
        }
        ranked = sorted(of, key=lambda names: (-of[names].value, len(names), names))
        models = plot_styles(evaluation.members)
        heights = (2, 0.3 * len(models))
        figure, (above, below) = empty(FULL, 3.4, nrows=2, sharex=True, height_ratios=heights)
        for x, names in enumerate(ranked):
            above.plot([x, x], [of[names].ci_low, of[names].ci_high], color=INK, linewidth=1.2)
            above.plot([x], [of[names].value], color=INK, marker="o")
            for y, (model, style) in enumerate(models.items()):
                if model in names:
                    below.plot([x], [y], color=style.colour, marker=style.marker, markersize=6)
                else:
                    below.plot([x], [y], color=INK, marker=".", alpha=0.2)
        above.axhline(evaluation.compared.constant.accuracy, **CONSTANT)
        above.set_ylabel("accuracy")
        above.tick_params(axis="x", length=0)
        _rows(below, [title(model) for model in models])
        below.set_xticks([])
        _bare(below)
        return svg(figure, f"subsets-{evaluation.name}")


def weightings(evaluation: Evaluation) -> str:
    """Draw the weights that each method gives."""
    with styled():
        found = evaluation.compared.weightings
        methods = {METHODS[method]: of.weights for method, of in found.items() if isinstance(of, Weighting)}
        models = plot_styles(evaluation.members)
        figure, axes = empty(FULL, 1.9)
        left = dict.fromkeys(methods, 0.0)
        for model, style in models.items():
            axes.barh(
                range(len(methods)),
                [weights[model] for weights in methods.values()],
                left=list(left.values()),
                color=style.colour,
                edgecolor=INK,
                linewidth=0.6,
                height=0.65,
                label=title(model),
            )
            left = {method: left[method] + weights[model] for method, weights in methods.items()}
        _rows(axes, list(methods))
        axes.set(xlim=(0, 1), xlabel="weight")
        figure.legend(loc="outside upper center", ncols=len(models))
        return svg(figure, f"weightings-{evaluation.name}")


def drop(evaluation: Evaluation) -> str:
    """Draw every detector's accuracy on the internal test and on this data set, with intervals."""
    assert evaluation.drop is not None
    with styled():
        found = evaluation.drop.drops
        figure, axes = empty(*HALF)
        for i, (name, style) in enumerate(plot_styles(evaluation.detectors).items()):
            ends = (found[name].accuracy.internal, found[name].accuracy.outside)
            value, low, high = zip(*((end.value, end.ci_low, end.ci_high) for end in ends), strict=True)
            shift = 0.03 * (i - len(found) / 2)  # so that intervals do not cover each other
            x = [shift, 1 + shift]
            line(axes, name, style, x, value, marker=style.marker)
            axes.vlines(x, low, high, color=style.colour, linewidth=0.8)
        axes.axhline(evaluation.compared.constant.accuracy, **CONSTANT)
        axes.set_xticks([0, 1], [title("internal"), title(evaluation.name)])
        axes.set(xlim=(-0.25, 1.25), ylabel="accuracy")
        axes.grid(visible=False, axis="x")
        legend_below(figure, axes)
        return svg(figure, f"drop-{evaluation.name}")


def subjects(evaluation: Evaluation) -> str:
    """Draw the accuracy of all detectors by what the images show; the ensemble's with its interval."""
    assert evaluation.drop is not None
    with styled():
        found = {name: of.detectors for name, of in evaluation.drop.subjects.items() if of.detectors}
        rows = range(len(found))
        figure, axes = empty(HALF[0], max(HALF[1], 0.3 * len(found)))
        for name, style in plot_styles(evaluation.detectors).items():
            figures = [of[name].accuracy for of in found.values()]
            if name == evaluation.subject:
                low, high = ([getattr(each, end) for each in figures] for end in ("ci_low", "ci_high"))
                axes.hlines(rows, low, high, color=style.colour, linewidth=1)
            values = [each.value for each in figures]
            axes.plot(values, rows, style.marker, color=style.colour, label=title(name))
        _rows(axes, list(found))
        axes.set(xlim=(-0.02, 1.02), xlabel="accuracy")
        figure.legend(loc="outside lower center", ncols=3, handlelength=1)
        return svg(figure, f"subjects-{evaluation.name}")


def learning(study: Study, curve: str) -> str:
    """Draw one learning curve of every model; its best epoch, whose weights it kept, is marked."""
    with styled():
        figure, axes = empty(*HALF)
        for model, style in plot_styles(study.models).items():
            epochs, values = (study.curves[model][column] for column in ("epoch", curve))
            best = [epochs.index(study.training[model].best_epoch)]
            line(axes, model, style, epochs, values, marker=style.marker, markevery=best, markersize=7)
        part, metric = ("validation", curve[4:]) if curve.startswith("val_") else ("training", curve)
        axes.set(xlabel="epoch", ylabel=f"{part} {metric}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, axes)
        return svg(figure, f"learning-{curve}")
