"""EfficientNet-B4 (Tan & Le 2019) as Keras has it, without the rescaling it does inside (section 3.3.2 C)."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.models.architecture import Architecture, FineTuned, ImageNetFile, Scaling, pooled

if TYPE_CHECKING:
    import keras

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build EfficientNet-B4 up to its global average pooling: 1,792 features.

    Keras puts a division by 255 and a normalisation in front of the stem, and one more rescaling when it
    loads the ImageNet weights by itself. All three are cut off: every image is scaled once, by the
    detector, and what its ImageNet weights were trained with is `native`.
    """
    import keras

    whole = pooled(keras.applications.EfficientNetB4, image_size, weights)
    normalized = next(layer for layer in whole.layers if isinstance(layer, keras.layers.Normalization))
    return keras.Model(normalized.output, whole.output, name="backbone")


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=473,
    backbone=backbone,
    native=Scaling(
        scale=tuple(1 / (255 * deviation) for deviation in DEVIATION),  # type: ignore[arg-type]
        offset=tuple(-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)),  # type: ignore[arg-type]
    ),
    imagenet=ImageNetFile(
        url="https://storage.googleapis.com/keras-applications/efficientnetb4_notop.h5",
        md5="ebc24e6d6c33eaebbd558eafbeedf1ba",
    ),
)
