"""An image before and after the flip of the training (the study's figure 3.2).

Drawn from a photograph that scikit-image carries (NASA's portrait of Eileen Collins, in the public domain),
not from the data: so the page never holds an image of a data set whose licence forbids showing it.
"""

import io

import numpy as np
from PIL import Image

from deepfake_ensemble.foundation.section import Interpolation
from deepfake_ensemble.reading.images import resize
from deepfake_ensemble.sample import photographs

_PHOTOGRAPH = "skimage/data/astronaut.png"
_FACE = (slice(0, 256), slice(96, 352))


def before_and_after(size: int, interpolation: Interpolation) -> tuple[bytes, bytes]:
    """Return a face as the detectors get it, of size x size pixels, and its mirror image, both as PNG."""
    face = resize(Image.fromarray(photographs.read(_PHOTOGRAPH).pixels[_FACE]), size, interpolation)
    pixels = np.asarray(face)
    return _png(pixels), _png(pixels[:, ::-1])


def _png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return out.getvalue()
