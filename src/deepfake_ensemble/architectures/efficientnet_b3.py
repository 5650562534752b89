"""EfficientNet-B3 (Tan & Le 2019) as Keras has it, without the rescaling it does inside."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import TORCH, Architecture, FineTuned, WeightsFile, keras_backbone

if TYPE_CHECKING:
    import keras


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build EfficientNet-B3 up to its global average pooling: 1,536 features.

    As of B4, Keras' own scaling is cut off: every image is scaled once, by the detector.
    """
    import keras

    whole = keras_backbone(keras.applications.EfficientNetB3, image_size, weights)
    normalized = next(layer for layer in whole.layers if isinstance(layer, keras.layers.Normalization))
    return keras.Model(normalized.output, whole.output, name="backbone")


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=383,
    backbone=backbone,
    native=TORCH,
    scales_itself=True,
    imagenet=WeightsFile(
        url="https://storage.googleapis.com/keras-applications/efficientnetb3_notop.h5",
        checksum="md5:af6d107764bb5b1abb91932881670226",
    ),
)
