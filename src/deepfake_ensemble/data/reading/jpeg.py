"""JPEGs decoded straight into a batch's memory: the pixels of `images.pixels`, sooner.

Pillow and simplejpeg both wrap libjpeg-turbo and both leave it to its accurate transform and smooth
upsampling, so the values are the same (`tests/data/test_jpeg.py` compares them). Pillow decodes into memory
of its own, of four bytes a pixel, from which the pixels are copied twice.
"""

import numpy as np
import simplejpeg
from numpy.typing import NDArray

# So many rows are mirrored at a time: the memory of larger copies is given back and asked for anew each time.
ROWS = 64


def decode_into(data: bytes, pixels: NDArray[np.uint8], *, mirrored: bool = False) -> bool:
    """Decode a JPEG in colour, of the size of `pixels` (height, width, 3), into them; tell whether that went.

    Where it is False, `pixels` hold anything: the data are another format, size or colour space, or damaged,
    and `images.pixels` says what they give.

    Args:
        data: the file.
        pixels: contiguous memory.
        mirrored: whether to exchange left and right.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (height, width, 3) != pixels.shape or colours != "YCbCr":
            return False
        simplejpeg.decode_jpeg(data, "BGR" if mirrored else "RGB", buffer=pixels)
    except ValueError:
        return False
    if mirrored:
        # A row in BGR, read backwards, is the mirrored row in RGB; eight bytes at a time it costs least.
        rows = pixels.reshape(height, 3 * width).view(np.uint8 if 3 * width % 8 else np.uint64)
        for start in range(0, height, ROWS):
            some = rows[start : start + ROWS]
            some[...] = some[:, ::-1].byteswap()
    return True
