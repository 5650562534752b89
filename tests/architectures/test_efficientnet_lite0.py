"""EfficientNet-Lite0 from its published file: the network that the file means, and classes that it knows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import torch_files
from deepfake_ensemble.architectures import efficientnet_lite0
from deepfake_ensemble.architectures.efficientnet_lite0 import load_tensors
from deepfake_ensemble.fetching import published
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models.architecture import find

PUBLISHED = efficientnet_lite0.Regularised(frozen_layers=0, dropout=0.2)
# Blocks, side of the kernel, stride of the first, channels (Tan & Le 2019, table 1).
STAGES = [
    *((1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80)),
    *((3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320)),
]


def blocks() -> list[tuple[int, int, int, int]]:
    """Return of each block its kernel's side, its stride, and its channels before and after."""
    found, before = [], 32
    for count, side, stride, channels in STAGES:
        for number in range(count):
            found.append((side, 1 if number else stride, before, channels))
            before = channels
    return found


def tensors(seed: int = 5) -> dict[str, np.ndarray]:
    """Return random weights under the published names, in PyTorch's layout, with the classifier."""
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}

    def convolution(name: str, outputs: int, inputs: int, side: int) -> None:
        spread = np.sqrt(2 / (inputs * side * side))
        made[f"{name}.weight"] = rng.normal(0, spread, (outputs, inputs, side, side)).astype(np.float32)

    def normalisation(name: str, channels: int) -> None:
        for key, low, high in (
            ("weight", 0.8, 1.2),
            ("bias", -0.2, 0.2),
            ("running_mean", -0.2, 0.2),
            ("running_var", 0.5, 1.5),
        ):
            made[f"{name}.{key}"] = rng.uniform(low, high, channels).astype(np.float32)
        made[f"{name}.num_batches_tracked"] = np.array(7, np.int64)

    convolution("_conv_stem", 32, 3, 3)
    normalisation("_bn0", 32)
    for number, (side, _, before, after) in enumerate(blocks()):
        place, inside = f"_blocks.{number}", before if number == 0 else 6 * before
        if number:
            convolution(f"{place}._expand_conv", inside, before, 1)
            normalisation(f"{place}._bn0", inside)
        convolution(f"{place}._depthwise_conv", inside, 1, side)
        normalisation(f"{place}._bn1", inside)
        convolution(f"{place}._project_conv", after, inside, 1)
        normalisation(f"{place}._bn2", after)
    convolution("_conv_head", 1280, 320, 1)
    normalisation("_bn1", 1280)
    made["_fc.weight"] = rng.normal(size=(1000, 1280)).astype(np.float32)
    made["_fc.bias"] = rng.normal(size=1000).astype(np.float32)
    return made


def reference(stored: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """Compute the features of one image (3, height, width) in NumPy, from the definitions."""

    def windows(x: np.ndarray, side: int, stride: int) -> np.ndarray:
        # TensorFlow's `same`: as many outputs as strides fit, what is odd of the padding at the end.
        whole = [max((-(-length // stride) - 1) * stride + side - length, 0) for length in x.shape[1:]]
        padded = np.pad(x, [(0, 0), *((amount // 2, amount - amount // 2) for amount in whole)])
        view = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        return view[:, ::stride, ::stride]

    def convolved(x: np.ndarray, convolution: str, normalisation: str, stride: int = 1) -> np.ndarray:
        kernel = stored[f"{convolution}.weight"].astype(np.float64)
        seen = windows(x, kernel.shape[2], stride)
        depthwise = "depthwise" in convolution
        formula = "chwij,cij->chw" if depthwise else "chwij,ocij->ohw"
        x = np.einsum(formula, seen, kernel[:, 0] if depthwise else kernel)
        weight, bias, mean, variance = (
            stored[f"{normalisation}.{key}"].astype(np.float64)[:, None, None]
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * weight + bias

    x = convolved(image.astype(np.float64), "_conv_stem", "_bn0", 2).clip(0, 6)
    for number, (_, stride, before, after) in enumerate(blocks()):
        place, inside = f"_blocks.{number}", x
        if number:
            inside = convolved(x, f"{place}._expand_conv", f"{place}._bn0").clip(0, 6)
        inside = convolved(inside, f"{place}._depthwise_conv", f"{place}._bn1", stride).clip(0, 6)
        inside = convolved(inside, f"{place}._project_conv", f"{place}._bn2")
        x = x + inside if stride == 1 and before == after else inside
    return convolved(x, "_conv_head", "_bn1").clip(0, 6).mean(axis=(1, 2))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lite0") / "weights.pth"
    torch_files.write(path, tensors())
    return path


@pytest.fixture(scope="module")
def published_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = find("efficientnet_lite0").imagenet
    assert weights
    return published.fetch(weights.url, weights.checksum, tmp_path_factory.mktemp("imagenet"))


def test_the_network_gives_what_its_file_means(file: Path) -> None:
    model = efficientnet_lite0.backbone(45, PUBLISHED, file)
    images = np.random.default_rng(3).normal(size=(2, 45, 45, 3)).astype(np.float32)
    expected = np.stack([reference(tensors(), image.transpose(2, 0, 1)) for image in images])
    assert expected.std() > 0.1
    assert np.allclose(np.asarray(model(images)), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_it_has_as_many_layers_as_the_registry_says_can_be_frozen() -> None:
    assert len(efficientnet_lite0.backbone(32, PUBLISHED, None).layers) == find("efficientnet_lite0").layers


def test_the_published_file_has_the_tensors_of_the_test_s_network(published_file: Path) -> None:
    stored = load_tensors(published_file)
    assert {name: tensor.shape for name, tensor in stored.items()} == {
        name: tensor.shape for name, tensor in tensors().items()
    }


@pytest.mark.parametrize(("photograph", "known_class"), [("chelsea", 285), ("coffee", 967)])
def test_photographs_get_their_imagenet_class(
    photograph: str, known_class: int, published_file: Path
) -> None:
    """An Egyptian cat, an espresso."""
    import skimage.data

    image = Image.fromarray(getattr(skimage.data, photograph)())
    side = min(image.size)
    left, upper = (image.width - side) // 2, (image.height - side) // 2
    pixels = np.asarray(
        image.resize((224, 224), Image.Resampling.BICUBIC, (left, upper, left + side, upper + side))
    )
    native = find("efficientnet_lite0").native
    assert native
    model = efficientnet_lite0.backbone(224, PUBLISHED, published_file)
    features = np.asarray(model((pixels * native.scale + native.offset)[None].astype(np.float32)))[0]
    stored = load_tensors(published_file)
    assert int((stored["_fc.weight"] @ features + stored["_fc.bias"]).argmax()) == known_class


def test_native_scaling_is_what_the_weights_were_trained_with() -> None:
    native = find("efficientnet_lite0").native
    assert native
    pixels = np.array([0, 127, 255])
    assert (pixels * native.scale[0] + native.offset[0]).tolist() == [-127 / 128, 0, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop("_blocks.3._bn1.running_var"),
        lambda t: t.update({"_conv_stem.weight": np.zeros((32, 3, 5, 5), np.float32)}),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, tmp_path: Path) -> None:
    other = tensors()
    change(other)
    file = tmp_path / "weights.pth"
    torch_files.write(file, other)
    with pytest.raises(UserError, match="missing, or not those of an EfficientNet-Lite0"):
        efficientnet_lite0.backbone(32, PUBLISHED, file)
