"""Stand-ins for Kaggle's two archives: their layout, names, tables and counts, file for file; our own images.

The images are crops of the photographs that scientific Python packages carry. A few thousand are encoded;
each file of an archive is one of them with a comment of its own, so that no two files are the same, and
decoding, hashing and moving them costs what it costs with that many photographs. The same arguments give the
same bytes.
"""

import csv
import hashlib
import io
import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.sample.archives import Entry

# Images of each class in each of the publishers' own parts.
FACES = {"train": 50_000, "valid": 10_000, "test": 10_000}
CIFAKE = {"train": 50_000, "test": 10_000}
CIFAR_CLASSES = 10


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


def distinct(files: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the JPEG files over and over without end, each time with another comment."""
    for number, file in enumerate(itertools.cycle(files)):
        comment = f"{number:08d}".encode()
        # Behind the two bytes with which every JPEG starts: marker, length with itself, comment.
        yield file[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment + file[2:]


def faces(images: Iterator[bytes], share: float = 1.0) -> Iterable[Entry]:
    """Yield the entries of the 140k faces' archive, or of a `share` of it."""
    number = 0
    for part, count in FACES.items():
        table = io.StringIO(newline="")
        rows = csv.writer(table)
        rows.writerow(["", "original_path", "id", "label", "label_str", "path"])
        for label, kind in ((1, "real"), (0, "fake")):
            for row in range(round(count * share)):
                drawn = hashlib.md5(b"%d" % number).hexdigest()[:10].upper()
                name = f"{number:05d}" if label else drawn
                path = f"{part}/{kind}/{name}.jpg"
                yield f"real_vs_fake/real-vs-fake/{path}", next(images)
                rows.writerow([row, f"/kaggle/input/{name}.jpg", name, label, kind, path])
                number += 1
        yield f"{part}.csv", table.getvalue().encode()


def cifake(images: Iterator[bytes], share: float = 1.0) -> Iterable[Entry]:
    """Yield the entries of CIFAKE's archive, or of a `share` of it."""
    for part, count in CIFAKE.items():
        for kind in ("REAL", "FAKE"):
            for cls in range(1, CIFAR_CLASSES + 1):
                for i in range(round(count * share) // CIFAR_CLASSES):
                    number = f"{i:04d}" if kind == "REAL" else str(i + 1000 * (part == "train"))
                    suffix = "" if cls == 1 else f" ({cls})"
                    yield f"{part}/{kind}/{number}{suffix}.jpg", next(images)
