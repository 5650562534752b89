"""Faces are found where they are, at any size and turned a little, and nowhere else."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.faces.finding import LARGEST, MOST, Face, find
from deepfake_ensemble.sample import photographs

FACE = (222, 118)  # where the astronaut's is


def photograph(name: str) -> Image.Image:
    return Image.fromarray(photographs.read(name).pixels)


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return photograph("skimage/data/astronaut.png")


def middle(face: Face) -> tuple[float, float]:
    left, top, right, bottom = face.box
    return (left + right) / 2, (top + bottom) / 2


def test_a_face_is_found_with_its_eyes_and_mouth(astronaut):
    (face,) = find(astronaut)
    assert middle(face) == pytest.approx(FACE, abs=6)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye == pytest.approx((203, 102), abs=4)
    assert right_eye == pytest.approx((246, 104), abs=4)
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert nose[1] < min(left_mouth[1], right_mouth[1])
    assert 0.9 < face.confidence <= 1


@pytest.mark.parametrize("scale", [0.4, 0.7, 1.5, 4])
def test_its_size_does_not_matter(astronaut, scale):
    image = astronaut.resize((round(512 * scale), round(512 * scale)), Image.Resampling.BICUBIC)
    (face,) = find(image)
    assert max(image.size) <= LARGEST or scale == 4  # the last is reduced first
    assert np.array(middle(face)) / scale == pytest.approx(FACE, abs=8)


@pytest.mark.parametrize("angle", [-30, -15, 15, 30])
def test_it_may_be_turned(astronaut, angle):
    (face,) = find(astronaut.rotate(angle, Image.Resampling.BICUBIC, center=FACE))
    assert middle(face) == pytest.approx(FACE, abs=12)
    left, right = face.landmarks[:2]
    seen = -np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0]))
    assert seen == pytest.approx(angle, abs=7)


def test_several_are_told_apart_the_largest_first(astronaut):
    large = astronaut.crop((120, 20, 320, 200))
    image = Image.new("RGB", (500, 250), "grey")
    image.paste(large.resize((140, 126)), (20, 30))
    image.paste(large, (240, 20))
    first, second = find(image)
    assert middle(first)[0] > 240 > middle(second)[0]


@pytest.mark.parametrize(
    "name", sorted({*photographs.COLOUR_PHOTOGRAPHS[1:], *photographs.MORE_PHOTOGRAPHS[2:]})
)
def test_where_there_is_none_none_is_found(name):
    assert find(photograph(name)) == []


@pytest.mark.parametrize("size", [(1, 1), (11, 400), (5000, 3), (12, 12), (31, 33)])
def test_images_too_small_for_a_face_have_none(size):
    assert find(Image.new("RGB", size, "red")) == []


def test_noise_ends_soon_and_many_faces_are_bounded(astronaut):
    noise = np.random.default_rng(1).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    assert len(find(Image.fromarray(noise))) == 0
    face = astronaut.crop((150, 40, 300, 200)).resize((75, 80))
    crowd = Image.new("RGB", (75 * 15, 80 * 8), "grey")
    for number in range(15 * 8):
        crowd.paste(face, (number % 15 * 75, number // 15 * 80))
    assert len(find(crowd)) == MOST
