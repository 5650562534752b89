"""The convolutional network of CIFAKE's authors, trained from scratch.

Bird & Lotfi 2024, "CIFAKE: Image Classification and Explainable Identification of AI-Generated Synthetic
Images", IEEE Access 12 (preprint 2023): of the networks they tried, two convolutions of 32 filters, each
followed by pooling, and one dense layer of 64 were the best. Kernels of 3×3, padding that keeps the size and
pooling by 2×2 are ours.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models.architecture import Architecture

if TYPE_CHECKING:
    import keras

FILTERS = (32, 32)
UNITS = 64


@section
class Network:
    """Nothing of it may vary."""


def backbone(image_size: int, network: Network, weights: Path | None) -> "keras.Model":
    """Build the network without its output unit: 64 features, 141,280 parameters at 32 pixels."""
    import keras
    from keras import layers

    assert weights is None, "no published weights exist for this network"
    image = x = keras.Input((image_size, image_size, 3))
    for filters in FILTERS:
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(UNITS, activation="relu")(x)
    return keras.Model(image, x, name="backbone")


ARCHITECTURE = Architecture(network=Network, backbone=backbone)
