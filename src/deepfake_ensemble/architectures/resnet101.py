"""ResNet101 (He et al. 2016) as Keras has it."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import CAFFE, Architecture, FineTuned, WeightsFile, keras_backbone

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build ResNet101 up to its global average pooling: 2,048 features."""
    import keras

    return keras_backbone(keras.applications.ResNet101, image_size, weights)


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=346,
    backbone=backbone,
    native=CAFFE,
    imagenet=WeightsFile(
        url="https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
        "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
        checksum="md5:88cf7a10940856eca736dc7b7e228a21",
    ),
)
