"""Stand-ins for the data sets: JPEG files of our own, of any size and number.

They are crops of the photographs that scientific Python packages carry, so that decoding and moving them
costs what it costs with photographs. The same arguments give the same bytes.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.sample import photographs


def pictures(size: int, quality: int, count: int, seed: int = 0) -> list[bytes]:
    """Return `count` JPEG files of size × size pixels: crops of photographs, at random places and scales."""
    rng = np.random.default_rng(seed)
    sources = [Image.fromarray(photographs.read(name).pixels) for name in photographs.COLOUR_PHOTOGRAPHS]
    files = []
    for number in range(count):
        source = sources[number % len(sources)]
        shortest = min(source.size)
        side = int(rng.integers(min(size, shortest), min(2 * size, shortest) + 1))
        x, y = (int(rng.integers(0, length - side + 1)) for length in source.size)
        crop = source.resize((size, size), Image.Resampling.BICUBIC, box=(x, y, x + side, y + side))
        if rng.integers(2):
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        file = io.BytesIO()
        crop.save(file, "JPEG", quality=quality)
        files.append(file.getvalue())
    return files


def packed(folder: Path, files: Sequence[bytes], count: int) -> PackedImages:
    """Pack `count` images, which are `files` over and over, of two classes in turn, into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    images = ((f"train/{number:010}.jpg", number % 2, files[number % len(files)]) for number in range(count))
    records.write(folder, images, count, 5_000)
    return PackedImages(folder)
