"""The page of pictures: what the best network sees, and what it gets wrong (figures 5 and 10)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.explanation.feature_maps import Maps
from deepfake_ensemble.pages.rendering import Section, png
from deepfake_ensemble.pages.rendering import render as rendered

_SIDE = 80  # pixels of a picture on the page


@dataclass(frozen=True)
class Picture:
    """An image of the data, pixels (size, size, 3), and what the network says of it."""

    path: str
    p_fake: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Mistakes:
    """Images that the network gets wrong in one way: their number, and the surest of them."""

    kind: str
    number: int
    shown: Sequence[Picture]


def render(run: str, image: Picture, maps: Sequence[Maps], mistakes: Sequence[Mistakes]) -> str:
    """Return the page.

    Args:
        run: the network that is shown.
        image: whose maps are shown.
        maps: of five layers of the network.
        mistakes: of each kind.
    """
    return rendered(
        __name__,
        "pictures.html",
        run=run,
        image=image,
        sections=[
            Section("Feature maps", "feature_maps.html", maps),
            Section("Misclassified images", "surest_mistakes.html", mistakes),
        ],
        SIDE=_SIDE,
        enlarged=_enlarged,
    )


def _enlarged(pixels: NDArray[np.uint8]) -> str:
    picture = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    return png(np.asarray(picture))
