"""EfficientNet-B4 (Tan & Le 2019) as Keras has it, without the rescaling it does inside (section 3.3.2 C)."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import TORCH, Architecture, FineTuned, WeightsFile, keras_backbone

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build EfficientNet-B4 up to its global average pooling: 1,792 features.

    Keras puts a division by 255 and a normalisation in front of the stem, and one more rescaling when it
    loads the ImageNet weights by itself. All three are cut off: the detector scales every image, once where
    its scaling is `native` (the first two), as the study literally has it where that is `literal`.
    """
    import keras

    whole = keras_backbone(keras.applications.EfficientNetB4, image_size, weights)
    normalized = next(layer for layer in whole.layers if isinstance(layer, keras.layers.Normalization))
    return keras.Model(normalized.output, whole.output, name="backbone")


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=473,
    backbone=backbone,
    native=TORCH,
    scales_itself=True,
    imagenet=WeightsFile(
        url="https://storage.googleapis.com/keras-applications/efficientnetb4_notop.h5",
        checksum="md5:ebc24e6d6c33eaebbd558eafbeedf1ba",
    ),
)
