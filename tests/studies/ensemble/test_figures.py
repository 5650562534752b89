import re

import matplotlib as mpl
import pytest

import study as made_up
from deepfake_ensemble.pages.drawing import INK, plot_styles
from deepfake_ensemble.studies.ensemble.report import figures
from deepfake_ensemble.studies.ensemble.report.method_figures import pipeline
from deepfake_ensemble.training.ensemble.curves import TABLES

MODELS = ["cnn", "resnet50", "xception", "efficientnet_b4"]
OF_AN_EVALUATION = (
    figures.with_intervals,
    figures.roc,
    figures.precision_recall,
    figures.reliability,
    figures.confusion,
    figures.wrong_together,
    figures.leave_one_out_gain,
    figures.subsets,
    figures.weightings,
)


@pytest.fixture(scope="module")
def found(study):
    return made_up.found(study)


@pytest.fixture(scope="module")
def drawn(found):
    outside = found.evaluations[1]
    return [
        *(draw(evaluation) for draw in OF_AN_EVALUATION for evaluation in found.evaluations),
        *(draw(outside) for draw in (figures.drop, figures.subjects)),
        *(figures.learning(found, curve) for curve in TABLES),
        pipeline(found),
    ]


def test_the_same_figures_give_the_same_bytes_whatever_a_user_has_set(found, drawn):
    with mpl.rc_context({"lines.linewidth": 9, "svg.fonttype": "none", "font.size": 20}):
        assert figures.roc(found.evaluations[0]) == drawn[OF_AN_EVALUATION.index(figures.roc) * 2]
        assert pipeline(found) == drawn[-1]


def test_figures_hold_no_date_no_text_and_nothing_from_outside(drawn):
    for svg in drawn:
        assert svg.startswith("<svg viewBox=") and svg.endswith("</svg>")
        for never in ("<text", "<!--", "<metadata", "http", INK):
            assert never not in svg


def test_no_two_figures_share_an_identifier_and_every_reference_holds(drawn):
    ids = [re.findall(r' id="([^"]+)"', svg) for svg in drawn]
    assert len({name for of in ids for name in of}) == sum(map(len, ids))
    for svg, own in zip(drawn, ids, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', svg)) <= set(own)


@pytest.mark.parametrize(
    "draw", [figures.with_intervals, figures.roc, figures.precision_recall, figures.reliability, figures.drop]
)
def test_a_detector_has_its_own_colour_everywhere(found, draw):
    evaluation = found.evaluations[1]
    svg = draw(evaluation)
    for style in plot_styles(evaluation.detectors).values():
        assert style.colour.replace(INK, "currentColor").lower() in svg.lower()


def test_looks_differ_in_colour_dashes_and_marker_and_do_not_depend_on_the_others():
    five = plot_styles([*MODELS, "vit", "ensemble"])
    for what in ("colour", "dashes", "marker"):
        assert len({str(getattr(style, what)) for style in five.values()}) == 6
    assert plot_styles(["xception", "ensemble"])["xception"] == five["xception"]


@pytest.mark.parametrize(
    "draw",
    [
        figures.roc,
        figures.precision_recall,
        figures.reliability,
        figures.wrong_together,
        figures.drop,
        figures.weightings,
    ],
)
def test_no_legend_lies_across_what_it_names(found, monkeypatch, draw):
    (figure,) = kept(monkeypatch, lambda: draw(found.evaluations[1]))
    (legend,) = figure.legends
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert axes.get_legend() is None
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_a_reliability_plot_shows_how_many_images_each_bin_has(found, monkeypatch):
    evaluation = found.evaluations[0]
    (figure,) = kept(monkeypatch, lambda: figures.reliability(evaluation))
    drawn = [line.get_ydata().tolist() for line in figure.axes[1].lines]
    assert drawn == [[each.n for each in of.reliability] for of in evaluation.compared.calibration.values()]
    assert all(sum(of) == evaluation.compared.n for of in drawn)


def kept(monkeypatch, draw):
    """Return the figures that a function draws, before they are SVG."""
    found = []
    monkeypatch.setattr(figures, "svg", lambda figure, name: found.append(figure) or "")
    draw()
    return found
