"""The one definition of decoding and resizing, for everything that trains, predicts or audits.

Pillow does both: its JPEG decoder is libjpeg-turbo with the accurate integer transform (TensorFlow's
default is a faster, different one), its resizing works in fixed-point integers, so the pixels are the same
on every processor.
"""

import io
import warnings
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
ImageSize = Annotated[int, Ge(32), Le(1024)]  # pixels; the deepest network halves it five times

MAX_PIXELS = 64_000_000

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class BadImage(ValueError):
    """Bytes that are not an image that can be used; the message is the reason."""


def open_image(data: bytes) -> Image.Image:
    """Decode an image, whatever its mode, without changing its pixels.

    Raises:
        BadImage: if the bytes are not a whole image, or one of more than 64 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            if image.width * image.height > MAX_PIXELS:
                raise BadImage(f"too large: {image.width} × {image.height} pixels")
            image.load()
    except UnidentifiedImageError:
        raise BadImage("empty" if not data else "not an image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage("too large") from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        TypeError,
        KeyError,
        ZeroDivisionError,
    ) as error:
        if isinstance(error, BadImage):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadImage(f"damaged: {reason}") from None
    return image


def decode(data: bytes) -> Image.Image:
    """Decode an image to 8-bit RGB; see `open_image` for what it raises."""
    image = open_image(data)
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(image: Image.Image, size: int, interpolation: Interpolation = "bilinear") -> Image.Image:
    """Bring an RGB image to size × size; shrinking is antialiased, an image of that size stays as it is."""
    if image.size == (size, size):
        return image
    return image.resize((size, size), _FILTERS[interpolation])


def pixels(data: bytes, size: int, interpolation: Interpolation = "bilinear") -> NDArray[np.uint8]:
    """Return the RGB pixels of an encoded image at the network's size: (size, size, 3), 0–255."""
    return np.asarray(resize(decode(data), size, interpolation))
