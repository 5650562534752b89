"""Packed images: TFRecord shards whose records are the images' files as they are, and an index of them.

The index makes every record reachable at once, so an epoch can visit all images of a split in any order
without holding them in memory. TensorFlow reads the shards as well:
`tf.data.TFRecordDataset(shards).map(tf.io.decode_jpeg)`.
"""

import csv
import mmap
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.errors import UserError
from deepfake_ensemble.files import write_csv

INDEX = "index.csv"

# A record is its length (8 bytes), a check sum of that (4), the data, and a check sum of the data (4).
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")

_AGAIN = "delete its folder and run `dvc repro`"


class Packed(NamedTuple):
    """A row of the index: where the file of an image stands within its shard, in bytes."""

    path: str
    label: int
    shard: str
    offset: int
    length: int


def write(folder: Path, images: Iterable[tuple[str, int, bytes]], count: int, per_shard: int) -> None:
    """Write `count` images (path, label, file) in their order into shards of `per_shard` and an index."""
    shards = -(-count // per_shard)
    rows = []
    remaining = iter(images)
    for shard in range(shards):
        name = f"{shard:05d}-of-{shards:05d}.tfrecord"
        with (folder / name).open("wb") as file:
            for _ in range(min(per_shard, count - shard * per_shard)):
                path, label, data = next(remaining)
                file.write(_HEADER.pack(*_header(len(data))))
                rows.append(Packed(path, label, name, file.tell(), len(data)))
                file.write(data)
                file.write(_FOOTER.pack(_masked_crc(data)))
    write_csv(folder / INDEX, Packed._fields, rows)


def _header(length: int) -> tuple[int, int]:
    return length, _masked_crc(struct.pack("<Q", length))


def _masked_crc(data: bytes | memoryview) -> int:
    # TFRecord's rotation and constant, so that a check sum stored within data is not mistaken for one.
    crc = google_crc32c.value(bytes(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class PackedImages:
    """The images of one split, each reachable by its position; memory-mapped, so they take no memory."""

    def __init__(self, folder: Path) -> None:
        """Open the shards in `folder`.

        Raises:
            UserError: if the index or a shard is missing, damaged, or does not fit the other.
        """
        self._folder = folder
        self._rows = _read_index(folder)
        self._shards = {name: _map(folder / name) for name in sorted({row.shard for row in self._rows})}
        for row in self._rows:
            if row.offset + row.length + _FOOTER.size > len(self._shards[row.shard]):
                raise UserError(f"{folder / row.shard}: shorter than {INDEX} says; {_AGAIN}")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: int) -> bytes:
        """Return the file of an image; UserError if its record is damaged or not where the index says."""
        row = self._rows[position]
        shard, end = self._shards[row.shard], row.offset + row.length
        data = shard[row.offset : end]
        header = _HEADER.unpack_from(shard, row.offset - _HEADER.size)
        if header != _header(row.length) or _FOOTER.unpack_from(shard, end) != (_masked_crc(data),):
            raise UserError(f"{self._folder / row.shard}: damaged at {row.path}; {_AGAIN}")
        return data

    @property
    def paths(self) -> Sequence[str]:
        """The images' paths within their archive, in the split's order."""
        return [row.path for row in self._rows]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The images' labels (n,): 1 for fake, 0 for real."""
        return np.array([row.label for row in self._rows], dtype=np.int64)


def _read_index(folder: Path) -> list[Packed]:
    index = folder / INDEX
    try:
        with index.open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        if tuple(header) != Packed._fields or not lines:
            raise ValueError
        return [_row(*line) for line in lines]
    except FileNotFoundError:
        raise UserError(
            f"{index}: missing; `dvc repro` packs it and `dvc pull` fetches a stored one"
        ) from None
    except (ValueError, TypeError, csv.Error):
        raise UserError(f"{index}: not an index of packed images; {_AGAIN}") from None


def _row(path: str, label: str, shard: str, offset: str, length: str) -> Packed:
    row = Packed(path, int(label), shard, int(offset), int(length))
    if (
        row.label not in (0, 1)
        or row.shard != Path(shard).name
        or row.offset < _HEADER.size
        or row.length < 0
    ):
        raise ValueError
    return row


def _map(shard: Path) -> mmap.mmap:
    try:
        with shard.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, IsADirectoryError, ValueError):
        raise UserError(f"{shard}: missing or empty; {_AGAIN}") from None
