"""The page on perturbed images: figures from the JSON beside it alone, the same page again, a word if off."""

from dataclasses import asdict

import numpy as np
import pytest

from deepfake_ensemble.comparison.robustness import NoImages, robustness
from deepfake_ensemble.evaluation.predictions import Predictions
from deepfake_ensemble.perturbing.conditions import ImageFormat, Robustness, Severities, conditions
from deepfake_ensemble.studies.ensemble.report import robustness_page
from measuring import settings
from page_parser import Page, leaves

SETTINGS = Robustness(
    severities=Severities(jpeg=[90, 50], downscale=[0.5], blur=[0.1], noise=[8.0], crop=[0.5]),
    like={"cifake": ImageFormat(size=32, quality=75)},
    seed=1,
)


def said(seed: int) -> dict[str, Predictions]:
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 2
    paths = tuple(f"{i}.jpg" for i in range(40))
    return {
        model: Predictions(paths, labels, np.clip(0.3 * labels + rng.random(40) * 0.7, 0, 1))
        for model in ("cnn", "xception")
    }


@pytest.fixture(scope="module")
def found():
    under = {condition: said(i) for i, condition in enumerate(conditions(SETTINGS))}
    weights = {"cnn": 0.5, "xception": 0.5}
    return robustness(said(50), under, {"cifake": said(51)}, weights, settings(resamples=100))


def test_every_figure_of_the_page_stands_in_the_json_beside_it(found):
    page = Page(robustness_page.render(found, SETTINGS, "small", 40))
    known = {float(leaf) for leaf in leaves(asdict(found)) if isinstance(leaf, int | float)} | {32.0, 75.0}
    assert len(page.figures) > 100
    assert {float(value) for value, _ in page.figures} <= known


def test_the_page_says_what_each_condition_is(found):
    words = Page(robustness_page.render(found, SETTINGS, "small", 40)).said
    for told in (
        "JPEG of quality 50",
        "as they are",
        "at CIFAKE's resolution and compression",
        "The rest is everything else",
    ):
        assert told in words
    assert "What the loss on CIFAKE is made of" in words


def test_the_page_is_the_same_again_and_needs_nothing_from_outside(found):
    text = robustness_page.render(found, SETTINGS, "small", 40)
    assert text == robustness_page.render(found, SETTINGS, "small", 40)
    hrefs = {attributes["href"] for _, attributes in Page(text).elements if "href" in attributes}
    assert all(href == "report.html" or href.startswith("#") for href in hrefs)


def test_a_profile_that_perturbs_nothing_says_what_to_set():
    words = Page(robustness_page.render(NoImages(), SETTINGS, "sample", 40)).said
    assert "Profile sample perturbs no images" in words
    assert "dvc exp run -S profiles.sample.perturbed_images=" in words


def test_a_constant_answer_stands_beside_every_accuracy(found):
    text = robustness_page.render(found, SETTINGS, "small", 40)
    assert "a constant answer: accuracy " in Page(text).said
    assert text.count("The grey line is a constant answer") == 2
