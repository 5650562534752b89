"""Changes to a network's graph that leave its layers as they are: the ablation, and the stem.

A changed network shares its layers, and so its weights, with the one it was made from.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.training.residual.settings import Connections

if TYPE_CHECKING:
    import keras

_ADDITION = re.compile(r"(?P<stage>conv\d+)_block(?P<block>\d+)_add")
# What halves an image before the first block, by the names that Keras gives it.
_STEM_CONVOLUTIONS = ("conv1_conv", "stem_conv")
_STEM_REST = ("conv1_pad", "pool1_pad", "pool1_pool", "stem_conv_pad")

Call = Callable[..., Any]


def with_connections(backbone: "keras.Model", connections: Connections) -> "keras.Model":
    """Return a residual network in which additions take the residual branch alone, all of them or some.

    What then leads nowhere is no longer part of the network: the additions, and the projections of their
    shortcuts.

    Args:
        backbone: a ResNet whose blocks are named as Keras names them.
        connections: kept, and nothing changes; removed from every block; or one a stage removed, that of its
            first block, which bridges the change of shape, so that a ResNet loses four.

    Raises:
        UserError: if it has no residual blocks.
    """
    if connections == "kept":
        return backbone
    removed = {name for name in _additions(backbone) if connections == "removed" or "_block1_" in name}
    if not removed:
        raise UserError(f"{backbone.name}: has no residual connections that could be removed")
    kept_alive: list[Any] = []  # or another tensor could get the same address
    depths: dict[int, int] = {}  # of a tensor: how many layers lead to it

    def call(layer: "keras.layers.Layer", *inputs: Any, **options: Any) -> Any:
        tensors = inputs[0] if isinstance(inputs[0], list) else [inputs[0]]
        if layer.name in removed:
            # The branch that more layers lead to is the one that comes out of the block.
            return max(tensors, key=lambda tensor: depths[id(tensor)])
        output = layer(*inputs, **options)
        depths[id(output)] = 1 + max(depths.get(id(tensor), 0) for tensor in tensors)
        kept_alive.append(output)
        return output

    return _rewired(backbone, call)


def with_small_stem(backbone: "keras.Model") -> "keras.Model":
    """Return a network that does not shrink its images before the first block, for images of 32 pixels.

    A ResNet's 7×7 convolution with stride 2 becomes a new one of 3×3 with stride 1, and its pooling is left
    out (He et al. 2016, section 4.2); EfficientNet's stem keeps its kernel of 3×3 and loses its stride. Other
    networks have no such stem and stay as they are.
    """
    from keras import layers

    if not any(layer.name in _STEM_CONVOLUTIONS for layer in backbone.layers):
        return backbone

    def call(layer: "keras.layers.Layer", *inputs: Any, **options: Any) -> Any:
        if layer.name in _STEM_REST:
            return inputs[0]
        if layer.name not in _STEM_CONVOLUTIONS:
            return layer(*inputs, **options)
        small = {"kernel_size": (3, 3), "strides": (1, 1), "padding": "same"}
        convolution = layers.Conv2D.from_config(layer.get_config() | small)
        output = convolution(*inputs, **options)
        if layer.kernel.shape == convolution.kernel.shape:
            convolution.set_weights(layer.get_weights())
        return output

    return _rewired(backbone, call)


def residual_connections(backbone: "keras.Model") -> int:
    """Return how many residual connections a ResNet has."""
    return len(_additions(backbone))


def _rewired(backbone: "keras.Model", call: Call) -> "keras.Model":
    """Return a network of the same layers, each called by `call`."""
    import keras

    copy = keras.models.clone_model(backbone, clone_function=lambda layer: layer, call_function=call)
    return keras.Model(copy.inputs[0], copy.outputs[0], name=backbone.name)


def _additions(backbone: "keras.Model") -> list[str]:
    return [layer.name for layer in backbone.layers if _ADDITION.fullmatch(layer.name)]
