"""The study's own convolutional network (table 3.2), trained from scratch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models.architecture import Architecture

if TYPE_CHECKING:
    import keras

FILTERS = (32, 64, 128, 256)
UNITS = (512, 128)


@section
class Network:
    """What table 3.2 lets vary.

    Attributes:
        convolution_dropout: share of features that is dropped behind each block of convolutions.
        dense_dropout: likewise behind each dense layer.
        l2: weight of the penalty on the dense layers' kernels.
    """

    convolution_dropout: Annotated[float, Ge(0), Lt(1)]
    dense_dropout: Annotated[float, Ge(0), Lt(1)]
    l2: Annotated[float, Ge(0)]


def backbone(image_size: int, network: Network, weights: Path | None) -> "keras.Model":
    """Build table 3.2 without its output unit: 34,795,424 parameters at 256 pixels.

    Four blocks of two 3×3 convolutions, pooling and dropout; then two dense layers in which ReLU comes
    before batch normalisation, as the table prints them.
    """
    import keras
    from keras import layers

    assert weights is None, "no published weights exist for this network"
    image = x = keras.Input((image_size, image_size, 3))
    for filters in FILTERS:
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(network.convolution_dropout)(x)
    x = layers.Flatten()(x)
    for units in UNITS:
        l2 = keras.regularizers.L2(network.l2)
        x = layers.Dense(units, activation="relu", kernel_regularizer=l2)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Dropout(network.dense_dropout)(x)
    return keras.Model(image, x, name="backbone")


ARCHITECTURE = Architecture(network=Network, backbone=backbone)
