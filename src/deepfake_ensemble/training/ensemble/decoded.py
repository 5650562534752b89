"""Batches of a split that is decoded once: its pixels are kept, in memory or in a file mapped into it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.filesize import decimal

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import require_room
from deepfake_ensemble.foundation.progress import count_progress
from deepfake_ensemble.reading.batches import Batches

BATCH_SIZE = 64


def cache_decoded(
    train: Batches, validation: Batches, memory: float, folder: Path
) -> tuple["DecodedReader", "DecodedReader"]:
    """Decode both splits of a training.

    Args:
        train: read with mirror images.
        validation: read without.
        memory: how many bytes the pixels may take there.
        folder: for the files that take them if these are too few.

    Raises:
        UserError: if an image cannot be read, or memory or disk have no room.
    """
    needed = _size(train, mirrored=True) + _size(validation, mirrored=False)
    where = None
    if needed > memory:
        require_room(folder, needed, "the file of decoded images")
        where = folder
    return (
        DecodedReader(train, mirrored=True, folder=where),
        DecodedReader(validation, mirrored=False, folder=where),
    )


class DecodedReader(Batches):
    """The same batches as another reader's, without decoding an image twice."""

    def __init__(self, reader: Batches, *, mirrored: bool, folder: Path | None = None) -> None:
        """Decode all images of `reader`.

        Args:
            reader: of the split.
            mirrored: keep the mirror images too, without which no batch with some can be read: to mirror an
                image takes longer than to copy it.
            folder: keep the pixels in a file there. It has no name and so goes with the process, however that
                ends. None keeps them in memory.

        Raises:
            UserError: if an image cannot be read, or there is less memory than they take.
        """
        super().__init__(reader.labels, reader.size, reader.threads)
        # The mirror images come after all others.
        shape = ((1 + mirrored) * len(self), self.size, self.size, 3)
        if folder is None:
            try:
                self._kept = np.empty(shape, np.uint8)
            except MemoryError:
                raise UserError(
                    f"decoded.memory_gib: {len(self):,} decoded images of {self.size} × {self.size} pixels"
                    f" need {decimal(_size(self, mirrored))} of memory, more than there is: lower it, so that"
                    " a file is used, or set cache: none"
                ) from None
            for start, pixels in _in_parts(reader, mirrored):
                self._kept[start : start + len(pixels)] = pixels
            return
        with tempfile.TemporaryFile(dir=folder) as file:
            # Written, not assigned through the map, where a disk that is full would end the process.
            for start, pixels in _in_parts(reader, mirrored):
                file.seek(start * pixels[0].nbytes)
                file.write(pixels.data)
            file.flush()
            self._kept = np.asarray(np.memmap(file, np.uint8, "r", shape=shape))

    def _fill(
        self, batch: NDArray[np.uint8], positions: NDArray[np.int64], flipped: NDArray[np.bool_]
    ) -> None:
        if flipped.any() and len(self._kept) == len(self):
            raise ValueError("no mirror images are kept")
        # Of NumPy's ways to treat a row that is not there, `clip` alone fills `batch` without a copy between.
        np.take(self._kept, positions + len(self) * flipped, axis=0, out=batch, mode="clip")


def _in_parts(reader: Batches, mirrored: bool) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield where each part of the images, and of their mirror images, is to stand, and its pixels."""
    start = 0
    with count_progress("decode", len(reader)) as advance:
        for pixels, _ in reader.in_order(BATCH_SIZE):
            yield start, pixels
            if mirrored:
                exchanged = np.empty_like(pixels)
                _mirror(pixels, exchanged)
                yield len(reader) + start, exchanged
            start += len(pixels)
            advance(len(pixels))


def _mirror(images: NDArray[np.uint8], mirrored: NDArray[np.uint8]) -> None:
    """Write images (n, height, width, 3) into `mirrored` with left and right exchanged."""
    # Colour by colour: copied pixel by pixel, three bytes at a time, it takes longer.
    for colour in range(3):
        mirrored[..., colour] = images[..., ::-1, colour]


def _size(reader: Batches, mirrored: bool) -> int:
    return (1 + mirrored) * len(reader) * reader.size * reader.size * 3
