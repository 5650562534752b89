"""The page of pictures: of the data, what networks see, and what they get wrong (figures 2, 3, 5 and 10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.explanation.feature_maps import Maps
from deepfake_ensemble.pages.rendering import Section, png
from deepfake_ensemble.pages.rendering import render as rendered
from deepfake_ensemble.pages.titles import run_title

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


@dataclass(frozen=True)
class Seen:
    """One run's part of the page.

    Attributes:
        run: whose it is.
        image: whose maps are shown, and what the run says of it.
        maps: of the network's layers.
        mistakes: of each kind.
    """

    run: str
    image: Picture
    maps: Sequence[Maps]
    mistakes: Sequence[Mistakes]


@dataclass(frozen=True)
class Samples:
    """Images of the data (figures 2 and 3), pixels (size, size, 3).

    Attributes:
        subjects: a real image and a fake one, with their paths, by what they show.
        prepared: paths of training images, and what they are before and after preprocessing.
    """

    subjects: Mapping[str, Sequence[tuple[str, NDArray[np.uint8]]]]
    prepared: Sequence[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]


def render(samples: Samples, runs: Sequence[Seen]) -> str:
    """Return the page: samples of the data, then the runs in their order."""
    sections = [Section("Images of each class, and preprocessing", "samples.html", samples)]
    sections += [
        section
        for of in runs
        for section in (
            Section(f"Feature maps of {run_title(of.run)}", "feature_maps.html", of),
            Section(f"Images misclassified by {run_title(of.run)}", "surest_mistakes.html", of.mistakes),
        )
    ]
    return rendered(
        __name__,
        "pictures.html",
        runs=[of.run for of in runs],
        sections=sections,
        SIDE=_SIDE,
        enlarged=_enlarged,
    )


def _enlarged(pixels: NDArray[np.uint8]) -> str:
    picture = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    return png(np.asarray(picture))
