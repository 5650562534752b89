"""Files of weights as timm publishes them for ResNets: its names, PyTorch's layout, random numbers."""

import numpy as np

BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet50_v1_5": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


def convolutions(name: str) -> list[tuple[int, int]]:
    """Return the side of a block's kernels, and how many filters they have, in the unit of its stage's."""
    return [(3, 1), (3, 1)] if name == "resnet18" else [(1, 1), (3, 1), (1, 4)]


def tensors(name: str, seed: int = 5) -> dict[str, np.ndarray]:
    """Return random weights of a network, with the classifier."""
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}

    def convolution(place: str, outputs: int, inputs: int, side: int) -> None:
        spread = np.float32(np.sqrt(2 / (inputs * side * side)))
        found[f"{place}.weight"] = spread * rng.standard_normal((outputs, inputs, side, side), np.float32)

    def normalisation(place: str, channels: int) -> None:
        for key, low, high in (
            ("weight", 0.8, 1.2),
            ("bias", -0.2, 0.2),
            ("running_mean", -0.2, 0.2),
            ("running_var", 0.5, 1.5),
        ):
            found[f"{place}.{key}"] = rng.uniform(low, high, channels).astype(np.float32)
        found[f"{place}.num_batches_tracked"] = np.array(7, np.int64)

    convolution("conv1", 64, 3, 7)
    normalisation("bn1", 64)
    inputs = 64
    for stage, blocks in enumerate(BLOCKS[name], start=1):
        filters = 32 * 2**stage
        for block in range(blocks):
            place, channels = f"layer{stage}.{block}", inputs
            for number, (side, times) in enumerate(convolutions(name), start=1):
                convolution(f"{place}.conv{number}", times * filters, channels, side)
                normalisation(f"{place}.bn{number}", times * filters)
                channels = times * filters
            if inputs != channels:
                convolution(f"{place}.downsample.0", channels, inputs, 1)
                normalisation(f"{place}.downsample.1", channels)
            inputs = channels
    found["fc.weight"] = rng.standard_normal((1000, inputs), np.float32)
    found["fc.bias"] = rng.standard_normal(1000, np.float32)
    return found
