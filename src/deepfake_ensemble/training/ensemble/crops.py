"""Random crops of training images, as pure functions of (seed, epoch)."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.reading.batches import Batch
from deepfake_ensemble.reading.order import Purpose, generator


def corners(count: int, seed: int, epoch: int, margin: int) -> NDArray[np.int64]:
    """Return the upper left corners of the crops of an epoch, each place as likely as any other.

    Args:
        count: of the images.
        seed: of the training.
        epoch: counted from 0.
        margin: by how many pixels an image's side is longer than a crop's.

    Returns:
        Row and column, in the order in which the epoch visits the images: (count, 2).
    """
    return generator(seed, epoch, Purpose.CROP).integers(0, margin + 1, (count, 2))


def cropped(batches: Iterable[Batch], corners: NDArray[np.int64], side: int) -> Iterator[Batch]:
    """Yield batches of crops: images (batch, side, side, 3), labels as they are.

    Args:
        batches: of whole images, no smaller than the crops.
        corners: of the images' crops, in the order of the images: (n, 2).
        side: of the crops, in pixels.
    """
    start = 0
    for images, labels in batches:
        places = corners[start : start + len(images)].tolist()
        crops = [
            image[row : row + side, column : column + side]
            for image, (row, column) in zip(images, places, strict=True)
        ]
        yield np.stack(crops), labels
        start += len(images)
