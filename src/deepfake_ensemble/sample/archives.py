"""Build small archives laid out as Kaggle's, offline, from photographs in the wheels.

A simulation for demonstration and tests: what detectors score on it says nothing about real deepfakes.

Every photograph is cut into square cells; cells that show little are left out. One in three of
a colour photograph's cells, drawn from the seed, goes to CIFAKE, cut into tiles of 32 pixels; the others
are the faces set. So no two images share a pixel of a photograph, within an archive or across both, and
they may be pooled and split at will. The tiles of a photograph are paired by brightness, and a coin
decides which of a pair is real (the tile as it is) and which is fake (re-synthesised: by a simulated GAN
decoder for the faces, by a simulated diffusion process for CIFAKE). So both classes hold as many tiles
of each photograph, and are equally bright.

Names, folders, tables and compression are those of Kaggle's archives, with two liberties:
`original_path` says which pixels of which photograph an image comes from, and the number in brackets of
a CIFAKE name, there CIFAR's class, counts the photographs.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from deepfake_ensemble.fetching import zipped
from deepfake_ensemble.fetching.zipped import Entry
from deepfake_ensemble.sample import photographs, synthesis
from deepfake_ensemble.sample.photographs import Tile

CIFAKE_TILE = 32
CIFAKE_SHARE = 3
"""One cell in so many of a colour photograph goes to CIFAKE."""


def build(layout: Literal["faces", "cifake"], destination: Path, *, seed: int, tile: int = 40) -> None:
    """Write one of the sample archives; the same seed and tile give the same bytes.

    Args:
        layout: whose layout it has.
        destination: replaced when the new archive is complete.
        seed: the same for both archives of a study, or they may share pixels; so with `tile`.
        tile: the side of a face in pixels: even, 32 or more; the larger, the fewer there are.

    Raises:
        UserError: if a photograph is missing or damaged.
    """
    faces, cifake = allocate(seed, tile)
    entries = face_entries(faces, seed) if layout == "faces" else cifake_entries(cifake, seed)
    zipped.write(destination, entries)


def allocate(seed: int, size: int) -> tuple[list[Sequence[Tile]], list[Sequence[Tile]]]:
    """Deal the cells of every photograph to the two archives.

    Args:
        seed: of the draw.
        size: of the sides of cells, in pixels.

    Returns:
        For faces and for CIFAKE: pairs of tiles, the first to stay as it is, the second to become a fake.
    """
    rng = np.random.default_rng([seed, 0])
    faces: list[Sequence[Tile]] = []
    cifake: list[Sequence[Tile]] = []
    for name in (*photographs.COLOUR_PHOTOGRAPHS, *photographs.MORE_PHOTOGRAPHS):
        cells = [cell for cell in photographs.read(name).cut(size) if not photographs.is_flat(cell)]
        cells = [cells[i] for i in rng.permutation(len(cells))]
        for_cifake = len(cells) // CIFAKE_SHARE if name in photographs.COLOUR_PHOTOGRAPHS else 0
        quarters = [q for cell in cells[:for_cifake] for q in cell.cut(CIFAKE_TILE)]
        faces += _pairs(cells[for_cifake:], rng)
        cifake += _pairs([q for q in quarters if not photographs.is_flat(q)], rng)
    return faces, cifake


def _pairs(tiles: Sequence[Tile], rng: np.random.Generator) -> list[Sequence[Tile]]:
    """Pair tiles of neighbouring brightness as (real, fake); an odd one is left out."""
    by_brightness = sorted(tiles, key=lambda t: int(photographs.grey(t.pixels).sum()))
    pairs = zip(by_brightness[::2], by_brightness[1::2], strict=False)
    return [pair if rng.integers(2) else pair[::-1] for pair in pairs]


def face_entries(pairs: Sequence[Sequence[Tile]], seed: int) -> Iterable[Entry]:
    """Yield the entries of an archive in the layout of "140k Real and Fake Faces", 5 : 1 : 1 as there.

    Args:
        pairs: of tiles: the first stays as it is, the second becomes a fake.
        seed: of the order, the names and the fakes' noise.

    Yields:
        Names and contents: JPEG images, then the publisher's three tables of labels.
    """
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(pairs))
    pairs = [pairs[i] for i in order]
    n = len(pairs)
    held = n // 7
    parts = {
        "train": pairs[: n - 2 * held],
        "valid": pairs[n - 2 * held : n - held],
        "test": pairs[n - held :],
    }
    numbers = iter(np.sort(rng.permutation(70000)[:n]).tolist())
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
    tables: list[Entry] = []
    for part, members in parts.items():
        rows: list[list[object]] = []
        for label, kind in ((1, "real"), (0, "fake")):
            for pair in members:
                source = pair[0 if label else 1]
                if label:
                    name, data = f"{next(numbers):05d}", synthesis.jpeg(source.pixels)
                else:
                    name, data = (
                        "".join(letters[rng.integers(36, size=10)]),
                        synthesis.gan(source.pixels, rng),
                    )
                yield f"real_vs_fake/real-vs-fake/{part}/{kind}/{name}.jpg", data
                origin = f"{source.photograph}#xywh={source.x},{source.y},{source.size},{source.size}"
                rows.append([len(rows), origin, name, label, kind, f"{part}/{kind}/{name}.jpg"])
        table = io.StringIO(newline="")
        writer = csv.writer(table, lineterminator="\r\n")
        writer.writerow(["", "original_path", "id", "label", "label_str", "path"])
        writer.writerows(rows)
        tables.append((f"{part}.csv", table.getvalue().encode()))
    yield from tables


def cifake_entries(pairs: Sequence[Sequence[Tile]], seed: int) -> Iterable[Entry]:
    """Yield the entries of an archive in CIFAKE's layout, one half in each of its two parts.

    Args:
        pairs: of tiles of 32 pixels: the first stays as it is, the second becomes a fake.
        seed: of the order and the fakes' noise.

    Yields:
        Names and contents of JPEG images.
    """
    rng = np.random.default_rng([seed, 2])
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    half = (len(pairs) + 1) // 2
    for part, members in (("train", pairs[half:]), ("test", pairs[:half])):
        for kind in ("FAKE", "REAL"):
            counts: dict[str, int] = {}
            for pair in members:
                source = pair[0 if kind == "REAL" else 1]
                data = (
                    synthesis.jpeg(source.pixels)
                    if kind == "REAL"
                    else synthesis.diffusion(source.pixels, rng)
                )
                k = counts[source.photograph] = counts.get(source.photograph, -1) + 1
                number = f"{k:04d}" if kind == "REAL" else str(k + 1000 if part == "train" else k)
                index = photographs.COLOUR_PHOTOGRAPHS.index(source.photograph) + 1
                suffix = "" if index == 1 else f" ({index})"
                yield f"{part}/{kind}/{number}{suffix}.jpg", data
