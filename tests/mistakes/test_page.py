"""The galleries: rows from the least of a measure to the most."""

import numpy as np
from PIL import Image

from deepfake_ensemble.mistakes import page
from page_parser import Page

VALUES = np.array([5.0, 1, 4, 2, 3, 0])
ALL = np.ones(6, bool)


def test_images_are_taken_evenly_by_rank_and_with_both_ends():
    assert page.evenly(VALUES, ALL, 3) == [5, 4, 0] or page.evenly(VALUES, ALL, 3) == [5, 3, 0]
    assert page.evenly(VALUES, ALL, 6) == [5, 1, 3, 4, 2, 0]


def test_only_those_that_may_be_shown_are_and_each_once():
    assert page.evenly(VALUES, VALUES > 2, 9) == [4, 2, 0]
    assert page.evenly(VALUES, ~ALL, 9) == []


def test_every_row_says_what_it_is_and_every_picture_is_inside_the_page():
    shown = [page.MeasuredImage(f"test/REAL/{i}.jpg", i / 4, Image.new("RGB", (32, 32))) for i in range(3)]
    rows = [page.Row("Real, called fake: wrong", 7, shown), page.Row("Real, called real: right", 0, [])]
    text = page.render({"resnet18_random": {"saturation": rows}})
    found = Page(text)
    assert "By saturation: ResNet18, random weights" in found.said
    assert "Real, called fake: wrong ()" in found.said and "Real, called real: right ()" in found.said
    pictures = [attributes for tag, attributes in found.elements if tag == "img"]
    assert [each["alt"] for each in pictures] == [each.path for each in shown]
    assert all(each["src"].startswith("data:image/png;base64,") for each in pictures)
    assert [float(value) for value, _ in found.figures] == [7, 0, 0.25, 0.5, 0]
