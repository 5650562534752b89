"""ResNets (He et al. 2016) as PyTorch has them, named as Keras names its own, and timm's weights for them.

Convolutions have no bias, images are padded alike on all sides, and a stage's first 3×3 convolution has the
stride: in bottlenecks that is the second convolution, where Keras' own ResNets have it in the first ("v1.5").
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.foundation.errors import UserError, first_line

if TYPE_CHECKING:
    import keras

STAGES = (64, 128, 256, 512)


def backbone(
    image_size: int, weights: Path | None, blocks: tuple[int, int, int, int], *, bottleneck: bool
) -> "keras.Model":
    """Build a ResNet up to its global average pooling: 512 features, or 2,048 of bottlenecks.

    Args:
        image_size: in pixels.
        weights: the file of its published weights, in timm's layout; None for random ones (seed Keras first).
        blocks: how many each stage has.
        bottleneck: whether a block is three convolutions, of 1×1, 3×3 and 1×1, the last of four times as many
            filters, or two of 3×3.

    Raises:
        UserError: if the file is not one of its weights.
    """
    import keras
    from keras import layers

    image = x = keras.Input((image_size, image_size, 3))
    x = layers.ReLU(name="conv1_relu")(_convolved(x, STAGES[0], 7, 2, "conv1"))
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (filters, count) in enumerate(zip(STAGES, blocks, strict=True), start=2):
        for block in range(1, count + 1):
            strides = 2 if stage > 2 and block == 1 else 1
            convolutions = [(filters, 3, strides), (filters, 3, 1)]
            if bottleneck:
                convolutions = [(filters, 1, 1), (filters, 3, strides), (4 * filters, 1, 1)]
            x = _block(x, convolutions, f"conv{stage}_block{block}")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    model = keras.Model(image, x, name="backbone")
    if weights is not None:
        _load(model, weights)
    return model


def _block(x: Any, convolutions: list[tuple[int, int, int]], name: str) -> Any:
    """Add a block: its convolutions (filters, side, strides), and a projection where the shape changes."""
    from keras import layers

    shortcut, filters = x, convolutions[-1][0]
    if x.shape[-1] != filters:
        strides = max(strides for *_, strides in convolutions)
        shortcut = _convolved(x, filters, 1, strides, f"{name}_0")
    for number, (channels, side, strides) in enumerate(convolutions, start=1):
        x = _convolved(x, channels, side, strides, f"{name}_{number}")
        if number < len(convolutions):
            x = layers.ReLU(name=f"{name}_{number}_relu")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


def _convolved(x: Any, filters: int, side: int, strides: int, name: str) -> Any:
    from keras import layers

    if side > 1:
        x = layers.ZeroPadding2D(side // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, side, strides=strides, use_bias=False, name=f"{name}_conv")(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)


def _load(model: "keras.Model", path: Path) -> None:
    """Fill a backbone with the weights of a safetensors file in timm's layout; the classifier is not read.

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
        raise UserError(
            f"{path}: not a safetensors file: {first_line(error)}; delete it and run `dvc repro`"
        ) from None
    names = {layer.name: _tensors(layer) for layer in model.layers if layer.weights}
    unused = stored.keys() - {name for tensors in names.values() for name, _ in tensors}
    for name in sorted(unused):
        if not name.startswith("fc.") and not name.endswith(".num_batches_tracked"):
            raise _other_network(path, f"has a tensor {name}")
    for layer, tensors in names.items():
        model.get_layer(layer).set_weights([_tensor(stored, path, name, like) for name, like in tensors])


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
        raise _other_network(path, f"has no tensor {name}")
    tensor = stored[name]
    if tensor.ndim == 4:
        tensor = tensor.transpose(2, 3, 1, 0)
    if tensor.shape != tuple(like.shape):
        raise _other_network(path, f"{name} has the shape {stored[name].shape}")
    return tensor


def _other_network(path: Path, why: str) -> UserError:
    return UserError(f"{path}: {why}, so it is of another network; delete it and run `dvc repro`")
