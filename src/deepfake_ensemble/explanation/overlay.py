"""A heat map laid over the image that it explains."""

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_OPACITY = 0.65  # of the hottest spot


def overlaid(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an image (size, size, 3) in grey, with its heat map (size, size) from 0 to 1 laid over it."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float64)[:, :, None]
    colours = 255 * mpl.colormaps["inferno"](np.rint(255 * heat).astype(np.uint8))[:, :, :3]
    opacity = _OPACITY * heat[:, :, None]
    return np.rint((1 - opacity) * grey + opacity * colours).astype(np.uint8)
