"""The second study's page of pictures: what it shows is inside it, and what there is none of is said."""

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.explanation import pictures_page
from deepfake_ensemble.explanation.feature_maps import Maps
from deepfake_ensemble.explanation.pictures_page import Mistakes, Picture, Samples, Seen
from page_parser import Page

RNG = np.random.default_rng(1)
SHOWN = Picture("test/FAKE/1.jpg", 0.75, RNG.integers(0, 256, (32, 32, 3)).astype(np.uint8))
MAPS = [Maps(f"layer_{i}", 8, RNG.integers(0, 256, (3, 8, 8)).astype(np.uint8)) for i in range(2)]
SAMPLES = Samples(
    {"cat": [("test/REAL/1 (4).jpg", SHOWN.pixels), ("test/FAKE/1 (4).jpg", SHOWN.pixels)]},
    [("train/REAL/2.jpg", SHOWN.pixels, SHOWN.pixels[::-1])],
)
MISTAKES = [Mistakes("Real images called fake", 5, [SHOWN]), Mistakes("Fake images called real", 0, [])]


@pytest.fixture(scope="module")
def text() -> str:
    return pictures_page.render(SAMPLES, [Seen("resnet18_random", SHOWN, MAPS, MISTAKES)])


def test_every_picture_is_inside_the_page_and_says_what_it_is(text):
    pictures = [attributes for tag, attributes in Page(text).elements if tag == "img"]
    assert [each["alt"] for each in pictures] == [
        "test/REAL/1 (4).jpg",
        "test/FAKE/1 (4).jpg",
        "train/REAL/2.jpg",
        "train/REAL/2.jpg, preprocessed",
        "the image test/FAKE/1.jpg",
        *(f"a channel of layer_{i}" for i in range(2) for _ in range(3)),
        "test/FAKE/1.jpg",
    ]
    for each in pictures:
        data = b64decode(each["src"].removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(data)).size == (80, 80)


def test_figures_are_shown_and_what_there_is_none_of_is_said(text):
    page = Page(text)
    assert "What ResNet18, random weights sees" in page.said
    assert "Fake images called real: none." in page.said
    assert [float(value) for value, _ in page.figures] == [0.75, 8, 8, 5, 0.75]


def test_the_paper_s_network_stands_beside_the_best_with_its_own_mistakes(text):
    ours = Seen("fast_15", SHOWN, MAPS, [Mistakes("Real images called fake", 7, [SHOWN])])
    both = Page(pictures_page.render(SAMPLES, [ours, Seen("resnet152_random", SHOWN, MAPS, MISTAKES)]))
    assert "What compact network, 15 minutes and ResNet152, random weights see" in both.said
    assert "Images misclassified by compact network, 15 minutes" in both.said
    assert {7.0, 5.0} <= {float(value) for value, _ in both.figures}


def test_the_page_is_the_same_again(text):
    assert pictures_page.render(SAMPLES, [Seen("resnet18_random", SHOWN, MAPS, MISTAKES)]) == text
