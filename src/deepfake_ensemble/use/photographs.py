"""What a photograph's file shows: decoded as people see it, for classification alone.

The data sets have a reading of their own (`reading.images`): plain files, whose pixels must stay what they
are. People's files have transparency, colour profiles and orientations, and more formats; without these, both
give the same pixels.
"""

import io
import threading
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, UnidentifiedImageError

from deepfake_ensemble.foundation.errors import first_line
from deepfake_ensemble.reading.images import MAX_PIXELS, BadImage
from deepfake_ensemble.reading.images import to_rgb as eight_bit_rgb
from deepfake_ensemble.use.recognising import image_kind, kind_of
from deepfake_ensemble.use.statements import Statement, statements

# Pillow reads dozens of formats; each decoder that is left out is one less for a hostile file to try.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF", "JPEG2000")
_BOUND = f"at most {MAX_PIXELS // 1_000_000} megapixels are read"
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_READ = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", *_SIXTEEN_BITS)
_UNREAD = {
    "F": "floating-point values in it, whose range nothing tells",
    "I": "signed or 32-bit whole numbers in it, whose range nothing tells",
}
# What tells a photograph of a camera's sensor from other TIFF files: its first image is a small preview, and
# the photograph itself lies where Pillow does not look.
_SUBFILE_TYPE, _SUBFILES, _DNG_VERSION = 254, 330, 50706

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Modes of the colours that a profile may be for; its own words for them are four bytes long.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_SLOW = ("JPEG2000",)
_SLOW_BYTES = 24 * 2**20  # of such a file; a decoder that takes a second for 4 MiB is not given 64
_STEPS = 9  # a channel, of the colours that a profile is tried on

_slow_turn = threading.Lock()

pillow_heif.register_heif_opener(thumbnails=False)


@dataclass(frozen=True)
class Photograph:
    """An image as it is seen.

    Attributes:
        image: RGB in sRGB, upright, on white.
        note: what of its file was not used, and why; None if nothing.
        statements: what its file says of its making.
    """

    image: Image.Image
    note: str | None = None
    statements: tuple[Statement, ...] = ()


def open_photograph(data: bytes) -> Photograph:
    """Decode an image's file as people see it: transparency on white, in sRGB, turned as its EXIF says.

    Of an animation or several pages it is the first.

    Raises:
        BadImage: saying what the bytes are, if not an image of a kind that is read, or why not this one.
    """
    image = _loaded(data)
    return replace(seen(image), statements=statements(image, data))


def seen(image: Image.Image) -> Photograph:
    """Return a decoded image as people see it.

    Raises:
        BadImage: if its pixels are of a kind whose range is not known.
    """
    if image.mode not in _READ:
        raise BadImage(
            f"{_UNREAD.get(image.mode, f'mode {image.mode}')}; save it with 8 or 16 bits a channel"
        )
    opacity = _opacity(image)
    colours, note = _in_srgb(image)
    if opacity is not None:
        white = Image.new("RGB", colours.size, "white")
        white.paste(colours, mask=opacity)
        colours = white
    return Photograph(_upright(colours, image), note)


def _loaded(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        _check_size(image)
        if _is_raw(image):
            raise BadImage("a raw photograph: not read; save it as JPEG or PNG")
        if image.format in _SLOW and len(data) > _SLOW_BYTES:
            raise BadImage(
                f"a JPEG 2000 image of more than {_SLOW_BYTES // 2**20} MiB: not read; save it as JPEG"
            )
        # It takes four times an image's memory, too: one at a time, however many threads decode.
        with _slow_turn if image.format in _SLOW else nullcontext():
            image.load()
        _check_size(image)  # HEIC may turn out to be another one
    except UnidentifiedImageError:
        begun = image_kind(data)
        raise BadImage(_cut(begun) if begun else kind_of(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"too large: {_BOUND}") from None
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # whatever a decoder stumbles over: the file is at fault
        begun, reason = image_kind(data), first_line(error)
        if begun == "a HEIC image":  # its decoder speaks of boxes and offsets
            raise BadImage(_cut(begun)) from None
        raise BadImage(f"damaged: {reason if reason.isprintable() else ascii(reason)}") from None
    return image


def _cut(begun: str) -> str:
    return f"damaged: it begins as {begun}, and cannot be read on"


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise BadImage(f"too large: {image.width} × {image.height} pixels; {_BOUND}")


def _is_raw(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", None)
    return tags is not None and (_DNG_VERSION in tags or (tags.get(_SUBFILE_TYPE) == 1 and _SUBFILES in tags))


def _opacity(image: Image.Image) -> Image.Image | None:
    """Return how opaque each pixel is (mode L), or None where all are fully so."""
    if image.mode in ("LA", "PA", "RGBA"):
        opacity = image.getchannel("A")
    elif image.info.get("transparency") is not None and image.mode in ("1", "L", "P", "RGB"):
        opacity = image.convert("RGBA").getchannel("A")
    else:
        return None
    return None if opacity.getextrema()[0] == 255 else opacity


def _upright(colours: Image.Image, image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # whatever a damaged EXIF block holds: the image is whole
        return colours
    return colours if turn is None else colours.transpose(turn)


def _in_srgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Return an image's colours in sRGB (mode RGB), and what to say of its profile."""
    opaque = _opaque(image)
    profile = image.info.get("icc_profile")
    if opaque.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _converted(opaque, lab), None
    if not profile:
        return eight_bit_rgb(opaque), None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space.strip()]
        if {opaque.mode, mode} == {"CMYK", "RGB"} or (mode == "L" and opaque.mode != "L"):
            return eight_bit_rgb(opaque), "its colour profile is for other colours than its own: not used"
        if opaque.mode != mode:
            opaque = opaque.convert(mode)
        if mode == "RGB" and _changes_nothing(profile):
            return opaque, None
        return _converted(opaque, source), None
    except (ImageCms.PyCMSError, KeyError, OSError, ValueError, TypeError):
        return eight_bit_rgb(opaque), "its colour profile is damaged: not used"


def _opaque(image: Image.Image) -> Image.Image:
    """Return an image's colours, of 8 bits a channel, without opacity or palette."""
    if image.mode in _SIXTEEN_BITS:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # Pillow's own cuts off at 255
    if image.mode in ("1", "LA"):
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB")


def _converted(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    done = ImageCms.profileToProfile(
        image, source, _srgb(), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
    )
    assert done is not None
    return done


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(profile: bytes) -> bool:
    """Return whether a profile is sRGB itself, up to rounding: most are, and such pixels stay as they are."""
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(_STEPS**2, _STEPS, 3)
    colours = Image.fromarray(cube)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    apart = np.abs(np.asarray(_converted(colours, source), np.int16) - cube)
    return bool(apart.max() <= 1)
