"""ResNet152 (He et al. 2016) as Keras has it."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import CAFFE, Architecture, FineTuned, WeightsFile, keras_backbone

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build ResNet152 up to its global average pooling: 2,048 features."""
    import keras

    return keras_backbone(keras.applications.ResNet152, image_size, weights)


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=516,
    backbone=backbone,
    native=CAFFE,
    imagenet=WeightsFile(
        url="https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
        "resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5",
        checksum="md5:ee4c566cf9a93f14d82f913c2dc6dd0c",
    ),
)
