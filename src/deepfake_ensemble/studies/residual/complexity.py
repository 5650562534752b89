"""What a network costs by its shape alone: parameters and multiply-adds."""

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def parameters(model: "keras.Model") -> dict[str, int]:
    """Return how many numbers training changes, and how many a network has in all (with running averages)."""
    return {
        "trainable": sum(prod(w.shape) for w in model.trainable_weights),
        "all": sum(prod(w.shape) for w in model.weights),
    }


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
    if isinstance(layer, layers.Conv2D):
        return prod(shape) * prod(layer.kernel.shape[:3])
    return prod(layer.kernel.shape) if isinstance(layer, layers.Dense) else 0
