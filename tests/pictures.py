"""Small images for tests: encoded, and packed as the pack stage does it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.records import PackedImages

pillow_heif.register_heif_opener()


def picture(seed: int, width: int = 32, height: int = 32, contrast: float = 60) -> Image.Image:
    """Return a picture with large shapes and fine noise, so that neither halves nor pixels are alike."""
    rng = np.random.default_rng(seed)
    shapes = Image.fromarray(rng.integers(0, 256, (3, 4, 3), dtype=np.uint8))
    smooth = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noise = rng.normal(0, contrast, (height, width, 3)).astype(np.int16)
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    """Return the file of an image."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pack(folder: Path, count: int, size: int = 32, per_shard: int = 5, first_seed: int = 0) -> PackedImages:
    """Pack `count` JPEGs, real and fake in turn; the fake ones have less noise, so a network can learn."""
    folder.mkdir(parents=True)
    images = (
        (
            f"{label}/{i}.jpg",
            label,
            encoded(picture(first_seed + i, size, size, contrast=20 if label else 60), quality=90),
        )
        for i in range(count)
        for label in [i % 2]
    )
    records.write(folder, images, count, per_shard)
    return PackedImages(folder)
