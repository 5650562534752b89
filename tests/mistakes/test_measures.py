"""What an image looks like, in four numbers."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.mistakes.measures import measures

SIDE = 32


def plain(*colour: int) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), colour)


def test_grey_has_no_saturation_and_no_hue():
    for value in (0, 7, 255):
        found = measures(plain(value, value, value))
        assert (found.saturation, found.warmth) == (0, 0)


def test_a_pure_colour_is_saturated_however_dark_and_half_of_it_is_half():
    assert measures(plain(255, 0, 0)).saturation == measures(plain(9, 0, 0)).saturation == 1
    assert measures(plain(200, 100, 100)).saturation == 0.5


def test_what_is_all_but_black_counts_next_to_nothing_for_the_saturation():
    pixels = np.full((SIDE, SIDE, 3), 200, np.uint8)
    pixels[: SIDE // 2] = (1, 0, 0)  # of saturation 1, as half of the pixels
    assert measures(Image.fromarray(pixels)).saturation < 0.01


@pytest.mark.parametrize(
    ("colour", "warmth"),
    [
        ((200, 100, 0), 1),  # orange, at 30 degrees
        ((0, 100, 200), -1),  # azure, opposite
        ((255, 0, 0), np.cos(np.radians(30))),
        ((0, 255, 0), np.cos(np.radians(90))),
        ((0, 0, 255), np.cos(np.radians(210))),
    ],
)
def test_warmth_is_the_cosine_of_the_hue_s_distance_from_orange(colour, warmth):
    assert measures(plain(*colour)).warmth == pytest.approx(warmth, abs=1e-12)


def test_hues_count_by_their_chroma():
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[: SIDE // 2], pixels[SIDE // 2 :] = (200, 100, 0), (0, 50, 100)
    # As many pixels of orange as of azure, with twice the chroma: (2 - 1) / (2 + 1).
    assert measures(Image.fromarray(pixels)).warmth == pytest.approx(1 / 3)


def test_detail_is_none_in_a_plain_image_and_more_the_more_its_pixels_differ():
    noise = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    assert measures(plain(9, 90, 200)).detail == 0
    assert measures(image).detail > measures(image.resize((8, 8)).resize((SIDE, SIDE))).detail > 0


def test_the_border_is_an_eighth_and_what_lies_within_does_not_count():
    pixels = np.full((SIDE, SIDE, 3), 90, np.uint8)
    pixels[4:-4, 4:-4] = np.random.default_rng(1).integers(0, 256, (24, 24, 3))
    assert measures(Image.fromarray(pixels)).border_variation == 0
    pixels[3, 3] = 0
    assert measures(Image.fromarray(pixels)).border_variation > 0


def test_a_border_half_black_and_half_white_varies_by_half_the_range():
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[:, SIDE // 2 :] = 255
    assert measures(Image.fromarray(pixels)).border_variation == 127.5
