"""The page of galleries: images that detectors get wrong and right, ordered by what they look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.pages.rendering import Section, png
from deepfake_ensemble.pages.rendering import render as rendered
from deepfake_ensemble.pages.titles import MEASURES, run_title

_SIDE = 64  # pixels of a picture on the page


@dataclass(frozen=True)
class MeasuredImage:
    """An image of a gallery: where it lies in its archive, its measure, and what it looks like."""

    path: str
    value: float
    image: Image.Image


@dataclass(frozen=True)
class Row:
    """Images of one class that are all right or all wrong, from the least of a measure to the most.

    Attributes:
        kind: what they are, and what they are called.
        images: how many there are.
        shown: some of them, evenly by rank.
    """

    kind: str
    images: int
    shown: Sequence[MeasuredImage]


def evenly(values: NDArray[np.float64], which: NDArray[np.bool_], count: int) -> list[int]:
    """Return positions of at most `count` images, evenly by rank from the least value to the most.

    Args:
        values: of all images: (n,).
        which: those that may be shown: (n,).
        count: at most.
    """
    positions = np.flatnonzero(which)
    ordered = positions[np.argsort(values[positions], kind="stable")]
    ranks = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return ordered[ranks].tolist()


def render(galleries: Mapping[str, Mapping[str, Sequence[Row]]]) -> str:
    """Return the page; `galleries` are each run's, by measure."""
    return rendered(
        __name__,
        "galleries.html",
        sections=[
            Section(f"By {MEASURES[measure]}: {run_title(run)}", "gallery_by_measure.html", rows)
            for run, of in galleries.items()
            for measure, rows in of.items()
        ],
        SIDE=_SIDE,
        enlarged=_enlarged,
    )


def _enlarged(image: Image.Image) -> str:
    return png(np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)))
