"""A small residual network for images of 32 pixels, made to train fast on a processor (ours).

The image is folded 2 × 2 into channels, so that the first convolution sees every pixel, and the fine traces
that generators leave, at a quarter of the cost; nothing is pooled before. Then three stages at 16, 8 and 4
pixels, each of which widens by a convolution with stride and adds residual blocks of two 3 × 3 convolutions
before activation (He et al. 2016, "Identity mappings"). The last maps are averaged and, beside that, their
maximum is taken.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Len

from deepfake_ensemble.models.architecture import Architecture
from deepfake_ensemble.section import section

if TYPE_CHECKING:
    import keras


@section
class Network:
    """Channels of its stages, and residual blocks in each."""

    widths: Annotated[list[Annotated[int, Ge(8)]], Len(3, 3)]
    blocks: Annotated[int, Ge(1)]


def backbone(image_size: int, network: Network, weights: Path | None) -> "keras.Model":
    """Build the network without its output unit."""
    import keras
    from keras import layers

    assert weights is None, "no published weights exist for this network"
    image = keras.Input((image_size, image_size, 3))
    x: Any = image
    for stage, width in enumerate(network.widths, start=1):
        # Two by two windows without overlap: the first of them is the folding.
        side = 4 if stage == 1 else 3
        x = layers.Conv2D(width, side, strides=2, padding="same", use_bias=False, name=f"conv{stage}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"conv{stage}_bn")(x)
        x = layers.ReLU(name=f"conv{stage}_relu")(x)
        for block in range(1, network.blocks + 1):
            x = _block(x, width, f"conv{stage}_block{block}")
    pooled = [
        layers.GlobalAveragePooling2D(name="avg_pool")(x),
        layers.GlobalMaxPooling2D(name="max_pool")(x),
    ]
    return keras.Model(image, layers.Concatenate(name="pools")(pooled), name="backbone")


def _block(x: Any, width: int, name: str) -> Any:
    from keras import layers

    shortcut = x
    for number in (1, 2):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_{number}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_{number}_bn")(x)
        if number == 1:
            x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


ARCHITECTURE = Architecture(network=Network, backbone=backbone)
