"""Images become the pixels TensorFlow would give, RGB whatever their mode, or a reason why they cannot."""

import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.reading import images
from deepfake_ensemble.reading.images import BadImage, decode, open_image, pixels, resize
from pictures import encoded, picture

SIZES = [(1, 1), (2, 3), (7, 5), (16, 16), (17, 33), (32, 32), (64, 63), (255, 257)]
INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos"]


def as_tensorflow(data: bytes) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()


# Decoding


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_pixels_are_bit_for_bit_what_tensorflow_decodes(mode: str, progressive: bool) -> None:
    # Also of CMYK, of which Pillow's writer (and so Adobe's convention of inverted values) is all we know.
    for size, quality, subsampling in product(SIZES, (1, 50, 75, 95), (0, 1, 2)):
        options: dict[str, Any] = {"subsampling": subsampling} if mode == "RGB" else {}
        image = picture(sum(size) + quality, *size).convert(mode)
        data = encoded(image, quality=quality, progressive=progressive, **options)
        decoded = np.asarray(decode(data))
        assert decoded.shape == (size[1], size[0], 3)
        assert np.array_equal(decoded, as_tensorflow(data)), (size, quality, subsampling)


def test_tensorflows_default_would_give_other_pixels() -> None:
    import tensorflow as tf

    data = encoded(picture(1, 64, 64), quality=90)
    assert not np.array_equal(tf.io.decode_jpeg(data, channels=3).numpy(), np.asarray(decode(data)))


def test_restart_markers_and_optimised_tables_make_no_difference() -> None:
    image = picture(2, 40, 24)
    plain = np.asarray(decode(encoded(image, quality=80)))
    for options in ({"optimize": True}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1}):
        data = encoded(image, quality=80, **options)
        assert np.array_equal(np.asarray(decode(data)), plain)
        assert np.array_equal(as_tensorflow(data), plain)


def test_opening_an_image_leaves_its_pixels_as_they_are() -> None:
    grey = picture(3).convert("L")
    opened = open_image(encoded(grey, "PNG"))
    assert opened.mode == "L"
    assert np.array_equal(np.asarray(opened), np.asarray(grey))


RGB = picture(4, 20, 12)
SIXTEEN = Image.fromarray(np.linspace(0, 65535, 240).astype(np.uint16).reshape(12, 20))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_formats_give_what_was_stored_whatever_the_file_is_called(format: str) -> None:
    data = encoded(RGB, format, **({"lossless": True} if format == "WEBP" else {}))
    assert np.array_equal(np.asarray(decode(data)), np.asarray(RGB))


@pytest.mark.parametrize(
    ("image", "format"),
    [
        (RGB.convert("1"), "PNG"),
        (RGB.convert("L"), "PNG"),
        (RGB.convert("L"), "JPEG"),
        (RGB.convert("P"), "PNG"),
        (RGB.convert("P"), "GIF"),
        (RGB.convert("RGBA"), "PNG"),
        (RGB.convert("LA"), "PNG"),
        (RGB.convert("CMYK"), "TIFF"),
        (RGB.convert("YCbCr"), "TIFF"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.mode,
)
def test_every_mode_becomes_rgb(image: Image.Image, format: str) -> None:
    result = pixels(encoded(image, format), 8)
    assert (result.shape, result.dtype) == ((8, 8, 3), np.uint8)
    decoded = decode(encoded(image, format))
    assert decoded.mode == "RGB"
    if format != "JPEG":
        assert np.array_equal(np.asarray(decoded), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_upper_eight(format: str) -> None:
    import tensorflow as tf

    data = encoded(SIXTEEN, format)
    decoded = np.asarray(decode(data))
    assert np.array_equal(decoded[..., 0], np.asarray(SIXTEEN) >> 8)
    assert (decoded == decoded[..., :1]).all()
    if format == "PNG":
        assert np.array_equal(decoded, tf.io.decode_png(data, channels=3).numpy())


def test_sixteen_bits_stored_the_other_way_round_are_the_same() -> None:
    swapped = Image.frombytes("I;16B", SIXTEEN.size, np.asarray(SIXTEEN).astype(">u2").tobytes())
    assert np.array_equal(
        np.asarray(decode(encoded(swapped, "TIFF"))), np.asarray(decode(encoded(SIXTEEN, "TIFF")))
    )


@pytest.mark.parametrize("mode", ["I", "F"])
def test_values_of_unknown_range_are_refused(mode: str) -> None:
    with pytest.raises(BadImage, match=f"^mode {mode}: neither 8 nor 16 bits a channel$"):
        decode(encoded(RGB.convert(mode), "TIFF"))


def test_transparency_is_ignored() -> None:
    hidden = RGB.copy()
    hidden.putalpha(0)
    assert np.array_equal(np.asarray(decode(encoded(hidden, "PNG"))), np.asarray(RGB))


def test_of_an_animation_the_first_frame_counts() -> None:
    first, second = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 255, 0))
    for format in ("GIF", "PNG", "TIFF"):
        data = encoded(first, format, save_all=True, append_images=[second])
        assert np.array_equal(np.asarray(decode(data)), np.asarray(first))


def test_the_camera_s_orientation_is_not_applied_as_tensorflow_does_not() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    data = encoded(RGB, exif=exif)
    assert open_image(data).getexif()[0x0112] == 6
    assert decode(data).size == RGB.size
    assert np.array_equal(np.asarray(decode(data)), as_tensorflow(data))


# Resizing


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_an_image_of_the_right_size_stays_as_it_is(interpolation) -> None:
    image = picture(5, 33, 33)
    assert resize(image, 33, interpolation) is image
    data = encoded(image, "PNG")
    assert np.array_equal(pixels(data, 33, interpolation), np.asarray(image))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (32, 64), (64, 64), (100, 31)])
