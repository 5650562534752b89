"""What a ResNet looks like, stage by stage, told by the network itself (figures 4 and 11)."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from deepfake_ensemble.studies.common.complexity import Cost

if TYPE_CHECKING:
    import keras

_LAYER = re.compile(
    r"(?P<stage>conv\d+|pool1)(_block(?P<block>\d+))?_(?P<what>conv|pool|add|out|relu|\d_conv)"
)


@dataclass(frozen=True)
class Block:
    """The sides of a block's convolutions, as [1, 3, 1], and what goes past them to an addition."""

    convolutions: list[int]
    connection: Literal["identity", "projection"] | None


@dataclass(frozen=True)
class Stage:
    """A stage, or a layer of the stem.

    Attributes:
        name: as the layers have it: conv1, pool1, conv2 and so on.
        side: of what comes out of it, in pixels.
        channels: likewise.
        blocks: of a convolution in the stem one without a connection, of pooling none.
    """

    name: str
    side: int
    channels: int
    blocks: list[Block]


@dataclass(frozen=True)
class Networks:
    """What all runs' networks cost, and what the ResNets among them look like: reports/networks.json."""

    runs: dict[str, Cost]
    outlines: dict[str, list[Stage]]


def outline(detector: "keras.Model") -> list[Stage]:
    """Return the stages from the input to the output; none if the network is no ResNet."""
    import keras

    backbone = detector.get_layer("backbone")
    # Shared layers know the shapes of their first call only.
    fresh = keras.Model.from_config(backbone.get_config())
    layers = [(match, layer) for layer in fresh.layers if (match := _LAYER.fullmatch(layer.name))]
    if not any(match["block"] for match, _ in layers):
        return []
    stages = {}
    for name in dict.fromkeys(match["stage"] for match, _ in layers):
        of_stage = [(match, layer) for match, layer in layers if match["stage"] == name]
        _, side, _, channels = of_stage[-1][1].output.shape
        by_block: dict[str | None, dict[str, Any]] = {}
        for match, layer in of_stage:
            by_block.setdefault(match["block"], {})[match["what"]] = layer
        blocks = [] if name == "pool1" else [_block(of) for of in by_block.values()]
        stages[name] = Stage(name, side, channels, blocks)
    return list(stages.values())


def _block(layers: dict[str, Any]) -> Block:
    convolutions = [
        layer.kernel_size[0]
        for what, layer in layers.items()
        if what.endswith("conv") and not what.startswith("0")
    ]
    if "add" not in layers:
        return Block(convolutions, None)
    return Block(convolutions, "projection" if "0_conv" in layers else "identity")
