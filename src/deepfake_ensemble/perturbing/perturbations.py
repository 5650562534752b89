"""What images go through on their way to a detector: compressed, scaled, blurred, noisy, cropped.

Each is done to an RGB image at the network's size and gives one of that size. Pillow works in fixed-point
integers, and noise is drawn from the seed and the image's position, so the pixels are the same on every
processor and in every order of reading.
"""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from deepfake_ensemble.foundation.section import Interpolation
from deepfake_ensemble.perturbing.conditions import IMITATED, Condition, ImageFormat, Robustness
from deepfake_ensemble.reading.batches import BatchReader
from deepfake_ensemble.reading.images import resize
from deepfake_ensemble.reading.jpeg import ChannelOrder
from deepfake_ensemble.reading.records import PackedImages

Perturbation = Callable[[Image.Image, int], Image.Image]
"""From an RGB image and its position in the split to an image of the same size."""


def balanced_subset(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the positions of images, in order: half of each class, spread evenly over the split.

    Args:
        labels: of the split: (n,).
        count: of the images; where a class has less than half of them, all of it is taken.
    """
    halves = []
    for label in (0, 1):
        of_class = np.flatnonzero(labels == label)
        wanted = min(count // 2, len(of_class))
        halves.append(of_class[np.linspace(0, len(of_class) - 1, wanted).astype(np.int64)])
    return np.sort(np.concatenate(halves))


class PerturbedReader(BatchReader):
    """Batches of one split, every image perturbed at the size of the network."""

    def __init__(
        self,
        images: PackedImages,
        size: int,
        interpolation: Interpolation,
        threads: int,
        perturb: Perturbation,
    ) -> None:
        super().__init__(images, size, interpolation, threads)
        self._perturb = perturb

    def _decode(self, image: NDArray[np.uint8], position: int, channels: ChannelOrder) -> None:
        super()._decode(image, position, "RGB")
        perturbed = np.asarray(self._perturb(Image.fromarray(image), position))
        image[...] = perturbed if channels == "RGB" else perturbed[..., ::-1]


def perturbation(condition: Condition, settings: Robustness, interpolation: Interpolation) -> Perturbation:
    """Return what a condition does to an image.

    Args:
        condition: one of `conditions(settings)`.
        settings: the section `robustness`.
        interpolation: how small images are brought to the network's size; also those of an imitated data set.
    """
    graded: dict[str, Callable[..., Image.Image]] = {
        "jpeg": _compressed,
        "downscale": _shrunk,
        "blur": _blurred,
        "noise": partial(_noisy, settings.seed),
        "crop": _cropped,
    }
    if condition.kind in graded:
        return partial(graded[condition.kind], condition.severity)
    data_set = condition.kind.removeprefix(IMITATED)
    return partial(_imitated, settings.like[data_set], condition.severity == 2, interpolation)


def _compressed(quality: int, image: Image.Image, position: int = 0) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(buffer) as compressed:
        return compressed.convert("RGB")


def _shrunk(share: float, image: Image.Image, position: int) -> Image.Image:
    return resize(resize(image, max(1, round(image.width * share))), image.width)


def _blurred(share: float, image: Image.Image, position: int) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(image.width * share))


def _noisy(seed: int, deviation: float, image: Image.Image, position: int) -> Image.Image:
    rng = np.random.default_rng([seed, position])
    noise = rng.standard_normal((image.height, image.width, 3)) * deviation
    return Image.fromarray(np.clip(np.rint(np.asarray(image) + noise), 0, 255).astype(np.uint8))


def _cropped(share: float, image: Image.Image, position: int) -> Image.Image:
    kept = max(1, round(image.width * share))
    edge = (image.width - kept) // 2
    return resize(image.crop((edge, edge, edge + kept, edge + kept)), image.width)


def _imitated(
    target: ImageFormat, compress: bool, interpolation: Interpolation, image: Image.Image, position: int
) -> Image.Image:
    small = resize(image, target.size)
    return resize(_compressed(target.quality, small) if compress else small, image.width, interpolation)
