"""ResNet50 (He et al. 2016) as Keras has it; fine-tuning leaves its first layers frozen (section 3.3.2 A)."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import CAFFE, Architecture, FineTuned, WeightsFile, keras_backbone

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build ResNet50 up to its global average pooling: 176 layers, 2,048 features."""
    import keras

    return keras_backbone(keras.applications.ResNet50, image_size, weights)


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=176,
    backbone=backbone,
    native=CAFFE,
    imagenet=WeightsFile(
        url="https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        checksum="md5:4d473c1dd8becc155b73f8504c6f6626",
    ),
)
