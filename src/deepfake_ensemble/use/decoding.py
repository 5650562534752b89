"""From a file's bytes to what the networks see, as the pipeline does it, and the right way up."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deepfake_ensemble.foundation.section import Interpolation
from deepfake_ensemble.reading.images import open_image, resize, to_rgb


def pixels(data: bytes, size: int, interpolation: Interpolation) -> NDArray[np.uint8]:
    """Return the RGB pixels (size, size, 3) of an encoded image, turned as its EXIF orientation says.

    An image without one, as all of the data sets are, gives the same pixels as `data.reading.images.pixels`.

    Raises:
        BadImage: as `data.reading.images.open_image`.
    """
    return np.asarray(resize(to_rgb(_upright(open_image(data))), size, interpolation))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever a damaged EXIF block holds: the image is whole
        return image
