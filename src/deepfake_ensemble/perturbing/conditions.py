"""Which perturbations test images go through, by what params.yaml says: names and numbers, no images."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MinLen

from deepfake_ensemble.foundation.section import Seed, section

Quality = Annotated[int, Ge(1), Le(100)]

IMITATED = "like_"
"""What kinds of perturbation that imitate a data set's images begin with: `like_cifake`."""


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
class ImageFormat:
    """An entry of `robustness.like`.

    Attributes:
        size: of the sides of another data set's images, in pixels.
        quality: of their JPEG compression.
    """

    size: Annotated[int, Ge(1), Le(1024)]
    quality: Quality


@section
class Robustness:
    """The section `robustness`.

    Attributes:
        severities: of each kind of perturbation.
        like: the data sets whose images are imitated.
        seed: of the noise.
    """

    severities: Severities
    like: dict[str, ImageFormat]
    seed: Seed


@dataclass(frozen=True)
class Condition:
    """One kind of perturbation at one severity; `name` is that of its table of predictions."""

    name: str
    kind: str
    severity: float


def conditions(settings: Robustness) -> list[Condition]:
    """Return all conditions: kind by kind from mild to strong, then those that imitate another data set.

    These are diagnostic and come in two steps, 1 with its resolution and 2 with its compression as well: so
    what is lost on that data set separates into resolution, compression, and the rest.
    """
    graded = [
        Condition(f"{kind}_{severity:g}", kind, severity)
        for kind, severities in vars(settings.severities).items()
        for severity in severities
    ]
    diagnostic = [
        Condition(f"{IMITATED}{data_set}_{step}", f"{IMITATED}{data_set}", step)
        for data_set in settings.like
        for step in (1, 2)
    ]
    return graded + diagnostic