def test_every_size_becomes_the_network_s(size: tuple[int, int], interpolation) -> None:
    result = pixels(encoded(picture(6, *size), "PNG"), 32, interpolation)
    assert (result.shape, result.dtype) == ((32, 32, 3), np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_shrinking_is_antialiased(interpolation) -> None:
    # A chess board of single pixels is grey from afar; picking pixels would leave it black or white.
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = resize(Image.fromarray(board).convert("RGB"), 16, interpolation)
    inner = np.asarray(small)[2:-2, 2:-2]
    assert inner.min() >= 120
    assert inner.max() <= 135


def test_resizing_agrees_with_tensorflow_s_antialiased_one_but_for_rounding() -> None:
    import tensorflow as tf

    for size in (100, 20):  # shrunk and enlarged
        image = picture(7, size, size)
        floats = tf.image.resize(np.asarray(image), (48, 48), method="bilinear", antialias=True).numpy()
        assert np.abs(np.asarray(resize(image, 48)) - floats).max() <= 1.01


def test_nearest_only_repeats_pixels() -> None:
    image = picture(8, 8, 8)
    assert np.array_equal(
        np.asarray(resize(image, 32, "nearest")), np.asarray(image).repeat(4, 0).repeat(4, 1)
    )


# What is bad


def test_no_bytes_are_called_empty() -> None:
    with pytest.raises(BadImage, match=r"^empty$"):
        open_image(b"")


@pytest.mark.parametrize("data", [b"a", b"\xff\xd8\xff", b"<html></html>", b"GIF89a"])
def test_other_bytes_are_no_image(data: bytes) -> None:
    with pytest.raises(BadImage):
        open_image(data)


@pytest.mark.parametrize("format", ["EPS", "PPM", "TGA", "ICO", "JPEG2000"])
def test_rare_formats_are_not_even_tried(format: str) -> None:
    # An EPS would be handed to Ghostscript, which runs it as a program.
    with pytest.raises(BadImage, match=r"^not an image$"):
        open_image(encoded(RGB, format))


TINY = picture(9, 16, 16)
FILES = {
    "JPEG": encoded(TINY, quality=75),
    "progressive JPEG": encoded(TINY, quality=75, progressive=True),
    "CMYK JPEG": encoded(TINY.convert("CMYK"), quality=75),
    "PNG": encoded(TINY.resize((8, 8)), "PNG"),
    "GIF": encoded(TINY.resize((8, 8)), "GIF"),
    "WEBP": encoded(TINY, "WEBP"),
    "BMP": encoded(TINY.resize((8, 8)), "BMP"),
    "TIFF": encoded(TINY.resize((8, 8)), "TIFF"),
}


def outcome(data: bytes) -> str:
    """Return the reason why an image is bad, or nothing; any other exception ends the test."""
    try:
        result = pixels(data, 8)
    except BadImage as error:
        reason = str(error)
        assert reason
        assert "\n" not in reason
        return reason
    assert (result.shape, result.dtype) == ((8, 8, 3), np.uint8)
    return ""


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_a_file_cut_off_at_any_byte_is_bad_or_still_an_image(name: str) -> None:
    data = FILES[name]
    assert outcome(data) == ""
    reasons = [outcome(data[:length]) for length in range(len(data))]
    assert reasons[0] == "empty"
    assert all(reasons[: len(data) // 2])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_a_file_with_any_byte_changed_is_bad_or_still_an_image(name: str, capfd) -> None:
    data = FILES[name]
    reasons = set()
    for position, value in product(range(len(data)), (0, 255)):
        reasons.add(outcome(data[:position] + bytes([value]) + data[position + 1 :]))
    assert len(reasons) > 1
    capfd.readouterr()  # libtiff complains on standard error by itself


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that announces a size and has next to no data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        )

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "size", [(8001, 8000), (9500, 9500), (20_000, 20_000), (1, 70_000_000), (2**31 - 1,) * 2]
)
@pytest.mark.filterwarnings("ignore")
def test_bombs_are_refused_by_what_they_announce(size: tuple[int, int]) -> None:
    with pytest.raises(BadImage, match=r"^too large"):
        open_image(png_header(*size))


def test_sixty_four_million_pixels_are_not_too_large() -> None:
    # So the limit is what refuses the others, not the missing data.
    with pytest.raises(BadImage, match=r"^damaged"):
        open_image(png_header(8000, 8000))


def test_bombs_are_refused_where_warnings_are_errors_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadImage, match=r"^too large"):
            open_image(png_header(9500, 9500))


def test_an_error_of_memory_is_not_blamed_on_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(images.Image, "open", exhausted)
    with pytest.raises(MemoryError):
        open_image(FILES["JPEG"])


def test_many_threads_decode_the_same_and_leave_the_process_as_it_was() -> None:
    data = [encoded(picture(seed), quality=80) for seed in range(8)] * 40
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        decoded = list(pool.map(lambda file: pixels(file, 24), data))
    assert warnings.filters == before
    for file, result in zip(data, decoded, strict=True):
        assert np.array_equal(result, pixels(file, 24))


def test_decoding_needs_no_tensorflow() -> None:
    code = (
        "import sys; from deepfake_ensemble.reading import batches;"
        "print({'tensorflow', 'keras'} & sys.modules.keys())"
    )
    source = Path(images.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "set()"
