"""Cut a face out as FFHQ's were, by which the data set of faces is aligned.

Karras, Laine & Aila 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks",
appendix A: a square that turns with the eyes and the mouth. Its size and place by the landmarks that
`finding` sees were measured on the data set (`benchmarks/faces.py alignment`); they differ a little from
those by the 68 landmarks that FFHQ's makers used.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.faces.finding import Face, find

MARGIN = 0.984
"""Of the square's side, as a share of FFHQ's: four times the distance between the eyes, or 3.6 times that
from the eyes to the mouth, whichever is longer."""
CENTRE = 0.118
"""Where the square's centre lies on the line from the eyes to the mouth, as a share of it; FFHQ's is 0.1."""
FRAME = 0.1
"""How far the square's corners may lie from an image's own, as a share of its sides, if the image is one."""
_LARGE = 1024  # pixels of a side: FFHQ's own, and four times what networks here see


@dataclass(frozen=True)
class Square:
    """A square around a face, in pixels of an image.

    Attributes:
        x: of its centre.
        y: of its centre.
        side: its length.
        angle: by which it is turned, in degrees, clockwise as seen.
    """

    x: float
    y: float
    side: float
    angle: float

    def corners(self) -> list[tuple[float, float]]:
        """Return the corners as the face sees itself: upper left, upper right, lower right, lower left."""
        along, half = math.radians(self.angle), self.side / 2
        cos, sin = half * math.cos(along), half * math.sin(along)
        ends = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return [(self.x + i * cos - j * sin, self.y + i * sin + j * cos) for i, j in ends]


@dataclass(frozen=True)
class Aligned:
    """A face as a detector of faces is to see it.

    Attributes:
        image: cut out, at whatever resolution.
        box: of the face, in whole pixels of the image it is in: left, top, right, bottom.
        around: what was cut out; None if that is all of an image.
    """

    image: Image.Image
    box: tuple[int, int, int, int]
    around: Square | None


def aligned(image: Image.Image) -> list[Aligned]:
    """Find the faces of an RGB image and cut them out, the largest first.

    An image that is cut out around a face already is left as it is, whoever else is in it: so it was in
    training.
    """
    faces = [(_within(face, image), square(face)) for face in find(image)]
    for box, around in faces:
        if is_face_crop(image, around):
            return [Aligned(image, box, None)]
    return [Aligned(crop_face(image, around), box, around) for box, around in faces]


def _within(face: Face, image: Image.Image) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(side) for side in face.box)
    return max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)


def square(face: Face) -> Square:
    """Return the square that FFHQ's alignment would cut out."""
    left_eye, right_eye, _, left_mouth, right_mouth = np.array(face.landmarks)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    across, down = right_eye - left_eye, mouth - eyes
    turned = across + np.array([down[1], -down[0]])  # both point to the right as the face stands upright
    side = MARGIN * max(4 * math.hypot(*across), 3.6 * math.hypot(*down))
    x, y = (eyes + CENTRE * down).tolist()
    return Square(x, y, side, math.degrees(math.atan2(turned[1], turned[0])))


def is_face_crop(image: Image.Image, around: Square) -> bool:
    """Say whether an image is cut out around a face already, as the data set's are."""
    ends = ((0, 0), (image.width, 0), (image.width, image.height), (0, image.height))
    sides = np.array(image.size)
    apart = (np.array(around.corners()) - ends) / sides
    return bool(np.abs(apart).max() <= FRAME)


def crop_face(image: Image.Image, around: Square) -> Image.Image:
    """Cut a square out of an RGB image, at its resolution or, if that is high, at a whole fraction of it.

    Beyond the image's edges, the image is mirrored, as FFHQ's are.
    """
    shrink = max(1, int(around.side // _LARGE))
    if shrink > 1:
        image = image.reduce(shrink)
    corners = np.array(around.corners()) / shrink
    low, high = np.floor(corners.min(axis=0)).astype(int) - 2, np.ceil(corners.max(axis=0)).astype(int) + 2
    region = _mirrored(image, low, high)
    side = max(1, round(around.side / shrink))
    upper_left, upper_right, _, lower_left = corners - low
    across, down = (upper_right - upper_left) / side, (lower_left - upper_left) / side
    affine = (across[0], down[0], upper_left[0], across[1], down[1], upper_left[1])
    return region.transform((side, side), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)


def _mirrored(image: Image.Image, low: NDArray[np.int_], high: NDArray[np.int_]) -> Image.Image:
    """Cut out what lies between two corners, which may lie outside the image."""
    size = np.array(image.size)
    inside_low = np.clip(low, 0, size - 1)
    inside_high = np.clip(high, inside_low + 1, size)
    pixels = np.asarray(image.crop((*inside_low.tolist(), *inside_high.tolist())))
    (left, top), (right, bottom) = inside_low - low, high - inside_high
    padding = ((max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0))
    return Image.fromarray(np.pad(pixels, padding, mode="symmetric"))
