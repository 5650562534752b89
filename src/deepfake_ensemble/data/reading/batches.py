"""Batches of pixels from packed images, decoded by threads straight into the batch's memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.data.images import BadImage, Interpolation, pixels
from deepfake_ensemble.data.reading import order
from deepfake_ensemble.data.reading.jpeg import decode_into
from deepfake_ensemble.data.reading.memory import Memory
from deepfake_ensemble.data.records import PackedImages
from deepfake_ensemble.foundation.errors import UserError

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]

AHEAD = 2  # batches that are begun before they are asked for, so that no thread waits for who takes them


class BatchReader:
    """Reads batches of one split: pixels (batch, size, size, 3) and labels (batch, 1)."""

    def __init__(
        self, images: PackedImages, size: int, interpolation: Interpolation = "bilinear", threads: int = 2
    ) -> None:
        self._images = images
        self.size = size
        self._interpolation = interpolation
        self._labels = images.labels
        self._threads = max(threads, 1)
        # Images are decoded and resized without Python's lock, so threads share the cores.
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="decode")
        self._memory = Memory()

    def __len__(self) -> int:
        return len(self._images)

    def read(self, positions: NDArray[np.int64], flipped: NDArray[np.bool_] | None = None) -> Batch:
        """Return the images at `positions` (batch,), mirrored left to right where `flipped` (batch,) says."""
        return self._begin(positions, flipped)()

    def _begin(
        self, positions: NDArray[np.int64], flipped: NDArray[np.bool_] | None = None
    ) -> Callable[[], Batch]:
        """Set the threads to work on a batch; what is returned waits for it."""
        batch = self._memory.array((len(positions), self.size, self.size, 3))
        mirrored = np.zeros(len(positions), np.bool_) if flipped is None else flipped
        bounds = np.linspace(0, len(positions), self._threads + 1).astype(int)
        parts = [
            self._pool.submit(self._fill, batch[start:end], positions[start:end], mirrored[start:end])
            for start, end in pairwise(bounds)
            if end > start
        ]

        def finished() -> Batch:
            for part in parts:
                part.result()
            return batch, self._labels[positions, None]

        return finished

    def _fill(
        self, batch: NDArray[np.uint8], positions: NDArray[np.int64], flipped: NDArray[np.bool_]
    ) -> None:
        """Write the images at `positions` into `batch`."""
        for image, position, mirrored in zip(batch, positions.tolist(), flipped.tolist(), strict=True):
            self._decode(image, position, mirrored)

    def _decode(self, image: NDArray[np.uint8], position: int, mirrored: bool) -> None:
        """Write the pixels of one image into `image`."""
        data = self._images[position]
        if decode_into(data, image, mirrored=mirrored):
            return
        try:
            decoded = pixels(data, self.size, self._interpolation)
        except BadImage as error:
            raise unreadable(self._images.paths[position], error) from None
        if mirrored:
            mirror(decoded, image)
        else:
            image[...] = decoded

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Yield all images once, in the split's order; the last batch may be smaller."""
        return self._ahead((positions, None) for positions in _chunks(np.arange(len(self)), batch_size))

    def epoch(self, batch_size: int, seed: int, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield a training epoch from `first_step` on: each image once, shuffled, half of them mirrored."""
        visited = order.permutation(len(self), seed, epoch)
        flipped = order.flips(len(self), seed, epoch)
        steps = _chunks(visited, batch_size)[first_step:]
        return self._ahead((positions, flipped[positions]) for positions in steps)

    def _ahead(
        self, asked_for: Iterable[tuple[NDArray[np.int64], NDArray[np.bool_] | None]]
    ) -> Iterator[Batch]:
        begun: deque[Callable[[], Batch]] = deque()
        for positions, flipped in asked_for:
            begun.append(self._begin(positions, flipped))
            if len(begun) > AHEAD:
                yield begun.popleft()()
        while begun:
            yield begun.popleft()()


def unreadable(path: str, error: BadImage) -> UserError:
    """Return what to say of a packed image that cannot be decoded."""
    return UserError(f"{path}: {error}; run the audit again (`dvc repro -sf audit`)")


def mirror(image: NDArray[np.uint8], mirrored: NDArray[np.uint8]) -> None:
    """Write an image (height, width, 3), or several, into `mirrored` with left and right exchanged."""
    # Colour by colour: copied pixel by pixel, three bytes at a time, it takes five times as long.
    for colour in range(3):
        mirrored[..., colour] = image[..., ::-1, colour]


def _chunks(positions: NDArray[np.int64], size: int) -> Sequence[NDArray[np.int64]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]
