"""ResNet18 (He et al. 2016), which Keras does not have, laid out and named as Keras' deeper ones are.

Its published weights are timm's, a safetensors file in PyTorch's layout; `load_timm` converts them. As in
PyTorch, convolutions have no bias, a stage's first 3×3 convolution has the stride, and images are padded
alike on all sides.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models.architecture import TORCH, Architecture, FineTuned, WeightsFile

if TYPE_CHECKING:
    import keras

STAGES = (64, 128, 256, 512)
BLOCKS = 2


def backbone(image_size: int, network: FineTuned, weights: Path | None) -> "keras.Model":
    """Build ResNet18 up to its global average pooling: 512 features."""
    import keras
    from keras import layers

    image = x = keras.Input((image_size, image_size, 3))
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = layers.Conv2D(STAGES[0], 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = _normalised("conv1_bn")(x)
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, filters in enumerate(STAGES, start=2):
        for block in range(1, BLOCKS + 1):
            strides = 2 if stage > 2 and block == 1 else 1
            x = _block(x, filters, strides, f"conv{stage}_block{block}")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    model = keras.Model(image, x, name="backbone")
    if weights is not None:
        load_timm(model, weights)
    return model


def _normalised(name: str) -> "keras.layers.Layer":
    from keras import layers

    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def _block(x: Any, filters: int, strides: int, name: str) -> Any:
    """Add the basic block: two 3×3 convolutions, and a projection where the shape changes."""
    from keras import layers

    shortcut = x
    if strides > 1:
        shortcut = layers.Conv2D(filters, 1, strides=strides, use_bias=False, name=f"{name}_0_conv")(shortcut)
        shortcut = _normalised(f"{name}_0_bn")(shortcut)
    for number, step in ((1, strides), (2, 1)):
        x = layers.ZeroPadding2D(1, name=f"{name}_{number}_pad")(x)
        x = layers.Conv2D(filters, 3, strides=step, use_bias=False, name=f"{name}_{number}_conv")(x)
        x = _normalised(f"{name}_{number}_bn")(x)
        if number == 1:
            x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


def load_timm(model: "keras.Model", path: Path) -> None:
    """Fill the backbone with the weights of a safetensors file in timm's layout; the classifier is not read.

    A convolution's kernel is (out, in, height, width) there and (height, width, in, out) here.

    Raises:
        UserError: if the file is missing or damaged, or holds weights of another network.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        stored = load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights; `dvc repro` fetches them") from None
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: not a safetensors file: {reason}; delete it and run `dvc repro`") from None
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([_tensor(stored, path, name, like) for name, like in _tensors(layer)])


def _tensors(layer: "keras.layers.Layer") -> list[tuple[str, Any]]:
    """Return timm's names of a layer's weights, with the variables they belong into."""
    place = _timm_place(layer.name)
    if layer.name.endswith("_conv"):
        return [(f"{place}.weight", layer.kernel)]
    names = ("weight", "bias", "running_mean", "running_var")
    return [(f"{place}.{name}", variable) for name, variable in zip(names, layer.weights, strict=True)]


def _timm_place(layer: str) -> str:
    """Return where timm has a layer: conv3_block1_0_conv is layer2.0.downsample.0."""
    if layer.startswith("conv1_"):
        return {"conv1_conv": "conv1", "conv1_bn": "bn1"}[layer]
    stage, block, number, kind = layer.split("_")
    place = f"layer{int(stage.removeprefix('conv')) - 1}.{int(block.removeprefix('block')) - 1}"
    if number == "0":
        return f"{place}.downsample.{0 if kind == 'conv' else 1}"
    return f"{place}.{kind}{number}"


def _tensor(stored: Any, path: Path, name: str, like: Any) -> Any:
    if name not in stored:
        raise UserError(
            f"{path}: has no tensor {name}, so it is no ResNet18 of timm; delete it and run `dvc repro`"
        )
    tensor = stored[name]
    if tensor.ndim == 4:
        tensor = tensor.transpose(2, 3, 1, 0)
    if tensor.shape != tuple(like.shape):
        raise UserError(
            f"{path}: {name} has the shape {stored[name].shape}, which a ResNet18 has not;"
            " delete it and run `dvc repro`"
        )
    return tensor


ARCHITECTURE = Architecture(
    network=FineTuned,
    layers=86,
    backbone=backbone,
    native=TORCH,
    # Wightman, Touvron & Jégou 2021, "ResNet strikes back"; Apache License 2.0.
    imagenet=WeightsFile(
        url="https://huggingface.co/timm/resnet18.a1_in1k/resolve/"
        "491b427b45c94c7fb0e78b5474cc919aff584bbf/model.safetensors",
        checksum="sha256:80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612",
    ),
)
