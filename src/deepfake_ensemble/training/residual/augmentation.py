"""Random resized crops, flips and CutMix, as pure functions of (seed, epoch, image).

What fills a cut is of the image before it in its batch.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.foundation.progress import count_progress
from deepfake_ensemble.foundation.section import Interpolation
from deepfake_ensemble.reading import order
from deepfake_ensemble.reading.batches import Batch, PendingBatch, prefetch, unreadable
from deepfake_ensemble.reading.buffers import BufferPool
from deepfake_ensemble.reading.images import BadImage, decode, resize
from deepfake_ensemble.reading.order import Purpose, generator
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.residual.settings import TRANSFORMS, Recipe, Symmetry, Transform

RATIO = (3 / 4, 4 / 3)  # of a crop's sides
ATTEMPTS = 10
BLOCK = 8  # pixels: the sides of JPEG's blocks of brightness, along which images are cut
_AT_ONCE = 16  # images: to hand a small one alone to a thread takes longer than its work

Sides = tuple[int, int]  # width and height
Box = tuple[int, int, int, int]  # left, upper, right, lower


def crop_draws(count: int, seed: int, epoch: int) -> NDArray[np.float64]:
    """Return what decides the crops of an epoch.

    Args:
        count: of the images, by their position in the split.
        seed: of the training.
        epoch: from 0.

    Returns:
        For `crop`: (count, ATTEMPTS, 4) numbers from 0 to below 1.
    """
    return generator(seed, epoch, Purpose.CROP).random((count, ATTEMPTS, 4))


def random_transforms(count: int, seed: int, epoch: int, symmetry: Symmetry) -> list[Transform]:
    """Return the flip or transposition of each of `count` images in an epoch.

    Args:
        count: of the images, by their position in the split.
        seed: of the training.
        epoch: from 0.
        symmetry: the transforms to draw from; mirror is drawn as in the first study.
    """
    group = TRANSFORMS[symmetry]
    if symmetry == "mirror":
        drawn = order.flips(count, seed, epoch).astype(np.int64)
    else:
        drawn = generator(seed, epoch, Purpose.TRANSFORM).integers(0, len(group), count)
    return [group[number] for number in drawn.tolist()]


def transformed(image: NDArray[Any], transform: Transform) -> NDArray[Any]:
    """Return a view of an image (height, width, channels), transposed, upside down or mirrored as told."""
    transpose, upside_down, mirror = transform
    if transpose:
        image = image.swapaxes(0, 1)
    return image[:: -1 if upside_down else 1, :: -1 if mirror else 1]


def crop(sides: Sides, scale: Sequence[float], drawn: NDArray[np.float64]) -> Box:
    """Return the part of an image that is cut out (as torchvision's RandomResizedCrop draws it).

    An area between the shares `scale` of the image's, evenly, and a ratio of sides in RATIO, evenly on a
    logarithmic scale, are drawn until a crop of them fits, then its place. If none of the attempts fits, it
    is the largest part in the middle whose ratio is allowed.

    Args:
        sides: the image's width and height.
        scale: the least and the greatest share of its area.
        drawn: (ATTEMPTS, 4) numbers from 0 to below 1: for each attempt area, ratio and place.
    """
    width, height = sides
    low, high = (math.log(ratio) for ratio in RATIO)
    for area, ratio, x, y in drawn.tolist():
        target = width * height * (scale[0] + (scale[1] - scale[0]) * area)
        shape = math.exp(low + (high - low) * ratio)
        across, down = round(math.sqrt(target * shape)), round(math.sqrt(target / shape))
        if 0 < across <= width and 0 < down <= height:
            left, upper = int(x * (width - across + 1)), int(y * (height - down + 1))
            return left, upper, left + across, upper + down
    across, down = width, height
    if width / height < RATIO[0]:
        down = round(width / RATIO[0])
    elif width / height > RATIO[1]:
        across = round(height * RATIO[1])
    left, upper = (width - across) // 2, (height - down) // 2
    return left, upper, left + across, upper + down


def cut_mix_boxes(count: int, seed: int, epoch: int, share: float, size: int) -> NDArray[np.int64]:
    """Return the box of each of `count` images whose place another image's takes in an epoch.

    After CutMix (Yun et al. 2019), which draws the area, cuts at any pixel, and mixes all images of a batch
    or none. Here the height and the width are drawn, in blocks, evenly and apart from each other; where both
    would be the whole image's, the height is one block less. Then the place is drawn, evenly.

    Args:
        count: of the images, by their position in the split.
        seed: of the training.
        epoch: from 0.
        share: how many of the images get such a part.
        size: of the images' sides, in pixels, two blocks at least; what is beyond the last whole one stays.

    Returns:
        Boxes (count, 4), as `Box`; all zeros where the image stays as it is.
    """
    random = generator(seed, epoch, Purpose.CUT_MIX)
    blocks = size // BLOCK
    is_cut = random.random(count) < share
    sides = random.integers(1, blocks + 1, (count, 2))
    sides[(sides == blocks).all(axis=1), 1] -= 1
    corners = (random.random((count, 2)) * (blocks - sides + 1)).astype(np.int64)
    return np.where(is_cut[:, None], BLOCK * np.hstack([corners, corners + sides]), 0)


def cut_mixed(
    images: NDArray[np.uint8], labels: NDArray[np.float32], boxes: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Fill the box of each image with what the image before it in the batch has there.

    The one before the first is the last; an image alone stays as it is.

    Args:
        images: (batch, size, size, 3); changed in place.
        labels: (batch, 1).
        boxes: (batch, 4), of `cut_mix_boxes`.

    Returns:
        The images, and as labels the means of both images' (batch, 1), weighted by their areas.
    """
    whole = images.copy()
    left, upper, right, lower = boxes.T
    area = ((right - left) * (lower - upper)).astype(np.float32)
    for row in np.flatnonzero(area).tolist():
        part = slice(upper[row], lower[row]), slice(left[row], right[row])
        images[row][part] = whole[row - 1][part]
    others = (area / np.float32(images.shape[1] * images.shape[2]))[:, None]
    return images, labels * (1 - others) + np.roll(labels, 1, axis=0) * others


class AugmentedReader:
    """Reads training batches: pixels (batch, size, size, 3) and labels (batch, 1), float32.

    Every image is decoded once and kept as it is, before crop and resizing: CIFAKE's 95,000 images of 32
    pixels take 300 MB.
    """

    def __init__(
        self,
        images: PackedImages,
        size: int,
        interpolation: Interpolation,
        recipe: Recipe,
        threads: int,
    ) -> None:
        """Decode all images.

        Args:
            images: the training split.
            size: in pixels, of what is yielded.
            interpolation: of resizing.
            recipe: how images are cropped, transformed and mixed.
            threads: that decode.

        Raises:
            UserError: if one cannot be read.
        """
        self.size = size
        self._interpolation: Interpolation = interpolation
        self._labels = images.labels
        self._scale, self._symmetry, self._cut_mix = recipe.crop_scale, recipe.symmetry, recipe.cut_mix
        # Pillow decodes and resizes without Python's lock, so threads share the cores.
        self._pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="decode")
        self._buffers = BufferPool()
        self._decoded: list[NDArray[np.uint8]] = []
        with count_progress("decode", len(images)) as advance:
            for some in self._pool.map(partial(_decoded, images), _parts(len(images))):
                self._decoded += some
                advance(len(some))

    def __len__(self) -> int:
        return len(self._decoded)

    def batches(self, batch_size: int, seed: int, first_epoch: int, first_batch: int) -> Iterator[Batch]:
        """Yield the batches of one epoch after the other, without end.

        Args:
            batch_size: images; the last batch of an epoch may have fewer.
            seed: of order, crops, flips and CutMix.
            first_epoch: in which to begin, counted from 0.
            first_batch: of that epoch, counted from 0.
        """
        return prefetch(self._begun(batch_size, seed, first_epoch, first_batch))

    def _begun(self, batch_size: int, seed: int, epoch: int, batch: int) -> Iterator[PendingBatch]:
        while True:
            visited = order.permutation(len(self), seed, epoch)
            change = self._changes(seed, epoch)
            boxes = cut_mix_boxes(len(self), seed, epoch, self._cut_mix, self.size) if self._cut_mix else None
            for start in range(batch * batch_size, len(self), batch_size):
                positions = visited[start : start + batch_size]
                yield self._begin(positions, change, None if boxes is None else boxes[positions])
            epoch, batch = epoch + 1, 0

    def _changes(self, seed: int, epoch: int) -> Callable[[int], NDArray[np.uint8]]:
        """Return what an epoch makes of an image, by its position in the split."""
        transforms = random_transforms(len(self), seed, epoch, self._symmetry)
        drawn = None if self._scale is None else crop_draws(len(self), seed, epoch)

        def change(position: int) -> NDArray[np.uint8]:
            pixels = self._decoded[position]
            if drawn is not None or pixels.shape[:2] != (self.size, self.size):
                image = Image.fromarray(pixels)
                if self._scale is not None and drawn is not None:
                    image = image.crop(crop(image.size, self._scale, drawn[position]))
                pixels = np.asarray(resize(image, self.size, self._interpolation))
            return transformed(pixels, transforms[position])

        return change

    def _begin(
        self,
        positions: NDArray[np.int64],
        change: Callable[[int], NDArray[np.uint8]],
        boxes: NDArray[np.int64] | None,
    ) -> PendingBatch:
        """Set the threads to work on a batch."""
        batch = self._buffers.array((len(positions), self.size, self.size, 3))

        def fill(rows: NDArray[np.int64]) -> None:
            for row in rows.tolist():
                batch[row] = change(int(positions[row]))

        filled = self._pool.map(fill, _parts(len(positions)))

        def finished() -> Batch:
            list(filled)
            labels = self._labels[positions, None].astype(np.float32)
            return (batch, labels) if boxes is None else cut_mixed(batch, labels, boxes)

        return finished


def _parts(count: int) -> list[NDArray[np.int64]]:
    """Cut the numbers from 0 to below `count` into parts of at most _AT_ONCE."""
    return np.array_split(np.arange(count), -(-count // _AT_ONCE))


def _decoded(images: PackedImages, positions: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    return [_decode(images, position) for position in positions.tolist()]


def _decode(images: PackedImages, position: int) -> NDArray[np.uint8]:
    try:
        return np.asarray(decode(images[position]))
    except BadImage as error:
        raise unreadable(images.paths[position], error) from None
