"""A detector: an image of 0–255 in, P(fake) out; scaling, backbone and one sigmoid unit."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models.architecture import Architecture, InputScaling

if TYPE_CHECKING:
    import keras


@section
class ModelParams:
    """The section `models.NAME` of params.yaml.

    Attributes:
        learning_rate: where the study fine-tunes published weights or trains the paper's own network.
        input_scaling: as `Architecture.scaling` has them.
        network: read by the architecture's own dataclass.
    """

    learning_rate: Annotated[float, Gt(0)]
    input_scaling: InputScaling
    network: dict[str, Any]


def build(
    name: str,
    architecture: Architecture,
    *,
    image_size: int,
    input_scaling: InputScaling,
    network: Any,
    imagenet_weights: Path | None = None,
) -> "keras.Model":
    """Build a detector from images to P(fake).

    Args:
        name: of the model, for messages and its file.
        architecture: the registry's entry.
        image_size: in pixels.
        input_scaling: which of the scalings it begins with.
        network: the architecture's own section of params.yaml, checked.
        imagenet_weights: a file for the backbone; all other weights, or all of them, are random (seed Keras
            first).

    Returns:
        The model: (n, image_size, image_size, 3) RGB of 0–255, uint8 or float32 → (n, 1) P(fake), float32.

    Raises:
        UserError: if the architecture has no such scaling.
    """
    import keras
    from keras import layers

    scaling = architecture.scaling(input_scaling)
    if scaling is None:
        raise UserError(f"models.{name}.input_scaling: {architecture.why_not(name, input_scaling)}")
    # Scaling and probability stay in float32 whatever the precision of the network.
    image = x = keras.Input((image_size, image_size, 3), name="image", dtype="float32")
    if scaling.channels == "bgr":
        x = keras.ops.flip(x, axis=-1)
    x = layers.Rescaling(list(scaling.scale), list(scaling.offset), name="scaling", dtype="float32")(x)
    x = architecture.backbone(image_size, network, imagenet_weights)(x)
    x = layers.Dense(1, activation="sigmoid", name="p_fake", dtype="float32")(x)
    return keras.Model(image, x, name=name)


def freeze(detector: "keras.Model", layers: int) -> None:
    """Freeze the backbone's first `layers` layers, counted as `backbone.layers` lists them.

    Batch normalisation among them runs in inference mode from then on. Compile afterwards.

    Raises:
        UserError: if it has not as many.
    """
    backbone = detector.get_layer("backbone").layers
    if layers > len(backbone):
        raise UserError(
            f"models.{detector.name}.network.frozen_layers: {layers} is not allowed:"
            f" it has {len(backbone)} layers"
        )
    for layer in backbone[:layers]:
        layer.trainable = False


def set_batch_norm_momentum(detector: "keras.Model", momentum: float) -> None:
    """Set the momentum of all running averages of batch normalisation; 0 takes the last batch alone."""
    import keras

    for layer in _layers(detector):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def _layers(model: "keras.Model") -> "Iterator[keras.layers.Layer]":
    for layer in model.layers:
        yield from _layers(layer) if hasattr(layer, "layers") else (layer,)
