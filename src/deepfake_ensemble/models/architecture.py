"""What the registry knows of an architecture, and how to find one by its name."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

from deepfake_ensemble import architectures
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models import resnet, saved

if TYPE_CHECKING:
    import keras

InputScaling = Literal["unit", "native", "literal"]
InitialWeights = Literal["random", "imagenet"]


@dataclass(frozen=True)
class Scaling:
    """How RGB pixels of 0–255 become what a network sees: `pixel * scale + offset` for each channel.

    Attributes:
        scale: by channel.
        offset: by channel.
        channels: the order in which the network wants them, and in which `scale` and `offset` are given.
    """

    scale: tuple[float, float, float]
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: Literal["rgb", "bgr"] = "rgb"


UNIT = Scaling(scale=(1 / 255,) * 3)

# How most published networks were shown ImageNet's images; who fine-tunes their weights does the same.

# Caffe's, and so that of Keras' conversions of it: blue, green, red, each less its mean.
CAFFE = Scaling(scale=(1.0, 1.0, 1.0), offset=(-103.939, -116.779, -123.68), channels="bgr")

# PyTorch's: pixels of 0 to 1, less their means, divided by their standard deviations.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TORCH = Scaling(
    scale=tuple(1 / (255 * deviation) for deviation in _DEVIATION),  # type: ignore[arg-type]
    offset=tuple(-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)),  # type: ignore[arg-type]
)


@dataclass(frozen=True)
class WeightsFile:
    """Published weights without the classification head.

    Attributes:
        url: where the file is published.
        checksum: what its publisher says it has: `md5:` or `sha256:` and the digest in hexadecimal.
    """

    url: str
    checksum: str

    @property
    def name(self) -> str:
        """The published file's name."""
        return self.url.rpartition("/")[2]


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
        scales_itself: whether Keras' own model begins with its native scaling, so that who divides images by
            255 before it has them scaled twice; our backbones begin after it.
    """

    network: type
    backbone: "Callable[[int, Any, Path | None], keras.Model]"
    native: Scaling | None = None
    imagenet: WeightsFile | None = None
    layers: int | None = None
    scales_itself: bool = False

    def scaling(self, wanted: InputScaling) -> Scaling | None:
        """Return how pixels of 0–255 are scaled; None where this network has no such scaling.

        Args:
            wanted: unit divides by 255; native is what the published weights were trained with; literal
                divides by 255 and then does what Keras' own model does to pixels of 0–255.
        """
        if wanted == "unit":
            return UNIT
        if wanted == "native" or self.native is None:
            return self.native
        if not self.scales_itself:
            return None
        red, green, blue = self.native.scale
        return replace(self.native, scale=(red / 255, green / 255, blue / 255))

    def why_not(self, name: str, wanted: InputScaling) -> str:
        """Say why the network called `name` has no such scaling, and which it has."""
        if self.native is None:
            return (
                f'"{wanted}" is not allowed: {name} has no published weights whose scaling could be used; it'
                " should be 'unit'"
            )
        return (
            f"\"{wanted}\" is not allowed: Keras' {name} does not scale its input itself; it should be 'unit'"
            " or 'native'"
        )


@section
class FineTuned:
    """The section `models.NAME.network` of a network that can start from published weights.

    Attributes:
        frozen_layers: how many of the backbone's first layers keep them.
    """

    frozen_layers: Annotated[int, Ge(0)]


def keras_backbone(
    application: "Callable[..., keras.Model]", image_size: int, weights: Path | None
) -> "keras.Model":
    """Build a network of `keras.applications` up to its global average pooling.

    It is given an input tensor, not a shape, because Xception refuses shapes under 71 pixels although it
    works from 32 on.

    Args:
        application: which network.
        image_size: in pixels.
        weights: the file of its published weights; None for random ones (seed Keras first).

    Returns:
        The model from scaled pixels (n, image_size, image_size, 3) to features (n, d).

    Raises:
        UserError: if the file is not one of its weights.
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


def timm_resnet(
    blocks: tuple[int, int, int, int], *, bottleneck: bool, layers: int, imagenet: WeightsFile
) -> Architecture:
    """Return the entry of a ResNet as PyTorch has it, whose published weights are timm's.

    Args:
        blocks: how many each stage has.
        bottleneck: which of the two kinds: see `models/resnet.py`.
        layers: of its backbone.
        imagenet: its published weights.
    """

    def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
        return resnet.backbone(image_size, weights, blocks, bottleneck=bottleneck)

    return Architecture(network=FineTuned, layers=layers, backbone=backbone, native=TORCH, imagenet=imagenet)


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
