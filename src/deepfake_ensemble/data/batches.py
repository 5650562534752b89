"""Batches of pixels from packed images, decoded by threads straight into the batch's memory."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.data import order
from deepfake_ensemble.data.images import BadImage, Interpolation, pixels
from deepfake_ensemble.data.records import PackedImages
from deepfake_ensemble.errors import UserError

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


class BatchReader:
    """Reads batches of one split: pixels (batch, size, size, 3) and labels (batch, 1)."""

    def __init__(
        self, images: PackedImages, size: int, interpolation: Interpolation = "bilinear", threads: int = 2
    ) -> None:
        self._images = images
        self.size = size
        self._interpolation = interpolation
        self._labels = images.labels
        # Pillow decodes and resizes without Python's lock, so threads share the cores.
        self._pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="decode")

    def __len__(self) -> int:
        return len(self._images)

    def read(self, positions: NDArray[np.int64], flipped: NDArray[np.bool_] | None = None) -> Batch:
        """Return the images at `positions` (batch,), mirrored left to right where `flipped` (batch,) says."""
        batch = np.empty((len(positions), self.size, self.size, 3), np.uint8)

        def fill(row: int) -> None:
            image = self._pixels(int(positions[row]))
            batch[row] = image[:, ::-1] if flipped is not None and flipped[row] else image

        list(self._pool.map(fill, range(len(positions))))
        return batch, self._labels[positions, None]

    def _pixels(self, position: int) -> NDArray[np.uint8]:
        try:
            return pixels(self._images[position], self.size, self._interpolation)
        except BadImage as error:
            raise UserError(
                f"{self._images.paths[position]}: {error}; run the audit again (`dvc repro -sf audit`)"
            ) from None

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Yield all images once, in the split's order; the last batch may be smaller."""
        for positions in _chunks(np.arange(len(self)), batch_size):
            yield self.read(positions)

    def epoch(self, batch_size: int, seed: int, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield a training epoch from `first_step` on: each image once, shuffled, half of them mirrored."""
        visited = order.permutation(len(self), seed, epoch)
        flipped = order.flips(len(self), seed, epoch)
        for positions in _chunks(visited, batch_size)[first_step:]:
            yield self.read(positions, flipped[positions])


def _chunks(positions: NDArray[np.int64], size: int) -> Sequence[NDArray[np.int64]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]
