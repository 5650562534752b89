"""Decoding into a batch's memory: bit for bit what Pillow gives, or left to Pillow."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.reading.images import pixels
from deepfake_ensemble.reading.jpeg import decode_into, is_color_jpeg, mirror_into
from pictures import encoded, picture

SIDE = 72  # neither a multiple of 16 nor of the 8 that a block has, halved

SUBSAMPLINGS = ["4:4:4", "4:2:2", "4:2:0", "4:1:1"]
WRITTEN: list[dict[str, Any]] = [
    {},
    {"progressive": True},
    {"optimize": True},
    {"restart_marker_blocks": 3},
    {"exif": Image.Exif(), "comment": b"a comment", "dpi": (300, 300)},
    {"icc_profile": b"no profile, but kept"},
]


def decoded(data: bytes, side: int = SIDE) -> np.ndarray | None:
    """Return the pixels, or None where decoding is left to Pillow."""
    out = np.full((side, side, 3), 77, np.uint8)
    return out if is_color_jpeg(data, out.shape) and decode_into(data, out) else None


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 95, 100])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_every_value_is_pillow_s(subsampling: str, quality: int) -> None:
    for seed in range(4):
        data = encoded(picture(seed, SIDE, SIDE), quality=quality, subsampling=subsampling)
        assert np.array_equal(decoded(data), pixels(data, SIDE))


@pytest.mark.parametrize("options", WRITTEN, ids=lambda options: " ".join(options) or "plain")
@pytest.mark.parametrize("side", [1, 7, 32, SIDE, 256])
def test_however_it_was_written(side: int, options: dict[str, Any]) -> None:
    data = encoded(picture(5, side, side), quality=90, **options)
    assert np.array_equal(decoded(data, side), pixels(data, side))


@pytest.mark.parametrize("value", [0, 255])
def test_values_at_the_ends_of_the_range(value: int) -> None:
    rng = np.random.default_rng(value)
    extreme = Image.fromarray(rng.choice(np.array([value, 128], np.uint8), (SIDE, SIDE, 3)))
    data = encoded(extreme, quality=30)
    assert np.array_equal(decoded(data), pixels(data, SIDE))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        encoded(picture(1, SIDE, SIDE), "PNG"),
        encoded(picture(1, SIDE, SIDE), "WEBP"),
        encoded(picture(1, SIDE, SIDE).convert("L")),
        encoded(picture(1, SIDE, SIDE).convert("CMYK")),
        encoded(picture(1, SIDE, SIDE), keep_rgb=True),
        encoded(picture(1, SIDE, SIDE + 1)),
        encoded(picture(1, SIDE - 1, SIDE)),
        encoded(picture(1, 5000, 5000)),
    ],
    ids=["empty", "text", "PNG", "WebP", "grey", "CMYK", "RGB inside", "higher", "narrower", "far larger"],
)
def test_the_rest_is_left_to_pillow(data: bytes) -> None:
    assert decoded(data) is None


def test_a_file_cut_off_anywhere_is_left_to_pillow() -> None:
    whole = encoded(picture(2, SIDE, SIDE), quality=60)
    assert [length for length in range(len(whole)) if decoded(whole[:length]) is not None] == []


@pytest.mark.parametrize("options", WRITTEN[:4], ids=lambda options: " ".join(options) or "plain")
def test_a_damaged_file_is_read_as_pillow_reads_it_or_left_to_it(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    whole = encoded(picture(3, SIDE, SIDE), quality=60, **options)
    taken = 0
    for _ in range(600):
        data = bytearray(whole)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            data[position] = rng.integers(0, 256)
        ours = decoded(bytes(data))
        if ours is not None:
            assert np.array_equal(ours, pixels(bytes(data), SIDE))
            taken += 1
    assert taken > 50


@pytest.mark.parametrize("width", [1, 7, 8, 40, SIDE, 256])
def test_a_mirrored_image_is_pillow_s_with_left_and_right_exchanged(width: int) -> None:
    file = encoded(picture(width, width, 24))
    batch = np.full((3, 24, width, 3), 77, np.uint8)
    image = np.empty((24, width, 3), np.uint8)
    assert decode_into(file, image, "BGR")
    mirror_into(image, batch[1])
    assert np.array_equal(batch[1], np.fliplr(np.asarray(Image.open(io.BytesIO(file)))))
    assert (batch[[0, 2]] == 77).all()


def test_trailing_bytes_do_not_matter() -> None:
    data = encoded(picture(4, SIDE, SIDE)) + b"after the end" * 100
    assert np.array_equal(decoded(data), pixels(data, SIDE))


def test_it_writes_nowhere_else() -> None:
    batch = np.full((3, SIDE, SIDE, 3), 77, np.uint8)
    assert decode_into(encoded(picture(6, SIDE, SIDE)), batch[1])
    assert (batch[[0, 2]] == 77).all()
    assert np.array_equal(batch[1], np.asarray(Image.open(io.BytesIO(encoded(picture(6, SIDE, SIDE))))))
