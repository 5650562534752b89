"""What a network makes of an image, from its stem to its last stage (figure 5)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

_STAGE_END = re.compile(r"conv(?P<stage>\d+)_block(?P<block>\d+)_out")


@dataclass(frozen=True)
class Maps:
    """Of one layer the channels that vary most: uint8 (channels, side, side), 0 to 255 each."""

    layer: str
    side: int
    channels: NDArray[np.uint8]


def feature_maps(detector: "keras.Model", image: NDArray[np.uint8], channels: int) -> list[Maps]:
    """Return the maps of the layers that `stations` names.

    Args:
        detector: loaded from its file, so that each layer is called once.
        image: (size, size, 3).
        channels: how many of each layer.
    """
    import keras

    once = _once(detector)
    backbone = once.get_layer("backbone")
    shown = [backbone.get_layer(name) for name in stations(backbone)]
    # Along the graph, in which the order of colours may be turned by what is no layer.
    scaled = keras.Model(once.inputs[0], once.get_layer("scaling").output)
    seen = scaled(image[None].astype(np.float32))
    outputs = keras.Model(backbone.inputs[0], [layer.output for layer in shown])(seen)
    return [
        _maps(layer.name, np.asarray(output)[0], channels)
        for layer, output in zip(shown, outputs, strict=True)
    ]


def stations(backbone: "keras.Model") -> list[str]:
    """Return the names of the layers after which a network has done a part of its work.

    Of a ResNet these are its stem's ReLU, its pooling where it has one, and the last block of each stage. Of
    another network they are the last layer of each size of maps, padding apart.
    """
    import keras

    mapped = [
        layer
        for layer in backbone.layers[1:]
        if len(layer.output.shape) == 4 and not isinstance(layer, keras.layers.ZeroPadding2D)
    ]
    names = [layer.name for layer in mapped]
    stages = {match["stage"]: name for name in names if (match := _STAGE_END.fullmatch(name))}
    if stages:
        return [*(name for name in ("conv1_relu", "pool1_pool") if name in names), *stages.values()]
    return _last_of_each_size(names, [layer.output.shape[1] for layer in mapped])


def _last_of_each_size(names: Sequence[str], sides: Sequence[int]) -> list[str]:
    changes = [side != following for side, following in pairwise(sides)]
    before = [name for name, ends in zip(names, changes, strict=False) if ends]
    return [*before, *names[-1:]]


def _once(detector: "keras.Model") -> "keras.Model":
    """Return the detector itself where it is the mean over mirror images."""
    inner = [layer for layer in detector.layers if layer.name == detector.name]
    return inner[0] if inner else detector


def _maps(layer: str, output: NDArray[np.float32], channels: int) -> Maps:
    spread = output.std(axis=(0, 1))
    # Of equals the first; a stable order does not depend on the processor's sorting.
    most = np.argsort(-spread, kind="stable")[:channels]
    chosen = output[:, :, most].transpose(2, 0, 1)
    low, high = (f(chosen, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    scaled = np.divide(chosen - low, high - low, out=np.zeros_like(chosen), where=high > low)
    return Maps(layer, output.shape[0], np.rint(255 * scaled).astype(np.uint8))
