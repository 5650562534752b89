"""ResNet50 (He et al. 2016) as Keras has it; fine-tuning leaves its first layers frozen (section 3.3.2 A)."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import Architecture, FineTuned, ImageNetFile, Scaling, pooled

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build ResNet50 up to its global average pooling: 176 layers, 2,048 features."""
    import keras

    return pooled(keras.applications.ResNet50, image_size, weights)


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=176,
    backbone=backbone,
    # Caffe's convention: blue, green, red, each less its ImageNet mean.
    native=Scaling(scale=(1.0, 1.0, 1.0), offset=(-103.939, -116.779, -123.68), channels="bgr"),
    imagenet=ImageNetFile(
        url="https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        md5="4d473c1dd8becc155b73f8504c6f6626",
    ),
)
