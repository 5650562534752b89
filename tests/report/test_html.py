from deepfake_ensemble.pages.html import Markup, element, inline, table
from deepfake_ensemble.pages.numbers import share


def test_text_and_attributes_are_escaped_and_markup_is_not():
    made = element("p", "a < b & c", Markup("<b>d</b>"), class_='"x"', aria_label=None)
    assert made == '<p class="&quot;x&quot;">a &lt; b &amp; c<b>d</b></p>'
    assert element("img", src="x.png", data_kind="y") == '<img src="x.png" data-kind="y">'


def test_a_number_keeps_its_value():
    assert inline(["about ", share(0.9208333333), None]) == 'about <data value="0.9208333333">0.921</data>'


def test_a_table_aligns_figures_and_names_its_rows():
    made = table("Caption", ["detector", "accuracy", "note"], [["cnn", share(0.5), "x"], ["b", None, "y"]])
    assert '<th scope="col" class="n"><button type="button">accuracy</button></th>' in made
    assert '<th scope="row">cnn</th><td class="n"><data value="0.5">0.500</data></td><td>x</td>' in made
    assert '<td class="n">–</td>' in made
