"""Packed images: TFRecord shards whose records are the images' files as they are, and an index of them.

The index makes every record reachable at once, so an epoch can visit all images of a split in any order
without holding them in memory. TensorFlow reads the shards as well:
`tf.data.TFRecordDataset(shards).map(tf.io.decode_jpeg)`.
"""

import csv
import errno
import os
import struct
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_csv

INDEX = "index.csv"

# A record is its length (8 bytes), a check sum of that (4), the data, and a check sum of the data (4).
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")

# What is held of a row of the index beside the path; `shard` counts the shards in the order of the index.
_PLACE = np.dtype([("label", np.uint8), ("shard", np.uint32), ("offset", np.int64), ("length", np.int64)])

_AGAIN = "delete its folder and run `dvc repro`"


class Packed(NamedTuple):
    """A row of the index: where the file of an image stands within its shard, in bytes."""

    path: str
    label: int
    shard: str
    offset: int
    length: int


def write(folder: Path, images: Iterable[tuple[str, int, bytes]], count: int, per_shard: int) -> None:
    """Write images in their order into shards and an index.

    Args:
        folder: where the files are written.
        images: path, label and the bytes of the file of each.
        count: how many there are.
        per_shard: how many a shard holds; the last may hold fewer.
    """
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


def _masked_crc(data: bytes) -> int:
    # TFRecord's rotation and constant, so that a check sum stored within data is not mistaken for one.
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class PackedImages:
    """The images of one split, each reachable by its position; read from their file when they are asked for.

    The shards are not memory-mapped: what was read of a mapped file counts as memory of the process, as long
    as the machine has room, and a large split would seem to fill it.
    """

    def __init__(self, folder: Path) -> None:
        """Open the shards in `folder`.

        Raises:
            UserError: if the index or a shard is missing, damaged, or does not fit the other.
        """
        self._folder = folder
        self._paths, self._places, self._names = _read_index(folder)
        self._shards: list[int] = []  # their descriptors
        self._verified = bytearray(len(self._paths))  # 1 where a record's check sums have been compared
        weakref.finalize(self, _close, self._shards)
        ends = self._places["offset"] + self._places["length"] + _FOOTER.size
        for number, name in enumerate(self._names):
            self._shards.append(_open(folder / name))
            if ends[self._places["shard"] == number].max() > os.fstat(self._shards[-1]).st_size:
                raise UserError(f"{folder / name}: shorter than {INDEX} says; {_AGAIN}")

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, position: int) -> bytes:
        """Return the bytes of an image's file.

        Check sums are compared when a record is read for the first time, not again in every epoch.

        Raises:
            UserError: if its record is damaged or not where the index says.
        """
        _, shard, offset, length = self._places[position].item()
        # In one call, unlike seeking and reading, so that several threads can do it at once.
        if self._verified[position]:
            data = os.pread(self._shards[shard], length, offset)
            if len(data) == length:
                return data
        size = _HEADER.size + length + _FOOTER.size
        record = os.pread(self._shards[shard], size, offset - _HEADER.size)
        data = record[_HEADER.size : -_FOOTER.size]
        if (
            len(record) != size
            or _HEADER.unpack_from(record) != _header(length)
            or _FOOTER.unpack_from(record, size - _FOOTER.size) != (_masked_crc(data),)
        ):
            raise UserError(
                f"{self._folder / self._names[shard]}: damaged at {self._paths[position]}; {_AGAIN}"
            )
        self._verified[position] = 1
        return data

    @property
    def paths(self) -> Sequence[str]:
        """The images' paths within their archive, in the split's order."""
        return self._paths

    @property
    def labels(self) -> NDArray[np.int64]:
        """The images' labels (n,): 1 for fake, 0 for real."""
        return self._places["label"].astype(np.int64)


def _read_index(folder: Path) -> tuple[list[str], NDArray[np.void], list[str]]:
    """Return the images' paths, their places, and the names of the shards in the order of first mention."""
    index = folder / INDEX
    paths: list[str] = []
    shards: dict[str, int] = {}

    def places(lines: Iterable[list[str]]) -> Iterator[tuple[int, int, int, int]]:
        for line in lines:
            row = _row(*line)
            paths.append(row.path)
            yield row.label, shards.setdefault(row.shard, len(shards)), row.offset, row.length

    try:
        with index.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            if tuple(next(lines, ())) != Packed._fields:
                raise ValueError
            found = np.fromiter(places(lines), _PLACE)
        if not paths:
            raise ValueError
        return paths, found, list(shards)
    except FileNotFoundError:
        raise UserError(
            f"{index}: missing; `dvc repro` packs it and `dvc pull` fetches a stored one"
        ) from None
    except (ValueError, TypeError, OverflowError, csv.Error):
        raise UserError(f"{index}: not an index of packed images; {_AGAIN}") from None


def _row(path: str, label: str, shard: str, offset: str, length: str) -> Packed:
    row = Packed(path, int(label), shard, int(offset), int(length))
    if (
        row.label not in (0, 1)
        or row.shard != Path(shard).name
        or row.offset < _HEADER.size
        or row.length < 0
        or row.offset + row.length >= 2**62  # their sum is made of 64-bit numbers
    ):
        raise ValueError
    return row


def _open(shard: Path) -> int:
    try:
        if shard.is_file() and shard.stat().st_size:
            return os.open(shard, os.O_RDONLY)
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise UserError(
                f"{shard}: more shards than may be open: allow more (`ulimit -n 4096`), or raise"
                " pack.images_per_shard"
            ) from None
        raise
    raise UserError(f"{shard}: missing or empty; {_AGAIN}")


def _close(shards: Iterable[int]) -> None:
    for shard in shards:
        os.close(shard)
