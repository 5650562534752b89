"""Cut squares out of images that are turned as a face is."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FFHQ = 1024
"""Pixels of a side of FFHQ's images, four times what networks here see."""

_CORNERS = np.array(((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)))


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

    def points(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where in the image places in the square lie.

        Args:
            places: (n, 2), from the square's centre to the right and down as the face sees itself, in sides.
        """
        along = math.radians(self.angle)
        turn = np.array([[math.cos(along), math.sin(along)], [-math.sin(along), math.cos(along)]])
        return self.side * places @ turn + (self.x, self.y)

    def corners(self) -> NDArray[np.float64]:
        """Return the corners as the face sees itself: upper left, upper right, lower right, lower left."""
        return self.points(_CORNERS)


def crop_face(image: Image.Image, around: Square, enough: int = FFHQ) -> Image.Image:
    """Cut a square out of an RGB image, upright.

    Beyond the image's edges, the image is mirrored, as FFHQ's are.

    Args:
        image: the image.
        around: the square.
        enough: pixels of a side; one of twice as many or more is reduced by a whole number.
    """
    shrink = max(1, int(around.side // enough))
    if shrink > 1:
        image = image.reduce(shrink)
    corners = around.corners() / shrink
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
