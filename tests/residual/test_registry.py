"""The eight networks of the second study, and published weights that load as their publishers mean them."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.architectures import resnet18
from deepfake_ensemble.fetching import checkpoints
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.residual.report.names import WITHOUT_STEM
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.settings import Model

# Trainable parameters of the published networks without their classifiers, in the unit of table 2, and layers
# that a small stem takes away.
NETWORKS = {
    "resnet18": (11_176_512, 3),
    "resnet50": (23_534_592, 3),
    "resnet101": (42_552_832, 3),
    "resnet152": (58_219_520, 3),
    "vgg16": (14_714_688, 0),
    "efficientnet_b3": (10_696_232, 1),
    "efficientnet_b4": (17_548_616, 1),
    "bird_lotfi": (141_280, 0),
}
# How Keras takes the input of its own applications.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)

each = pytest.mark.parametrize("name", NETWORKS)


def test_the_tables_show_no_stem_of_networks_that_it_does_not_change() -> None:
    assert {name for name, (_, gone) in NETWORKS.items() if not gone} | {"compact"} == WITHOUT_STEM


@cache
def built(name: str, stem: Any = "imagenet") -> Any:
    import keras

    keras.utils.set_random_seed(1)
    registered = architecture.find(name)
    return network.build(
        name,
        Model(input_scaling="native" if registered.native else "unit", network={}),
        registered.network(**({} if name == "bird_lotfi" else {"frozen_layers": 0})),
        image_size=32,
        stem=stem,
    )


@each
def test_each_has_the_published_parameters_and_a_sigmoid_unit(name: str) -> None:
    model = built(name)
    features = model.get_layer("backbone").output.shape[1]
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == NETWORKS[name][0] + features + 1
    p_fake = np.asarray(model(IMAGES))
    assert p_fake.shape == (3, 1) and ((p_fake > 0) & (p_fake < 1)).all()


@each
def test_a_small_stem_keeps_the_image_s_size_up_to_the_first_block(name: str) -> None:
    published, small = (built(name, stem).get_layer("backbone") for stem in ("imagenet", "small"))
    assert len(published.layers) - len(small.layers) == NETWORKS[name][1]
    # Built anew from its description: the layers of both are the same and know their first output only.
    anew = type(small).from_config(small.get_config())
    sizes = [layer.output.shape[1] for layer in anew.layers if "block1" in layer.name]
    if sizes:
        assert max(sizes) >= 32
        assert ((np.asarray(built(name, "small")(IMAGES)) > 0) & (np.asarray(built(name)(IMAGES)) < 1)).all()


def test_a_small_stem_of_efficientnet_keeps_its_kernel() -> None:
    import keras

    from deepfake_ensemble.training.residual import surgery

    whole = built("efficientnet_b3").get_layer("backbone")
    small = surgery.with_small_stem(whole)
    for one, other in zip(
        whole.get_layer("stem_conv").get_weights(), small.get_layer("stem_conv").get_weights(), strict=True
    ):
        assert np.array_equal(one, other)
    assert isinstance(small, keras.Model)


def test_addresses_and_check_sums_are_those_that_keras_has() -> None:
    import inspect

    from keras.src.applications import efficientnet, resnet, vgg16

    for name in ("resnet101", "resnet152"):
        published = architecture.find(name).imagenet
        assert published is not None
        assert (
            published.url == f"{resnet.BASE_WEIGHTS_PATH}{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
        )
        assert published.md5 == resnet.WEIGHTS_HASHES[name][1]
    b3, vgg = architecture.find("efficientnet_b3").imagenet, architecture.find("vgg16").imagenet
    assert b3 is not None and vgg is not None
    assert b3.url == efficientnet.BASE_WEIGHTS_PATH + "efficientnetb3_notop.h5"
    assert b3.md5 == efficientnet.WEIGHTS_HASHES["b3"][1]
    assert vgg.url == vgg16.WEIGHTS_PATH_NO_TOP
    assert f'file_hash="{vgg.md5}"' in inspect.getsource(vgg16.VGG16)


def test_only_the_network_of_cifake_s_authors_has_no_published_weights() -> None:
    assert [name for name in NETWORKS if not checkpoints.has_published(name)] == ["bird_lotfi"]
    with pytest.raises(UserError, match="has no published weights"):
        checkpoints.fetch("bird_lotfi")


# ResNet18's weights: timm's file, read into a Keras network.


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
    model = resnet18.backbone(64, architecture.FineTuned(frozen_layers=0), timm_file)
    images = np.random.default_rng(3).normal(size=(2, 64, 64, 3)).astype(np.float32)
    expected = np.stack([reference(timm_tensors(), image.transpose(2, 0, 1)) for image in images])
    assert expected.std() > 0.1
    assert np.allclose(np.asarray(model(images)), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_every_tensor_but_the_classifier_and_the_counters_is_used(timm_file: Path) -> None:
    model = resnet18.backbone(32, architecture.FineTuned(frozen_layers=0), timm_file)
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
        resnet18.backbone(32, architecture.FineTuned(frozen_layers=0), file)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x80\x04pickle"])
def test_what_is_no_safetensors_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(UserError, match="not a safetensors file") as caught:
        resnet18.load_timm(built("resnet18").get_layer("backbone"), file)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such weights"):
        resnet18.load_timm(built("resnet18").get_layer("backbone"), tmp_path / "missing.safetensors")
