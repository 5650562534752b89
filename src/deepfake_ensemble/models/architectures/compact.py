"""A small residual network for images of 32 pixels, made to train fast on a processor (ours).

A convolution at full resolution, whose few channels see every pixel and the fine traces that generators
leave; then three stages at 16, 8 and 4 pixels, each of which widens by a convolution with stride and adds
residual blocks of two 3×3 convolutions (He et al. 2016). Most of the work is done on maps that are small and
deep, which processors multiply best.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Len

from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models.architecture import Architecture

if TYPE_CHECKING:
    import keras

Width = Annotated[int, Ge(8)]


@section
class Network:
    """Channels at full resolution and of the three stages, and residual blocks in each stage."""

    stem_width: Width
    widths: Annotated[list[Width], Len(3, 3)]
    blocks: Annotated[int, Ge(1)]


def backbone(image_size: int, network: Network, weights: Path | None) -> "keras.Model":
    """Build the network up to its global average pooling."""
    import keras
    from keras import layers

    assert weights is None, "no published weights exist for this network"
    image = keras.Input((image_size, image_size, 3))
    x = layers.ReLU(name="conv1_relu")(_convolved(image, network.stem_width, 1, "conv1"))
    for stage, width in enumerate(network.widths, start=2):
        x = layers.ReLU(name=f"conv{stage}_relu")(_convolved(x, width, 2, f"conv{stage}"))
        for block in range(1, network.blocks + 1):
            name = f"conv{stage}_block{block}"
            shortcut = x
            x = layers.ReLU(name=f"{name}_1_relu")(_convolved(x, width, 1, f"{name}_1"))
            x = layers.Add(name=f"{name}_add")([shortcut, _convolved(x, width, 1, f"{name}_2")])
            x = layers.ReLU(name=f"{name}_out")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="avg_pool")(x), name="backbone")


def _convolved(x: Any, width: int, strides: int, name: str) -> Any:
    from keras import layers

    # Named so that the 3×3 kernel at full resolution is not taken for a stem that shrinks the image.
    kernels = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False, name=f"{name}_kernels")
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(kernels(x))


ARCHITECTURE = Architecture(network=Network, backbone=backbone)
