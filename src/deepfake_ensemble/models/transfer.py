"""What the networks from Keras' own collection share (section 3.3.2)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from deepfake_ensemble.section import section

if TYPE_CHECKING:
    import keras


@section
class Network:
    """What may vary in a network that starts from published weights."""

    frozen_layers: Annotated[int, Ge(0)]


def pooled(application: "Callable[..., keras.Model]", image_size: int, weights: Path | None) -> "keras.Model":
    """Build a network of `keras.applications` up to its global average pooling.

    It is given an input tensor, not a shape, because Xception refuses shapes under 71 pixels although it
    works from 32 on.
    """
    import keras

    model = application(
        include_top=False,
        weights=None,
        pooling="avg",
        input_tensor=keras.Input((image_size, image_size, 3)),
        name="backbone",
    )
    if weights is not None:
        model.load_weights(weights)
    return model
