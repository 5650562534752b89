"""Stand-ins for Kaggle's two archives: their layout, names, tables and counts, file for file; any images.

Each file is one of a few with a comment of its own, so that no two are the same, and hashing and moving them
costs what it costs with that many photographs. The same arguments give the same bytes.
"""

import csv
import hashlib
import io
import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence

from deepfake_ensemble.sample.archives import Entry

# Images of each class in each of the publishers' own parts.
FACES = {"train": 50_000, "valid": 10_000, "test": 10_000}
CIFAKE = {"train": 50_000, "test": 10_000}
CIFAR_CLASSES = 10


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
