"""The symmetries of a square image: what augmentation draws from, and what an answer can be the mean over.

None of them moves the borders of JPEG's blocks of 8 pixels in an image whose sides they divide. Transposing
exchanges the quantisation of horizontal and of vertical frequencies, which JPEG's tables do not treat alike.
"""

from typing import Any

from deepfake_ensemble.training.residual.settings import Symmetry

# Of each group: whether an image is transposed, turned upside down, mirrored left to right.
Turn = tuple[bool, bool, bool]
TURNS: dict[Symmetry, tuple[Turn, ...]] = {
    "none": ((False, False, False),),
    "mirror": ((False, False, False), (False, False, True)),
    "rectangle": tuple((False, bool(n & 2), bool(n & 1)) for n in range(4)),
    "square": tuple((bool(n & 4), bool(n & 2), bool(n & 1)) for n in range(8)),
}


def turned(image: Any, turn: Turn) -> Any:
    """Return a view of an array image (height, width, channels), turned."""
    transpose, upside_down, mirror = turn
    if transpose:
        image = image.swapaxes(0, 1)
    return image[:: -1 if upside_down else 1, :: -1 if mirror else 1]
