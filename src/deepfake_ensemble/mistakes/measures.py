"""What an image looks like, in four numbers: its colours, its detail, and how plain its border is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.archives.baselines import sharpness

_BORDER = 8  # one part in so many of the shorter side counts as border, on each side


class Measures(NamedTuple):
    """The measures of an image."""

    saturation: float
    """HSV's saturation, 0 to 1, where each pixel counts by its value: what is all but black has no colour."""
    warmth: float
    """The mean hue from azure, -1, to orange, 1, where each pixel counts by its chroma; 0 in grey."""
    detail: float
    """Variance of the Laplacian of the grey values: local detail, as texture has it."""
    border_variation: float
    """Standard deviation of the colours along the border: 0 where the background is plain."""


def measures(image: Image.Image) -> Measures:
    """Return the measures of a decoded image.

    Args:
        image: RGB, any size.
    """
    pixels = np.asarray(image, dtype=np.int64)
    return Measures(
        saturation=_saturation(pixels),
        warmth=_warmth(pixels),
        detail=sharpness(np.asarray(image.convert("L"), dtype=np.int16)),
        border_variation=_border_variation(pixels),
    )


def _saturation(pixels: NDArray[np.int64]) -> float:
    value = pixels.max(axis=2)
    total = int(value.sum())
    return int((value - pixels.min(axis=2)).sum()) / total if total else 0.0


def _warmth(pixels: NDArray[np.int64]) -> float:
    # Hue is the angle of (r - (g + b) / 2, (g - b) sqrt(3) / 2), chroma its length. Along orange, at 30
    # degrees, that is (r - b) sqrt(3) / 2.
    r, g, b = np.moveaxis(pixels, 2, 0)
    chroma = np.hypot(r - (g + b) / 2, (g - b) * np.sqrt(3) / 2).sum()
    return float(int((r - b).sum()) * np.sqrt(3) / 2 / chroma) if chroma else 0.0


def _border_variation(pixels: NDArray[np.int64]) -> float:
    width = max(1, min(pixels.shape[:2]) // _BORDER)
    inner = np.zeros(pixels.shape[:2], dtype=bool)
    inner[width:-width, width:-width] = True
    return float(np.sqrt(pixels[~inner].var(axis=0).mean()))
