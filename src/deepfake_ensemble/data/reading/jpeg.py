"""JPEGs decoded straight into a batch's memory: the pixels of `images.pixels`, sooner.

Pillow and simplejpeg both wrap libjpeg-turbo and both leave it to its accurate transform and smooth
upsampling, so the values are the same (`tests/data/test_jpeg.py` compares them). Pillow decodes into memory
of its own, of four bytes a pixel, from which the pixels are copied twice.
"""

import numpy as np
import simplejpeg
from numpy.typing import NDArray


def decode_into(data: bytes, pixels: NDArray[np.uint8], mirrored_by: NDArray[np.uint8] | None = None) -> bool:
    """Decode a JPEG in colour, of the size of `pixels` (height, width, 3), into them; tell whether that went.

    Where it is False, `pixels` hold anything: the data are another format, size or colour space, or damaged,
    and `images.pixels` says what they give.

    Args:
        data: the file.
        pixels: contiguous memory.
        mirrored_by: memory of the same size, whatever is in it: to exchange left and right on the way.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (height, width, 3) != pixels.shape or colours != "YCbCr":
            return False
        if mirrored_by is None:
            simplejpeg.decode_jpeg(data, "RGB", buffer=pixels)
            return True
        simplejpeg.decode_jpeg(data, "BGR", buffer=mirrored_by)
    except ValueError:
        return False
    # A row in BGR, read backwards, is the mirrored row in RGB. It is read eight bytes at a time, as numbers
    # that have their other end first.
    read, written = (np.uint8, np.uint8) if 3 * width % 8 else (np.dtype(">u8"), np.dtype("<u8"))
    rows = (height, 3 * width)
    pixels.reshape(rows).view(written)[...] = mirrored_by.reshape(rows).view(read)[:, ::-1]
    return True
