"""Cut a face out as FFHQ's were, by which the data set of faces is aligned.

Karras, Laine & Aila 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks",
appendix A: a square that turns with the eyes and the mouth. Its size and place by the landmarks that
`finding` sees were measured on the data set (`benchmarks/faces.py alignment`); they differ a little from
those by the 68 landmarks that FFHQ's makers used.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from deepfake_ensemble.faces.cropping import Square, crop_face
from deepfake_ensemble.faces.finding import Face, eyes_and_mouth, find, roll

MARGIN = 0.981
"""Of the square's side, as a share of FFHQ's: four times the distance between the eyes, or 3.6 times that
from the eyes to the mouth, whichever is longer."""
CENTRE = 0.119
"""Where the square's centre lies on the line from the eyes to the mouth, as a share of it; FFHQ's is 0.1."""
FRAME = 0.1
"""How far the square's corners may lie from an image's own, as a share of its sides, if the image is one."""


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
    eyes, across, down = eyes_and_mouth(np.array(face.landmarks))
    side = MARGIN * max(4 * math.hypot(*across), 3.6 * math.hypot(*down))
    x, y = (eyes + CENTRE * down).tolist()
    return Square(x, y, side, roll(across, down))


def is_face_crop(image: Image.Image, around: Square) -> bool:
    """Say whether an image is cut out around a face already, as the data set's are."""
    ends = ((0, 0), (image.width, 0), (image.width, image.height), (0, image.height))
    sides = np.array(image.size)
    apart = (around.corners() - ends) / sides
    return bool(np.abs(apart).max() <= FRAME)
