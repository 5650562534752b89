"""What a network costs by its shape alone: parameters and multiply-adds."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Cost:
    """What a run's network costs.

    Attributes:
        image_size: of its input, in pixels.
        stem: which it has, see `training.residual.settings`.
        multiply_adds: of convolutions and dense layers, for one image.
        trainable: numbers that training changes.
        all: numbers that it has, with running averages.
    """

    image_size: int
    stem: str
    multiply_adds: int
    trainable: int
    all: int


def cost(model: "keras.Model", stem: str) -> Cost:
    """Return what a network with a stem costs.

    Args:
        model: built, with or without trained weights.
        stem: which it has; it is only told.
    """
    return Cost(
        image_size=model.input_shape[1],
        stem=stem,
        multiply_adds=multiply_adds(model),
        trainable=sum(prod(w.shape) for w in model.trainable_weights),
        all=sum(prod(w.shape) for w in model.weights),
    )


def multiply_adds(model: "keras.Model") -> int:
    """Return the multiply-adds of convolutions and dense layers for one image; the rest is left out."""
    return sum(_of_layer(layer, shape) for layer, shape in _calls(model))


def _calls(model: "keras.Model") -> "Iterator[tuple[keras.layers.Layer, Any]]":
    """Yield the layers of a model with the shape of their output, (height, width, channels) or (units,)."""
    import keras

    fresh = type(model).from_config(
        model.get_config()
    )  # shared layers know the shapes of their first call only
    for layer in fresh.layers:
        if isinstance(layer, keras.Model):
            yield from _calls(layer)
        else:
            yield layer, getattr(layer.output, "shape", (None,))[1:]


def _of_layer(layer: "keras.layers.Layer", shape: Any) -> int:
    from keras import layers

    if isinstance(layer, layers.DepthwiseConv2D):
        return prod(shape) * prod(layer.kernel_size)
    if isinstance(layer, layers.SeparableConv2D):
        return prod(shape[:2]) * (prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape))
    if isinstance(layer, layers.Conv2D):
        return prod(shape) * prod(layer.kernel.shape[:3])
    return prod(layer.kernel.shape) if isinstance(layer, layers.Dense) else 0
