"""What an image's pixels are, decoded and resized, for everything that trains, predicts or audits.

Pillow does both: its JPEG decoder is libjpeg-turbo with the accurate integer transform (TensorFlow's
default is a faster, different one), its resizing works in fixed-point integers, so the pixels are the same
on every processor. `jpeg.py` gives the same pixels of plain JPEGs that need no resizing, faster, as
`tests/reading/test_jpeg.py` shows.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from deepfake_ensemble.foundation.errors import first_line
from deepfake_ensemble.foundation.section import Interpolation

MAX_PIXELS = 64_000_000

# Pillow reads dozens of formats; each decoder that is left out is one less for a hostile file to try.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# Modes whose range of values is known; 32-bit integers and floats, say, could mean anything.
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class BadImage(ValueError):
    """Bytes that are not an image that can be used; the message is the reason."""


def open_image(data: bytes) -> Image.Image:
    """Decode an image, whatever its mode, without changing its pixels; of an animation, the first frame.

    Raises:
        BadImage: if the bytes are not a whole JPEG, PNG, WebP, GIF, BMP or TIFF image of a mode that
            `to_rgb` knows, or have more than 64 million pixels.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise BadImage(f"too large: {image.width} × {image.height} pixels")
        image.load()
    except UnidentifiedImageError:
        raise BadImage("empty" if not data else "not an image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage("too large") from None
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # whatever a decoder stumbles over: the file is at fault
        reason = first_line(error)
        raise BadImage(f"damaged: {reason}") from None
    if image.mode not in (*_EIGHT_BITS, *_SIXTEEN_BITS):
        raise BadImage(f"mode {image.mode}: neither 8 nor 16 bits a channel")
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring an image from `open_image` to 8-bit RGB: transparency is ignored, 16 bits lose their lower 8."""
    if image.mode in _SIXTEEN_BITS:
        # Pillow's own conversion cuts off at 255, which leaves all but the darkest grey white.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def decode(data: bytes) -> Image.Image:
    """Decode an image to 8-bit RGB.

    Raises:
        BadImage: as `open_image`.
    """
    return to_rgb(open_image(data))


def resize(image: Image.Image, size: int, interpolation: Interpolation = "bilinear") -> Image.Image:
    """Bring an RGB image to a network's size.

    Args:
        image: of any size; one of that size stays as it is.
        size: of the sides it gets, in pixels.
        interpolation: the filter; shrinking is antialiased.
    """
    if image.size == (size, size):
        return image
    return image.resize((size, size), _FILTERS[interpolation])


def pixels(data: bytes, size: int, interpolation: Interpolation = "bilinear") -> NDArray[np.uint8]:
    """Return the pixels of an encoded image at a network's size.

    Args:
        data: the bytes of its file.
        size: of the sides it gets, in pixels.
        interpolation: see `resize`.

    Returns:
        RGB of 0–255: (size, size, 3).

    Raises:
        BadImage: as `open_image`.
    """
    return np.asarray(resize(decode(data), size, interpolation))
