"""ResNet18's published weights, timm's file: read into a Keras network as timm means them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.architectures import resnet18
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models.architecture import FineTuned

PUBLISHED = FineTuned(frozen_layers=0)


def timm_tensors(seed: int = 5) -> dict[str, np.ndarray]:
    """Return random weights under timm's names, in PyTorch's layout, with the classifier."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}

    def convolution(name: str, outputs: int, inputs: int, side: int) -> None:
        spread = np.sqrt(2 / (inputs * side * side))
        tensors[f"{name}.weight"] = rng.normal(0, spread, (outputs, inputs, side, side)).astype(np.float32)

    def normalisation(name: str, channels: int) -> None:
        for key, low, high in (
            ("weight", 0.8, 1.2),
            ("bias", -0.2, 0.2),
            ("running_mean", -0.2, 0.2),
            ("running_var", 0.5, 1.5),
        ):
            tensors[f"{name}.{key}"] = rng.uniform(low, high, channels).astype(np.float32)
        tensors[f"{name}.num_batches_tracked"] = np.array(7, np.int64)

    convolution("conv1", 64, 3, 7)
    normalisation("bn1", 64)
    inputs = 64
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            place = f"layer{stage}.{block}"
            for number in (1, 2):
                convolution(f"{place}.conv{number}", channels, inputs if number == 1 else channels, 3)
                normalisation(f"{place}.bn{number}", channels)
            if inputs != channels:
                convolution(f"{place}.downsample.0", channels, inputs, 1)
                normalisation(f"{place}.downsample.1", channels)
            inputs = channels
    tensors["fc.weight"] = rng.normal(size=(1000, 512)).astype(np.float32)
    tensors["fc.bias"] = rng.normal(size=1000).astype(np.float32)
    return tensors


def reference(tensors: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """Compute timm's ResNet18 on one image (3, height, width) in NumPy, from PyTorch's own definitions."""

    def windows(x: np.ndarray, side: int, stride: int, padding: int, fill: float = 0.0) -> np.ndarray:
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=fill)
        view = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        return view[:, ::stride, ::stride]

    def convolve(x: np.ndarray, name: str, stride: int, padding: int) -> np.ndarray:
        kernel = tensors[f"{name}.weight"].astype(np.float64)
        return np.einsum("chwij,ocij->ohw", windows(x, kernel.shape[2], stride, padding), kernel)

    def normalise(x: np.ndarray, name: str) -> np.ndarray:
        weight, bias, mean, variance = (
            tensors[f"{name}.{key}"].astype(np.float64)[:, None, None]
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    x = np.maximum(normalise(convolve(image.astype(np.float64), "conv1", 2, 3), "bn1"), 0)
    x = windows(x, 3, 2, 1, -np.inf).max(axis=(3, 4))
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            place, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            out = np.maximum(normalise(convolve(x, f"{place}.conv1", stride, 1), f"{place}.bn1"), 0)
            out = normalise(convolve(out, f"{place}.conv2", 1, 1), f"{place}.bn2")
            if f"{place}.downsample.0.weight" in tensors:
                x = normalise(convolve(x, f"{place}.downsample.0", stride, 0), f"{place}.downsample.1")
            x = np.maximum(out + x, 0)
    return x.mean(axis=(1, 2))


@pytest.fixture(scope="module")
def timm_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.numpy import save_file

    file = tmp_path_factory.mktemp("timm") / "model.safetensors"
    save_file(timm_tensors(), file)
    return file


def test_the_file_has_as_many_tensors_as_timm_s() -> None:
    assert len(timm_tensors()) == 122


def test_resnet18_gives_what_its_file_means(timm_file: Path) -> None:
    model = resnet18.backbone(64, PUBLISHED, timm_file)
    images = np.random.default_rng(3).normal(size=(2, 64, 64, 3)).astype(np.float32)
    expected = np.stack([reference(timm_tensors(), image.transpose(2, 0, 1)) for image in images])
    assert expected.std() > 0.1
    assert np.allclose(np.asarray(model(images)), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_every_tensor_but_the_classifier_and_the_counters_is_used(timm_file: Path) -> None:
    model = resnet18.backbone(32, PUBLISHED, timm_file)
    used = {
        name: tensor
        for name, tensor in timm_tensors().items()
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked")
    }
    assert len(model.weights) == len(used)
    assert sum(float(np.sum(w)) for w in model.get_weights()) == pytest.approx(
        sum(float(tensor.sum()) for tensor in used.values()), rel=1e-4
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.pop("layer3.1.bn2.running_var"), "has no tensor layer3.1.bn2.running_var"),
        (
            lambda t: t.update({"layer1.0.conv1.weight": np.zeros((64, 64, 1, 1), np.float32)}),
            r"layer1.0.conv1.weight has the shape \(64, 64, 1, 1\)",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, complaint: str, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    tensors = timm_tensors()
    change(tensors)
    file = tmp_path / "model.safetensors"
    save_file(tensors, file)
    with pytest.raises(UserError, match=complaint):
        resnet18.backbone(32, PUBLISHED, file)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x80\x04pickle"])
def test_what_is_no_safetensors_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(UserError, match="not a safetensors file") as caught:
        resnet18.load_timm(resnet18.backbone(32, PUBLISHED, None), file)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such weights"):
        resnet18.load_timm(resnet18.backbone(32, PUBLISHED, None), tmp_path / "missing.safetensors")
