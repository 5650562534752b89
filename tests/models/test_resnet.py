"""The published weights of ResNets, timm's files: read into Keras networks as timm means them."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture
from deepfake_ensemble.models.architecture import TORCH, FineTuned
from timm_files import BLOCKS, convolutions, tensors

each = pytest.mark.parametrize("name", BLOCKS)
# How many tensors timm's files have, the classifier's and the counters among them.
TENSORS = {"resnet18": 122, "resnet50_v1_5": 320, "resnet101": 626, "resnet152": 932}


def backbone(name: str, size: int, weights: Path | None) -> Any:
    return architecture.find(name).backbone(size, FineTuned(frozen_layers=0), weights)


def reference(name: str, stored: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """Compute timm's ResNet on one image (3, height, width) in NumPy, from PyTorch's own definitions."""

    def windows(x: np.ndarray, side: int, stride: int, padding: int, fill: float = 0.0) -> np.ndarray:
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=fill)
        view = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        return view[:, ::stride, ::stride]

    def convolve(x: np.ndarray, place: str, stride: int = 1) -> np.ndarray:
        kernel = stored[f"{place}.weight"].astype(np.float64)
        side = kernel.shape[2]
        return np.tensordot(kernel, windows(x, side, stride, side // 2), axes=((1, 2, 3), (0, 3, 4)))

    def normalise(x: np.ndarray, place: str) -> np.ndarray:
        weight, bias, mean, variance = (
            stored[f"{place}.{key}"].astype(np.float64)[:, None, None]
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    # The first 3×3 convolution of a stage has the stride.
    strided = 1 + [side for side, _ in convolutions(name)].index(3)
    x = np.maximum(normalise(convolve(image.astype(np.float64), "conv1", 2), "bn1"), 0)
    x = windows(x, 3, 2, 1, -np.inf).max(axis=(3, 4))
    for stage, blocks in enumerate(BLOCKS[name], start=1):
        for block in range(blocks):
            place, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            out, last = x, len(convolutions(name))
            for number in range(1, last + 1):
                out = convolve(out, f"{place}.conv{number}", stride if number == strided else 1)
                out = normalise(out, f"{place}.bn{number}")
                out = np.maximum(out, 0) if number < last else out
            if f"{place}.downsample.0.weight" in stored:
                x = normalise(convolve(x, f"{place}.downsample.0", stride), f"{place}.downsample.1")
            x = np.maximum(out + x, 0)
    return x.mean(axis=(1, 2))


@pytest.fixture(scope="module")
def timm_file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("timm")

    @cache
    def file(name: str) -> Path:
        save_file(tensors(name), folder / f"{name}.safetensors")
        return folder / f"{name}.safetensors"

    return file


@each
def test_a_file_has_as_many_tensors_as_timm_s(name: str) -> None:
    assert len(tensors(name)) == TENSORS[name]


@each
def test_a_resnet_gives_what_its_file_means(name: str, timm_file: Any) -> None:
    model = backbone(name, 64, timm_file(name))
    images = np.random.default_rng(3).normal(size=(2, 64, 64, 3)).astype(np.float32)
    stored = tensors(name)
    expected = np.stack([reference(name, stored, image.transpose(2, 0, 1)) for image in images])
    tolerance = 1e-4 * np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 100 * tolerance
    assert np.allclose(np.asarray(model(images)), expected, rtol=1e-4, atol=tolerance)


@each
def test_every_tensor_but_the_classifier_and_the_counters_is_used(name: str, timm_file: Any) -> None:
    model = backbone(name, 32, timm_file(name))
    used = {
        place: tensor
        for place, tensor in tensors(name).items()
        if not place.startswith("fc.") and not place.endswith("num_batches_tracked")
    }
    assert len(model.weights) == len(used)
    assert sum(float(np.sum(w, dtype=np.float64)) for w in model.get_weights()) == pytest.approx(
        sum(float(np.sum(tensor, dtype=np.float64)) for tensor in used.values()), rel=1e-9
    )


@each
def test_its_layers_are_counted_and_its_images_scaled_as_all_of_its_family(name: str) -> None:
    registered = architecture.find(name)
    assert registered.layers == len(backbone(name, 32, None).layers)
    assert registered.native == TORCH


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.pop("layer3.1.bn2.running_var"), "has no tensor layer3.1.bn2.running_var"),
        (
            lambda t: t.update({"layer1.0.conv1.weight": np.zeros((64, 64, 1, 1), np.float32)}),
            r"layer1.0.conv1.weight has the shape \(64, 64, 1, 1\)",
        ),
        (
            lambda t: t.update({"layer3.2.conv1.weight": np.zeros((256, 256, 3, 3), np.float32)}),
            "has a tensor layer3.2.conv1.weight, so it is of another network",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, complaint: str, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    stored = tensors("resnet18")
    change(stored)
    file = tmp_path / "model.safetensors"
    save_file(stored, file)
    with pytest.raises(UserError, match=complaint):
        backbone("resnet18", 32, file)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x80\x04pickle"])
def test_what_is_no_safetensors_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(UserError, match="not a safetensors file") as caught:
        backbone("resnet18", 32, file)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such weights"):
        backbone("resnet18", 32, tmp_path / "missing.safetensors")
