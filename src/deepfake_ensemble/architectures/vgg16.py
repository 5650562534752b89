"""VGG16 (Simonyan & Zisserman 2015) as Keras has it, its three dense layers left out.

They hold 124 of its 138 million parameters and are made for 1,000 classes; global average pooling takes their
place, as in the other networks.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import CAFFE, Architecture, FineTuned, WeightsFile, keras_backbone

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build VGG16 up to a global average pooling: 512 features."""
    import keras

    return keras_backbone(keras.applications.VGG16, image_size, weights)


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=20,
    backbone=backbone,
    native=CAFFE,
    imagenet=WeightsFile(
        url="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        checksum="md5:6d6bbae143d832006294945121d1f1fc",
    ),
)
