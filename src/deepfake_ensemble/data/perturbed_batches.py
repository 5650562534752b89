"""Batches of perturbed pixels: what `batches.py` reads, each image after a perturbation."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.data.batches import BatchReader
from deepfake_ensemble.data.images import Interpolation
from deepfake_ensemble.data.perturbations import Change
from deepfake_ensemble.data.records import PackedImages


class PerturbedReader(BatchReader):
    """Reads batches of one split, every image changed at the size of the network."""

    def __init__(
        self, images: PackedImages, size: int, interpolation: Interpolation, threads: int, change: Change
    ) -> None:
        super().__init__(images, size, interpolation, threads)
        self._change = change

    def _pixels(self, position: int) -> NDArray[np.uint8]:
        return np.asarray(self._change(Image.fromarray(super()._pixels(position)), position))
