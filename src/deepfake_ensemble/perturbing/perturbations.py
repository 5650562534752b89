"""What images go through on their way to a detector: compressed, scaled, blurred, noisy, cropped.

Each is done to an RGB image at the network's size and gives one of that size. Pillow works in fixed-point
integers, and noise is drawn from the seed and the image's position, so the pixels are the same on every
processor and in every order of reading.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le, Lt, MinLen
from PIL import Image, ImageFilter

from deepfake_ensemble.foundation.section import Interpolation, Seed, section
from deepfake_ensemble.reading.images import resize

Quality = Annotated[int, Ge(1), Le(100)]
# Of an image, and of its position in the split.
Change = Callable[[Image.Image, int], Image.Image]


@section
class Severities:
    """The section `robustness.severities`: of each kind, from mild to strong.

    Attributes:
        jpeg: quality.
        downscale: share of the side to which an image is shrunk, before it is brought back.
        blur: standard deviation, as a share of the side.
        noise: standard deviation, in grey levels.
        crop: share of the side that is kept, from the middle, and scaled up.
    """

    jpeg: Annotated[list[Quality], MinLen(1)]
    downscale: Annotated[list[Annotated[float, Gt(0), Lt(1)]], MinLen(1)]
    blur: Annotated[list[Annotated[float, Gt(0), Le(0.5)]], MinLen(1)]
    noise: Annotated[list[Annotated[float, Gt(0), Le(255)]], MinLen(1)]
    crop: Annotated[list[Annotated[float, Gt(0), Lt(1)]], MinLen(1)]


@section
class Likeness:
    """An entry of `robustness.like`: size in pixels and JPEG quality of another data set's images."""

    size: Annotated[int, Ge(1), Le(1024)]
    quality: Quality


@section
class Robustness:
    """The section `robustness`; `seed` draws the noise."""

    severities: Severities
    like: dict[str, Likeness]
    seed: Seed


@dataclass(frozen=True)
class Condition:
    """One kind of perturbation at one severity; `name` is that of its table of predictions."""

    name: str
    kind: str
    severity: float


def conditions(settings: Robustness) -> list[Condition]:
    """Return all conditions: kind by kind from mild to strong, then those that liken images to a data set's.

    These are diagnostic and come in two steps, 1 with its resolution and 2 with its compression as well: so
    what is lost on that data set separates into resolution, compression, and the rest.
    """
    graded = [
        Condition(f"{kind}_{severity:g}", kind, severity)
        for kind, severities in vars(settings.severities).items()
        for severity in severities
    ]
    diagnostic = [
        Condition(f"{likened(data_set)}_{step}", likened(data_set), step)
        for data_set in settings.like
        for step in (1, 2)
    ]
    return graded + diagnostic


def change(condition: Condition, settings: Robustness, interpolation: Interpolation) -> Change:
    """Return what a condition does to an image; `interpolation` is how small images are brought to the
    network's size, which goes for what is likened to another data set's as it does for those."""
    graded: dict[str, Callable[..., Image.Image]] = {
        "jpeg": _compressed,
        "downscale": _shrunk,
        "blur": _blurred,
        "noise": partial(_noisy, settings.seed),
        "crop": _cropped,
    }
    if condition.kind in graded:
        return partial(graded[condition.kind], condition.severity)
    data_set = condition.kind.removeprefix(likened(""))
    return partial(_alike, settings.like[data_set], condition.severity == 2, interpolation)


def likened(data_set: str) -> str:
    """Return the kind of perturbation that likens images to a data set's."""
    return f"like_{data_set}"


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


def _alike(
    likeness: Likeness, compress: bool, interpolation: Interpolation, image: Image.Image, position: int
) -> Image.Image:
    small = resize(image, likeness.size)
    return resize(_compressed(likeness.quality, small) if compress else small, image.width, interpolation)
