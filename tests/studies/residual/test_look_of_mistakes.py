"""Whether the paper's explanation of mistakes holds follows from tests and directions alone."""

from types import SimpleNamespace

import pytest

from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.mistakes.contrasts import FIFTHS, Group, Look, Looks, MeasureContrast
from deepfake_ensemble.pages.rendering import render
from deepfake_ensemble.studies.residual.report import figures, look_of_mistakes, paper
from deepfake_ensemble.studies.residual.report.look_of_mistakes import answers

MORE, LESS, NOTHING = (0.7, 0.001), (0.3, 0.001), (0.7, 0.2)
MEASURES = ("saturation", "warmth", "detail", "border_variation")


def looks(**found: tuple[float, float] | None) -> Looks:
    """Return a run where `real_saturation=(area, p)` was found, and nothing else."""

    def group(kind: str) -> Group:
        contrasts = {}
        for measure in MEASURES:
            area = found.get(f"{kind}_{measure}")
            value, p = area or (None, None)
            interval = None if value is None else Interval(value, value - 0.1, value + 0.1)
            contrasts[measure] = MeasureContrast(1.0, 2.0, interval, p, p)
        return Group(100, 50, contrasts)

    classes = {kind: group(kind) for kind in ("real", "fake")}
    return Looks(0.95, {"resnet152_imagenet": Look(classes, {}, {})})


def said(**found: tuple[float, float] | None) -> list[str]:
    return [answer.holds for answer in answers(looks(**found), "resnet152_imagenet")]


def test_the_claims_are_about_colour_texture_and_background():
    assert [claim.measure for claim in paper.MISTAKES] == ["saturation", "detail", "border_variation"]


def test_the_explanation_holds_where_every_class_shows_what_it_says():
    found = said(
        real_saturation=MORE,
        fake_saturation=MORE,
        real_detail=LESS,
        real_border_variation=MORE,
        fake_border_variation=LESS,
    )
    assert found == ["holds"] * 3


def test_a_clear_difference_the_other_way_contradicts_it():
    assert said(real_detail=MORE)[1] == "is contradicted"


@pytest.mark.parametrize("fake", [NOTHING, LESS, None])
def test_it_holds_in_part_where_one_class_alone_shows_it(fake):
    assert said(real_saturation=MORE, fake_saturation=fake)[0] == "holds in part"


def test_a_difference_that_may_be_chance_shows_nothing():
    assert said(real_saturation=NOTHING, fake_saturation=NOTHING)[0] == "is not shown"


def test_without_mistakes_there_is_nothing_to_tell():
    assert said() == ["cannot be told"] * 3


@pytest.mark.parametrize("learnt", [True, False])
def test_the_mistakes_of_a_run_that_guesses_explain_nothing(monkeypatch, learnt):
    monkeypatch.setattr(figures, "wrong_by_fifth", lambda run, look: "")
    study = SimpleNamespace(looks=looks(real_detail=MORE), learnt=lambda run: learnt)
    section = look_of_mistakes.section(study)
    told = render(look_of_mistakes.__name__, section.template, view=section.view, study=study)
    assert ("explanation holds cannot be told from this run" in told) != learnt
    assert ("is contradicted" in told) == learnt
    assert "Wrong beside right" in told


def test_the_legend_lies_across_no_share(monkeypatch):
    shares = {measure: [Interval(0.9, 0.8, 1.0)] * FIFTHS for measure in MEASURES}
    drawn = []
    monkeypatch.setattr(figures, "svg", lambda figure, name: drawn.append(figure) or "")
    figures.wrong_by_fifth("resnet152_imagenet", Look({}, {"real": shares, "fake": shares}, {}))
    (figure,) = drawn
    (legend,) = figure.legends
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert axes.get_legend() is None
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())
