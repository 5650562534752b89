"""Templates: what is no markup is escaped, figures keep their values, tables name their rows."""

from importlib import resources
from pathlib import Path

import jinja2
import numpy as np
import pytest
from jinja2 import DictLoader
from markupsafe import Markup

from clones import ROOT
from deepfake_ensemble.comparison.intervals import Interval
from deepfake_ensemble.pages import rendering
from deepfake_ensemble.pages.rendering import Figure, Section, drawn, render, write


@pytest.fixture
def shown(monkeypatch):
    """Render a template that is given as text."""

    def render_text(text: str, *, html: bool = True, **values) -> str:
        environment = rendering._environment("deepfake_ensemble.pages.rendering", html=html)
        loader = jinja2.ChoiceLoader([DictLoader({"it": text}), environment.loader])
        return environment.overlay(loader=loader).get_template("it").render(values)

    return render_text


def test_text_is_escaped_and_markup_is_not(shown):
    text = '<p title="{{ words }}">{{ words }}{{ markup }}</p>'
    made = shown(text, words='a < b & "c"', markup=Markup("<b>d</b>"))
    assert made == '<p title="a &lt; b &amp; &#34;c&#34;">a &lt; b &amp; &#34;c&#34;<b>d</b></p>'


def test_what_a_template_was_not_given_is_an_error(shown):
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        shown("{{ nothing }}")


def test_a_number_keeps_its_value_in_html_and_is_its_text_in_markdown(shown):
    assert shown("about {{ it | share }}", it=0.9208333333) == 'about <data value="0.9208333333">0.921</data>'
    assert shown("about {{ it | share }}", html=False, it=0.9208333333) == "about 0.921"


def test_an_interval_stands_below_its_figure_or_in_brackets(shown):
    it = Interval(0.02, -0.01, 0.05)
    assert shown("{{ it | interval(points) }}", html=False, it=it) == "+2.0 (−1.0 to +5.0)"
    assert shown("{{ it | interval(share) }}", it=Interval(0.5, 0.25, 0.75)) == (
        '<data value="0.5">0.500</data>'
        '<small><data value="0.25">0.250</data>–<data value="0.75">0.750</data></small>'
    )
    assert shown("{{ it | interval(share) }}", it=None) == "None"


def test_a_table_aligns_figures_and_names_its_rows(shown):
    made = shown(
        '{% from "parts.html" import figure_cell, head, table, word_cell %}'
        '{% call table("Caption", ["detector", "accuracy", "note"], words=["note"]) %}'
        "<tr>{{ head('cnn') }}{{ figure_cell(0.5 | share) }}{{ word_cell('x') }}</tr>"
        "<tr>{{ head('b') }}{{ figure_cell(none) }}{{ word_cell('y') }}</tr>"
        "{% endcall %}"
    ).replace("\n", "")
    assert '<th scope="col"><button type="button">detector</button></th>' in made
    assert '<th scope="col" class="n"><button type="button">accuracy</button></th>' in made
    assert '<th scope="col"><button type="button">note</button></th>' in made
    assert '<th scope="row">cnn</th><td class="n"><data value="0.5">0.500</data></td><td>x</td>' in made
    assert '<td class="n">–</td>' in made


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bilinear", "bilinear"),
        (2e-05, "2e-05"),
        (None, "null"),
        (True, "true"),
        ([1, ["a"]], "1, a"),
        ([], "none"),
    ],
)
def test_parameters_are_shown_as_params_yaml_has_them(shown, value, text):
    template = '{% from "parts.html" import parameter %}{{ parameter(value) }}'
    assert shown(template, html=False, value=value).strip() == text


def test_nested_parameters_are_shown_by_their_dotted_names(shown):
    template = '{% from "parts.html" import parameters %}{{ parameters(params) }}'
    made = shown(template, params={"seed": 1, "models": {"cnn": {"filters": [32, 64]}}})
    assert "<code>seed</code>" in made and "<code>models.cnn.filters</code>" in made


def test_lines_of_a_template_become_one_and_non_breaking_spaces_stay():
    assert rendering.oneline("a\n  b\u00a0c\n") == "a b\u00a0c"
    assert isinstance(rendering.oneline(Markup("a\n<b>")), Markup)


def test_a_heading_gives_its_section_an_anchor():
    assert Section("Is it more than chance?", "tests.html").anchor == "is-it-more-than-chance"


def test_each_figure_is_drawn_with_its_caption():
    assert drawn("ab", lambda it: f"<svg>{it}</svg>", str.upper, wide=True) == [
        Figure(Markup("<svg>a</svg>"), "A", wide=True),
        Figure(Markup("<svg>b</svg>"), "B", wide=True),
    ]


def test_a_picture_is_inside_the_page():
    address = rendering.png(np.zeros((2, 3, 3), np.uint8))
    assert address.startswith("data:image/png;base64,")


def test_a_page_is_written_whole(tmp_path: Path):
    write(tmp_path / "page.html", "a – b\n")
    assert (tmp_path / "page.html").read_bytes() == "a – b\n".encode()


TEMPLATES = sorted((ROOT / "src").rglob("templates/*"))


def test_templates_lie_in_the_package_and_are_found_where_it_is_installed():
    for package in ("pages", "studies.ensemble.report", "studies.residual.report"):
        folder = resources.files(f"deepfake_ensemble.{package}") / "templates"
        assert [each for each in folder.iterdir() if each.is_file()]


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_no_template_asks_for_anything_from_elsewhere(file: Path):
    text = file.read_text(encoding="utf-8")
    assert "http:" not in text and "https:" not in text and "@import" not in text


def test_an_unknown_template_is_named():
    with pytest.raises(jinja2.TemplateNotFound, match=r"nowhere\.html"):
        render("deepfake_ensemble.pages.rendering", "nowhere.html")
