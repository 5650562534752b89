"""Batches of pixels from packed images, decoded by threads straight into the batch's memory."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.section import Interpolation
from deepfake_ensemble.reading import order
from deepfake_ensemble.reading.buffers import BufferPool
from deepfake_ensemble.reading.images import BadImage, pixels
from deepfake_ensemble.reading.jpeg import ChannelOrder, decode_into, is_color_jpeg, mirror_into
from deepfake_ensemble.reading.records import PackedImages

Labels = NDArray[np.int64] | NDArray[np.float32]
"""1 for fake, 0 for real; of an image that is part fake, between them."""
Batch = tuple[NDArray[np.uint8], Labels]
PendingBatch = Callable[[], Batch]
"""A batch that threads are at work on; called, it waits for them and returns the batch."""

# libjpeg-turbo writes a row that begins at a multiple of 32 bytes past the caches (its jdcolext-avx2.asm):
# right for a batch, which nobody reads soon; wrong for pixels that are read again at once. These begin so
# many bytes beyond such a multiple, and with them every row that is itself a multiple of 32 bytes long.
OFF_VECTORS = 8

CONCURRENT = 2  # batches that threads are at work on at once
PREFETCHED = CONCURRENT + 1  # batches submitted before they are asked for, so that no thread is ever idle


class Batches(ABC):
    """Batches of one split: pixels (batch, size, size, 3), uint8 RGB, and labels (batch, 1).

    Attributes:
        labels: of the images, in the split's order: (n,).
        size: of the images' sides, in pixels.
        threads: how many read images.
    """

    def __init__(self, labels: NDArray[np.int64], size: int, threads: int) -> None:
        self.labels = labels
        self.size = size
        self.threads = max(threads, 1)
        # Pixels are decoded, resized and copied without Python's lock, so threads share the cores.
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="decode")
        self._buffers = BufferPool()

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def _fill(
        self, batch: NDArray[np.uint8], positions: NDArray[np.int64], flipped: NDArray[np.bool_]
    ) -> None:
        """Write the images at `positions` into `batch`, mirrored where `flipped` says."""

    def read(self, positions: NDArray[np.int64], flipped: NDArray[np.bool_] | None = None) -> Batch:
        """Return one batch, decoded by all threads.

        Args:
            positions: of its images in the split: (batch,).
            flipped: where to mirror them left to right: (batch,); None for nowhere.

        Raises:
            UserError: if an image cannot be read.
        """
        return self._submit(positions, flipped, self.threads)()

    def _submit(
        self,
        positions: NDArray[np.int64],
        flipped: NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> PendingBatch:
        """Set threads to work on a batch: so many, or its share of them when CONCURRENT batches are at work.

        With a part of each batch for every thread an epoch takes longer: to hand a part out, and to be told
        that it is done, takes time in which all want Python's lock.
        """
        batch = self._buffers.array((len(positions), self.size, self.size, 3))
        mirrored = np.zeros(len(positions), np.bool_) if flipped is None else flipped
        share = -(-self.threads // CONCURRENT) if threads is None else threads
        bounds = np.linspace(0, len(positions), share + 1).astype(int)
        parts = [
            self._pool.submit(self._fill, batch[start:end], positions[start:end], mirrored[start:end])
            for start, end in pairwise(bounds)
            if end > start
        ]

        def wait() -> Batch:
            for part in parts:
                part.result()
            return batch, self.labels[positions, None]

        return wait

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Yield all images once, in the split's order; the last batch may be smaller.

        Raises:
            UserError: if an image cannot be read.
        """
        return prefetch(self._submit(positions) for positions in _chunks(np.arange(len(self)), batch_size))

    def epoch(self, batch_size: int, seed: int, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield a training epoch: each image once, shuffled, half of them mirrored.

        Args:
            batch_size: images; the last batch may be smaller.
            seed: of the training.
            epoch: counted from 0; with `seed` it decides order and mirroring (see `order.py`).
            first_step: how many batches to leave out, of a training that goes on in the middle of an epoch.

        Raises:
            UserError: if an image cannot be read.
        """
        visited = order.permutation(len(self), seed, epoch)
        flipped = order.flips(len(self), seed, epoch)
        steps = _chunks(visited, batch_size)[first_step:]
        return prefetch(self._submit(positions, flipped[positions]) for positions in steps)


class BatchReader(Batches):
    """Batches of packed images, each decoded whenever it is asked for."""

    def __init__(
        self, images: PackedImages, size: int, interpolation: Interpolation = "bilinear", threads: int = 2
    ) -> None:
        super().__init__(images.labels, size, threads)
        self._images = images
        self._interpolation = interpolation
        self._scratch = BufferPool()  # of one image for each part that is at work
        self._direct = bytearray(len(images))  # 1 where a header has been seen that leaves nothing to Pillow

    def _fill(
        self, batch: NDArray[np.uint8], positions: NDArray[np.int64], flipped: NDArray[np.bool_]
    ) -> None:
        # An image to be mirrored is decoded beside the batch, to where it stays in the caches.
        memory = self._scratch.array((OFF_VECTORS + self.size * self.size * 3,))
        beside = memory[OFF_VECTORS:].reshape(batch.shape[1:])
        for image, position, mirrored in zip(batch, positions.tolist(), flipped.tolist(), strict=True):
            if mirrored:
                self._decode(beside, position, "BGR")
                mirror_into(beside, image)
            else:
                self._decode(image, position, "RGB")

    def _decode(self, image: NDArray[np.uint8], position: int, channels: ChannelOrder) -> None:
        """Write the pixels of one image into `image`."""
        data = self._images[position]
        if not self._direct[position]:
            self._direct[position] = is_color_jpeg(data, image.shape)
        if self._direct[position] and decode_into(data, image, channels):
            return
        try:
            decoded = pixels(data, self.size, self._interpolation)
        except BadImage as error:
            raise unreadable(self._images.paths[position], error) from None
        image[...] = decoded if channels == "RGB" else decoded[..., ::-1]


def prefetch(pending: Iterable[PendingBatch]) -> Iterator[Batch]:
    """Yield the batches of `pending`, each when PREFETCHED more have been submitted."""
    waiting: deque[PendingBatch] = deque()
    for batch in pending:
        waiting.append(batch)
        if len(waiting) > PREFETCHED:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def unreadable(path: str, error: BadImage) -> UserError:
    """Return what to say of a packed image that cannot be decoded."""
    return UserError(f"{path}: {error}; run the audit again (`dvc repro -sf audit`)")


def _chunks(positions: NDArray[np.int64], size: int) -> Sequence[NDArray[np.int64]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]
