"""A small residual network for images of 32 pixels, made to train fast on a processor (ours).

A convolution at full resolution, whose few channels see every pixel and the fine traces that generators
leave, and whose filters can start as one frequency each, where such traces show (Frank et al. 2020,
"Leveraging Frequency Analysis for Deep Fake Image Recognition"). Then three stages at 16, 8 and 4 pixels,
each of which widens by a convolution with stride and adds residual blocks of two 3×3 convolutions (He et al.
2016): most of the work is done on maps that are small and deep, which processors multiply best.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Le, Len

from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models.architecture import Architecture

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

Width = Annotated[int, Ge(8)]

# A 3×3 patch of three colours has so many frequencies, the mean among them.
FREQUENCIES = 27


@section
class Network:
    """What of it may vary.

    Attributes:
        stem_width: channels at full resolution.
        stem_filters: how their filters start.
        widths: channels of the three stages.
        blocks: residual ones in each stage.
    """

    stem_width: Annotated[int, Ge(8), Le(2 * FREQUENCIES)]
    stem_filters: Literal["frequencies", "random"]
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
    built = keras.Model(image, layers.GlobalAveragePooling2D(name="avg_pool")(x), name="backbone")
    if network.stem_filters == "frequencies":
        built.get_layer("conv1_kernels").set_weights([frequency_filters(network.stem_width)])
    return built


def frequency_filters(width: int) -> "NDArray[np.float32]":
    """Return the kernel (3, 3, 3, width) of a first convolution whose outputs are frequencies of its patch.

    The basis of the discrete cosine transform over height, width and colour, from low frequencies to high,
    then its negative, of which ReLU shows the other half. Neighbouring pixels are much alike, so high
    frequencies are faint. But different frequencies are nearly uncorrelated (Ahmed et al. 1974), so that the
    normalisation behind them makes them white: the faint are as easy to learn from as the rest.
    """
    import numpy as np
    from scipy.fft import idctn

    units = np.eye(FREQUENCIES).reshape(FREQUENCIES, 3, 3, 3)
    basis = idctn(units, axes=(1, 2, 3), norm="ortho")
    from_low = np.argsort(np.indices((3, 3, 3)).sum(axis=0).ravel(), kind="stable")
    filters = np.concatenate([basis[from_low], -basis[from_low]])[:width]
    return np.moveaxis(filters, 0, -1).astype(np.float32)


def _convolved(x: Any, width: int, strides: int, name: str) -> Any:
    from keras import layers

    # Named so that the 3×3 kernel at full resolution is not taken for a stem that shrinks the image.
    kernels = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False, name=f"{name}_kernels")
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(kernels(x))


ARCHITECTURE = Architecture(network=Network, backbone=backbone)
