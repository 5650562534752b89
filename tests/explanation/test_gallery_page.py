"""The page of pictures: P(fake) from the JSON beside it, pictures inside it, the same page again."""

import io
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.explanation import gallery_page
from deepfake_ensemble.explanation.choice import OUTCOMES
from deepfake_ensemble.explanation.gallery import Gallery, GalleryImage, summary
from deepfake_ensemble.explanation.gradcam import overlaid
from page_parser import Page, leaves

DETECTORS = ("cnn", "ensemble")


def image(i: int, *, explained: bool) -> GalleryImage:
    rng = np.random.default_rng(i)
    heat = {name: rng.random((32, 32), np.float32) for name in DETECTORS} if explained else {}
    return GalleryImage(
        path=f"test/{i}.jpg",
        is_fake=i % 2 == 1,
        p_fake={name: float(rng.random()) for name in DETECTORS},
        pixels=rng.integers(0, 256, (32, 32, 3)).astype(np.uint8),
        heat=heat,
    )


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    outcomes = {outcome: [image(4 * i, explained=True)] for i, outcome in enumerate(OUTCOMES)}
    return Gallery(
        images=240,
        wrong=77,
        outcomes={**outcomes, "fakes_missed": []},
        misclassified=[image(i, explained=False) for i in (20, 21)],
    )


@pytest.fixture(scope="module")
def page(gallery) -> Page:
    return Page(gallery_page.render({"internal": gallery}, 0.5))


def test_every_figure_stands_in_the_json_beside_the_page(page, gallery):
    known = {leaf for leaf in leaves(summary(gallery)) if isinstance(leaf, int | float)} | {0.5, 2}
    figures = [float(value) for value, _ in page.figures]
    assert len(figures) == 3 + len(DETECTORS) * 5
    assert all(min(abs(figure - leaf) for leaf in known) < 1e-9 for figure in figures)


def test_each_picture_is_inside_the_page_and_says_what_it_is(page):
    pictures = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) == 3 * (1 + len(DETECTORS)) + 2
    for picture in pictures:
        assert picture["alt"]
        data = b64decode(picture["src"].removeprefix("data:image/jpeg;base64,"))
        assert Image.open(io.BytesIO(data)).size == (144, 144)


def test_what_there_is_none_of_is_said(page, gallery):
    assert "Fakes missed on the internal test: none." in page.said
    right = Gallery(images=240, wrong=0, outcomes=gallery.outcomes, misclassified=[])
    words = Page(gallery_page.render({"internal": right}, 0.5)).said
    assert "No detector gets any of the" in words


def test_the_page_is_the_same_again(gallery):
    assert gallery_page.render({"internal": gallery}, 0.5) == gallery_page.render({"internal": gallery}, 0.5)


def test_heat_is_laid_over_a_grey_image():
    pixels = np.full((8, 8, 3), (10, 200, 90), np.uint8)
    heat = np.zeros((8, 8), np.float32)
    heat[0, 0] = 1
    made = overlaid(pixels, heat).astype(int)
    assert np.ptp(made[4, 4]) == 0  # grey where it is cold
    assert np.abs(made[0, 0] - made[4, 4]).max() > 50


def test_of_a_detector_alone_no_ensemble_is_told(gallery):
    def alone(images):
        return [replace(of, p_fake={"cnn": of.p_fake["cnn"]}) for of in images]

    outcomes = {outcome: alone(images) for outcome, images in gallery.outcomes.items()}
    only = replace(gallery, outcomes=outcomes, misclassified=alone(gallery.misclassified))
    told = Page(gallery_page.render({"internal": only}, 0.5)).said.lower()
    assert "where the detector looks" in told
    assert "ensemble" not in told
    assert "member" not in told
