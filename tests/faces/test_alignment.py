"""A face is cut out as the data set's were: turned with the eyes, and as large as FFHQ's alignment says."""

import math

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.faces.alignment import is_face_crop, square
from deepfake_ensemble.faces.cropping import Square, crop_face
from deepfake_ensemble.faces.finding import Face, find
from deepfake_ensemble.sample import photographs
from pictures import picture

# Where eyes, nose and mouth lie in the data set's images on average, of 256 pixels.
USUAL = ((95.8, 120.2), (160.4, 120.2), (128.3, 158.5), (97.2, 186.6), (158.7, 186.5))


def face(landmarks) -> Face:
    return Face((0, 0, 1, 1), 1.0, tuple(map(tuple, landmarks)))


def turned(points, angle, scale=1.0, shift=(0, 0)):
    along = math.radians(angle)
    matrix = scale * np.array([[math.cos(along), -math.sin(along)], [math.sin(along), math.cos(along)]])
    return np.array(points) @ matrix.T + shift


def test_a_usual_image_of_the_data_set_is_its_own_square():
    found = square(face(USUAL))
    assert (found.x, found.y, found.side, found.angle) == pytest.approx((128, 128, 256, 0), abs=6)
    assert is_face_crop(Image.new("RGB", (256, 256)), found)
    assert is_face_crop(Image.new("RGB", (1024, 1024)), Square(512, 512, 1024, 0))


@pytest.mark.parametrize(
    "around", [Square(128, 128, 200, 0), Square(128, 128, 256, 12), Square(160, 128, 256, 0)]
)
def test_another_is_not(around):
    assert not is_face_crop(Image.new("RGB", (256, 256)), around)


@pytest.mark.parametrize("angle", [-140, -30, 0, 10, 90])
def test_the_square_turns_grows_and_moves_with_the_face(angle):
    plain = square(face(USUAL))
    other = square(face(turned(USUAL, angle, 3, (50, -20))))
    assert other.angle == pytest.approx(plain.angle + angle)
    assert other.side == pytest.approx(3 * plain.side)
    assert (other.x, other.y) == pytest.approx(turned([(plain.x, plain.y)], angle, 3, (50, -20))[0])


def test_corners_are_the_face_s_own():
    assert np.array(Square(10, 20, 4, 90).corners()) == pytest.approx(
        np.array([(12, 18), (12, 22), (8, 22), (8, 18)])
    )


def test_a_straight_square_is_a_crop():
    image = picture(1, 80, 60)
    cut = crop_face(image, Square(40, 30, 20, 0))
    assert (np.asarray(cut) == np.asarray(image.crop((30, 20, 50, 40)))).all()


@pytest.mark.parametrize(
    ("angle", "transpose"), [(90, Image.Transpose.ROTATE_90), (180, Image.Transpose.ROTATE_180)]
)
def test_what_is_cut_out_stands_upright(angle, transpose):
    image = picture(2, 64, 64)
    cut = crop_face(image, Square(32, 32, 40, angle))
    expected = image.crop((12, 12, 52, 52)).transpose(transpose)
    assert np.abs(np.asarray(cut, float) - np.asarray(expected)).max() <= 1


def test_beyond_the_edges_the_image_is_mirrored():
    image = picture(3, 32, 32)
    cut = np.asarray(crop_face(image, Square(0, 16, 20, 0)))
    assert (cut[:, :10] == cut[:, 10:][:, ::-1]).all()
    assert crop_face(image, Square(-300, -300, 20, 30)).size == (20, 20)
    assert crop_face(Image.new("RGB", (1, 1)), Square(0, 0, 90, 10)).size == (90, 90)


def test_a_large_square_is_shrunk_without_aliasing():
    stripes = np.zeros((4096, 4096, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = crop_face(Image.fromarray(stripes), Square(2048, 2048, 4096, 0))
    assert 1000 <= cut.width < 2048
    assert np.asarray(cut).std() < 1


@pytest.mark.parametrize("angle", [-30, -20, -10, 10, 20, 30])
def test_a_turned_face_is_cut_out_as_the_same_face_upright(angle):
    astronaut = Image.fromarray(photographs.read("skimage/data/astronaut.png").pixels)
    centre = (222, 118)
    (upright,) = find(astronaut)
    (other,) = find(astronaut.rotate(-angle, Image.Resampling.BICUBIC, center=centre))
    expected = turned(square(upright).corners() - centre, angle) + centre
    apart = np.hypot(*(square(other).corners() - expected).T).mean()
    assert apart < 0.01 * square(upright).side
