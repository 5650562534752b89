"""Images that cannot be used, and odd ones that can, by what their files could be called."""

import zlib

import numpy as np
from PIL import Image

from pictures import encoded, picture


def _bad() -> dict[str, bytes]:
    whole = encoded(picture(1, 64, 64), quality=90)
    huge = bytearray(encoded(Image.new("L", (8, 8)), "PNG"))
    huge[16:24] = (20_000).to_bytes(4, "big") * 2  # width and height, in the first chunk
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    return {
        "empty.jpg": b"",
        "text.jpg": b"not an image at all",
        "truncated.jpg": whole[:200],
        "half.jpg": whole[: len(whole) // 2],
        "huge.png": bytes(huge),
        "float.tiff": encoded(Image.new("F", (8, 8)), "TIFF"),
    }


def _good() -> dict[str, bytes]:
    image = picture(1, 40, 30)
    frames = [picture(seed, 40, 30) for seed in (1, 2)]
    return {
        "png_named.jpg": encoded(image, "PNG"),
        "cmyk.jpg": encoded(image.convert("CMYK")),
        "grey.jpg": encoded(image.convert("L")),
        "alpha.png": encoded(image.convert("RGBA"), "PNG"),
        "palette.gif": encoded(image.convert("P"), "GIF"),
        "bits.bmp": encoded(image.convert("1"), "BMP"),
        "sixteen.png": encoded(Image.fromarray(np.full((9, 9), 40_000, np.uint16)), "PNG"),
        "animated.webp": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "one.png": encoded(Image.new("RGB", (1, 1), "red"), "PNG"),
        "wide.png": encoded(Image.new("RGB", (5_000, 3), "red"), "PNG"),
        "broken_exif.jpg": encoded(image, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
    }


BAD = _bad()
GOOD = _good()
