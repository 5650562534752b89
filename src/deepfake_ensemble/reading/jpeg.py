"""JPEGs decoded straight into a batch's memory: the pixels of `images.pixels`, sooner.

Pillow and simplejpeg both wrap libjpeg-turbo and both leave it to its accurate transform and smooth
upsampling, so the values are the same (`tests/reading/test_jpeg.py` compares them). Pillow decodes into
memory of its own, of four bytes a pixel, from which the pixels are copied twice.
"""

from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray

ChannelOrder = Literal["RGB", "BGR"]


def is_color_jpeg(data: bytes, shape: tuple[int, ...]) -> bool:
    """Tell whether data begin like a JPEG in colour of `shape` (height, width, 3), for `decode_into`."""
    try:
        height, width, color_space, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return (height, width, 3) == shape and color_space == "YCbCr"


def decode_into(data: bytes, pixels: NDArray[np.uint8], channels: ChannelOrder = "RGB") -> bool:
    """Decode a JPEG into `pixels`.

    Args:
        data: of which `is_color_jpeg` holds.
        pixels: (height, width, 3), contiguous; overwritten.
        channels: their order.

    Returns:
        False if the data are damaged; `pixels` then hold anything, and `images.pixels` says what is wrong.
    """
    try:
        simplejpeg.decode_jpeg(data, channels, buffer=pixels)
    except ValueError:
        return False
    return True


def mirror_into(image: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Write an image in BGR to `out` in RGB, left and right exchanged; both (height, width, 3), contiguous.

    A row in BGR, read backwards, is the mirrored row in RGB. Eight bytes at a time are taken for a number
    and written the other way round, the last one first: much sooner than byte by byte.
    """
    height, width, _ = image.shape
    rows, number = (height, 3 * width), "u1" if 3 * width % 8 else "u8"
    out.reshape(rows).view(f"<{number}")[...] = image.reshape(rows).view(f">{number}")[:, ::-1]
