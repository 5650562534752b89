"""Xception (Chollet 2017) as Keras has it (section 3.3.2 B)."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import (
    Architecture,
    FineTuned,
    Scaling,
    WeightsFile,
    keras_backbone,
)

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build Xception up to its global average pooling: 2,048 features."""
    import keras

    return keras_backbone(keras.applications.Xception, image_size, weights)


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=133,
    backbone=backbone,
    # Pixels from −1 to 1.
    native=Scaling(scale=(1 / 127.5,) * 3, offset=(-1.0, -1.0, -1.0)),
    imagenet=WeightsFile(
        url="https://storage.googleapis.com/tensorflow/keras-applications/xception/"
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        checksum="md5:b0042744bf5b25fce3cb969f33bebb97",
    ),
)
