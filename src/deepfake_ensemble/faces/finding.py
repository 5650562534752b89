"""Find faces by MTCNN: a network proposes windows at many sizes, two more keep fewer and place them better.

Steps and thresholds are MTCNN's, but for `CERTAIN`, which was 0.7: with 0.9 nearly all faces are still found,
and hardly any where there is none (docs/measurements/faces.json).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.faces import networks
from deepfake_ensemble.faces.cropping import Square, crop_face

LARGEST = 1280
"""A photograph of more pixels a side is reduced to so many before faces are looked for."""
SMALLEST = 32
"""Pixels of the smallest face that is looked for, from the forehead to the chin, after that."""
CERTAIN = 0.9
"""A face less sure than this is none."""
MOST = 64
"""Faces that one image may have, the largest."""

_STEP = 0.709  # from one size of the image to the next: half the area
_WINDOW = 12  # what the first network sees
_CANDIDATES = 500  # at each size, and of all: noise has tens of thousands

_LOOKS = (0.9, 1.0, 1.1)  # sizes of the windows in which a face's landmarks are looked for, in its box's
_ENOUGH = 192  # pixels of a side for that: four times what the network sees

Boxes = NDArray[np.float64]  # (n, 5): left, top, right, bottom, how likely it is a face
Points = NDArray[np.float64]  # (n, 5, 2)


@dataclass(frozen=True)
class Face:
    """A face, in pixels of the image.

    Attributes:
        box: left, top, right, bottom; it may reach over the image's edges.
        confidence: how likely it is a face.
        landmarks: x and y of the eye on the left, the eye on the right, the tip of the nose, the mouth's left
            and its right corner.
    """

    box: tuple[float, float, float, float]
    confidence: float
    landmarks: tuple[tuple[float, float], ...]


def find(image: Image.Image) -> list[Face]:
    """Return the faces of an RGB image, the largest first."""
    reduced = _resized(image, min(1, LARGEST / max(image.size)))
    boxes = _refined(reduced, _proposed(reduced))
    enlarge = np.array(image.size) / reduced.size
    faces = [
        Face(
            tuple((box[:4] * [*enlarge, *enlarge]).tolist()),
            float(box[4]),
            tuple((x, y) for x, y in (points * enlarge).tolist()),
        )
        for box, points in _with_landmarks(reduced, boxes)
    ]
    return sorted(faces, key=_area, reverse=True)[:MOST]


def _area(face: Face) -> float:
    left, top, right, bottom = face.box
    return (right - left) * (bottom - top)


def _resized(image: Image.Image, scale: float) -> Image.Image:
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image if size == image.size else image.resize(size, Image.Resampling.BOX)


def _proposed(image: Image.Image) -> Boxes:
    found = [np.empty((0, 5))]
    scale = _WINDOW / SMALLEST
    while min((reduced := _resized(image, scale)).size) >= _WINDOW:
        p, edges = networks.proposals(networks.normalised(np.asarray(reduced)[None]))
        rows, columns = np.nonzero(p[0] > 0.6)
        corner = 2.0 * np.column_stack([columns, rows])
        windows = np.hstack([corner, corner + _WINDOW]) + _WINDOW * edges[0, rows, columns]
        windows *= np.tile(np.array(image.size) / reduced.size, 2)
        found.append(_distinct(np.column_stack([windows, p[0, rows, columns]]), 0.5))
        scale *= _STEP
    return _distinct(np.concatenate(found), 0.7)


def _refined(image: Image.Image, boxes: Boxes) -> Boxes:
    boxes = _squares(boxes)
    p, edges = networks.refined(_patches(image, boxes, 24))
    return _distinct(_moved(boxes, p, edges)[p > 0.7], 0.7)


def _with_landmarks(image: Image.Image, boxes: Boxes) -> list[tuple[Boxes, Points]]:
    """Return the boxes (5,) that are certain, each with its landmarks (5, 2)."""
    boxes = _squares(boxes)
    p, edges, _ = networks.landmarks(_patches(image, boxes, 48))
    boxes = _distinct(_moved(boxes, p, edges)[p > CERTAIN], 0.7, nested=True)
    windows = _squares(boxes)
    seen = zip(windows, _landmarks(image, windows), strict=True)
    return list(zip(boxes, (_upright(image, window, points) for window, points in seen), strict=True))


def _landmarks(image: Image.Image, boxes: Boxes) -> Points:
    """Return landmarks (n, 5, 2), the mean of those of faces and of those of their mirror images.

    MTCNN takes those that its last network sees before the box is moved; these lie nearer to where they are.
    """
    patches = _patches(image, boxes, 48)
    places = networks.landmarks(patches)[2]
    mirrored = networks.landmarks(patches[:, :, ::-1])[2][:, [1, 0, 2, 4, 3]]
    mirrored[:, :, 0] = 1 - mirrored[:, :, 0]
    sides = boxes[:, None, 2:4] - boxes[:, None, :2]
    return boxes[:, None, :2] + sides * (places + mirrored) / 2


def _upright(image: Image.Image, window: Boxes, points: Points) -> Points:
    """Return landmarks (5, 2) as seen once more, in windows of several sizes and with the eyes level.

    MTCNN does not look twice; what is cut out by these lies a fifth to a third nearer to where it should.
    """
    left, top, right, bottom, _ = window
    _, across, down = eyes_and_mouth(points)
    around = Square((left + right) / 2, (top + bottom) / 2, _LOOKS[-1] * (right - left), roll(across, down))
    face = crop_face(image, around, _ENOUGH)
    half = face.width * np.array(_LOOKS)[:, None] / _LOOKS[-1] / 2
    windows = face.width / 2 + np.hstack([-half, -half, half, half])
    return around.points(_landmarks(face, windows).mean(axis=0) / face.width - 0.5)


def eyes_and_mouth(points: Points) -> tuple[Points, Points, Points]:
    """Return the middle between the eyes, the way from the left eye to the right, and that to the mouth's.

    Args:
        points: a face's landmarks, (5, 2).
    """
    left_eye, right_eye, _, left_mouth, right_mouth = points
    eyes = (left_eye + right_eye) / 2
    return eyes, right_eye - left_eye, (left_mouth + right_mouth) / 2 - eyes


def roll(across: Points, down: Points) -> float:
    """Return by how many degrees a face is turned, clockwise as seen, by its eyes and by its mouth.

    Args:
        across: the way from the eye on the left to the one on the right, (2,).
        down: that from the eyes to the mouth, (2,).
    """
    x, y = across + np.array([down[1], -down[0]])  # both point to the right as the face stands upright
    return math.degrees(math.atan2(y, x))


def _patches(image: Image.Image, boxes: Boxes, side: int) -> NDArray[np.float32]:
    """Cut out boxes and bring them to a size; what lies outside the image is black."""
    patches = np.zeros((len(boxes), side, side, 3), np.uint8)
    for patch, box in zip(patches, np.rint(boxes[:, :4]).astype(int).tolist(), strict=True):
        patch[:] = np.asarray(image.crop(box).resize((side, side), Image.Resampling.BOX))
    return networks.normalised(patches)


def _moved(boxes: Boxes, p: NDArray[np.float32], edges: NDArray[np.float32]) -> Boxes:
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2], 2)
    return np.column_stack([boxes[:, :4] + edges * sides, p])


def _squares(boxes: Boxes) -> Boxes:
    """Return squares around the same centres, of at least two pixels."""
    centre = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = np.maximum((boxes[:, 2:4] - boxes[:, :2]).max(axis=1, initial=0, keepdims=True), 2) / 2
    return np.column_stack([centre - half, centre + half, boxes[:, 4]])


def _distinct(boxes: Boxes, most: float, *, nested: bool = False) -> Boxes:
    """Return the likeliest of boxes that show the same, the likeliest first (non-maximum suppression).

    Args:
        boxes: (n, 5), or more columns.
        most: the share of two boxes' union that they may have in common.
        nested: take the share of the smaller box instead.
    """
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")[:_CANDIDATES]]
    kept = [boxes[:0]]
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first[None])
        low, high = np.maximum(first[:2], left[:, :2]), np.minimum(first[2:4], left[:, 2:4])
        common = np.maximum(high - low, 0).prod(axis=1)
        area, own = (left[:, 2:4] - left[:, :2]).prod(axis=1), (first[2:4] - first[:2]).prod()
        left = left[common <= most * (np.minimum(area, own) if nested else area + own - common)]
    return np.concatenate(kept)
