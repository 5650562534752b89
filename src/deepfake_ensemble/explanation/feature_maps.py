"""What five layers of a network make of an image (figure 5)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

LAYERS = 5


@dataclass(frozen=True)
class Maps:
    """Of one layer the channels that vary most: uint8 (channels, side, side), 0 to 255 each."""

    layer: str
    side: int
    channels: NDArray[np.uint8]


def feature_maps(detector: "keras.Model", image: NDArray[np.uint8], channels: int) -> list[Maps]:
    """Return the maps of five layers at most, evenly from the first to the last that has maps.

    Args:
        detector: loaded from its file, so that each layer is called once.
        image: (size, size, 3).
        channels: how many of each layer.
    """
    import keras

    once = _once(detector)
    backbone = once.get_layer("backbone")
    mapped = [layer for layer in backbone.layers[1:] if len(layer.output.shape) == 4]
    # A network of fewer layers shows each of them once.
    places = dict.fromkeys(round(i) for i in np.linspace(0, len(mapped) - 1, LAYERS))
    shown = [mapped[place] for place in places]
    # Along the graph, in which the order of colours may be turned by what is no layer.
    scaled = keras.Model(once.inputs[0], once.get_layer("scaling").output)
    seen = scaled(image[None].astype(np.float32))
    outputs = keras.Model(backbone.inputs[0], [layer.output for layer in shown])(seen)
    return [
        _maps(layer.name, np.asarray(output)[0], channels)
        for layer, output in zip(shown, outputs, strict=True)
    ]


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
