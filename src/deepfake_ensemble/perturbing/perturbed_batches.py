"""Batches of perturbed pixels: what `batches.py` reads, each image after a perturbation."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.foundation.section import Interpolation
from deepfake_ensemble.perturbing.perturbations import Change
from deepfake_ensemble.reading.batches import BatchReader
from deepfake_ensemble.reading.jpeg import ChannelOrder
from deepfake_ensemble.reading.records import PackedImages


def chosen(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the positions of `count` images, in order: half of each class, spread evenly over the split.

    All of a class are returned where there are not as many.
    """
    halves = []
    for label in (0, 1):
        of_class = np.flatnonzero(labels == label)
        wanted = min(count // 2, len(of_class))
        halves.append(of_class[np.linspace(0, len(of_class) - 1, wanted).astype(np.int64)])
    return np.sort(np.concatenate(halves))


class PerturbedReader(BatchReader):
    """Reads batches of one split, every image changed at the size of the network."""

    def __init__(
        self, images: PackedImages, size: int, interpolation: Interpolation, threads: int, change: Change
    ) -> None:
        super().__init__(images, size, interpolation, threads)
        self._change = change

    def _decode(self, image: NDArray[np.uint8], position: int, channels: ChannelOrder) -> None:
        super()._decode(image, position, "RGB")
        changed = np.asarray(self._change(Image.fromarray(image), position))
        image[...] = changed if channels == "RGB" else changed[..., ::-1]
