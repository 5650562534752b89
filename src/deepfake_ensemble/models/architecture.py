"""What the registry knows of an architecture, and how to find one by its name."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

from deepfake_ensemble import architectures
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models import saved

if TYPE_CHECKING:
    import keras

InputScaling = Literal["unit", "native"]
InitialWeights = Literal["random", "imagenet"]


@dataclass(frozen=True)
class Scaling:
    """How pixels of 0–255 become what a network sees: `pixel * scale + offset` for each channel.

    `channels` is the order in which the network wants them, and in which `scale` and `offset` are given;
    images are always RGB.
    """

    scale: tuple[float, float, float]
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: Literal["rgb", "bgr"] = "rgb"


@dataclass(frozen=True)
class ImageNetFile:
    """Keras' published weights without the classification head, and the MD5 that Keras publishes for them."""

    url: str
    md5: str


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One entry of the registry.

    Attributes:
        network: the dataclass of the section `models.NAME.network` of params.yaml.
        backbone: builds the network from (image size, network section, ImageNet file or None): a Keras
            model from scaled pixels (n, size, size, 3) to features (n, d).
        native: the scaling its ImageNet weights were trained with; None where there are none.
        imagenet: its ImageNet weights; None where there are none.
        layers: of its backbone, which is as many as can be frozen; None where none can.
    """

    network: type
    backbone: "Callable[[int, Any, Path | None], keras.Model]"
    native: Scaling | None = None
    imagenet: ImageNetFile | None = None
    layers: int | None = None


@section
class FineTuned:
    """The section `models.NAME.network` of a network that can start from published weights."""

    frozen_layers: Annotated[int, Ge(0)]


def pooled(application: "Callable[..., keras.Model]", image_size: int, weights: Path | None) -> "keras.Model":
    """Build a network of `keras.applications` up to its global average pooling.

    It is given an input tensor, not a shape, because Xception refuses shapes under 71 pixels although it
    works from 32 on.
    """
    import keras

    model = application(
        include_top=False,
        weights=None,
        pooling="avg",
        input_tensor=keras.Input((image_size, image_size, 3)),
        name="backbone",
    )
    if weights is not None:
        saved.load_weights(model, weights)
    return model


def names() -> list[str]:
    """Return the names of the registered architectures, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(architectures.__path__))


def find(name: str) -> Architecture:
    """Return the architecture called `name`.

    Raises:
        UserError: if there is none.
    """
    if name not in names():
        raise UserError(f"models.{name}: no such architecture; registered are {', '.join(names())}")
    return importlib.import_module(f"{architectures.__name__}.{name}").ARCHITECTURE
