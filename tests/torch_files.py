"""Files as PyTorch saved tensors before its version 1.6, written without it."""

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

HEADER = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})


class FloatStorage:
    """Stands for PyTorch's class, whose name alone a file holds."""


class LongStorage:
    """Likewise."""


def _rebuild_tensor_v2(*arguments: Any) -> Any:
    raise AssertionError("no file may have this called")


@contextmanager
def torch() -> Iterator[None]:
    """Let pickle find the names that it writes, in modules that are named as PyTorch's are."""
    modules = {"torch": types.ModuleType("torch"), "torch._utils": types.ModuleType("torch._utils")}
    for module, value in (
        ("torch", FloatStorage),
        ("torch", LongStorage),
        ("torch._utils", _rebuild_tensor_v2),
    ):
        setattr(modules[module], value.__name__, value)
        value.__module__, value.__qualname__ = module, value.__name__
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


class _Storage:
    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values


class _Tensor:
    def __init__(self, storage: _Storage, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.arguments = (storage, 0, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_tensor_v2, self.arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, _Storage):
            return None
        kind = FloatStorage if value.values.dtype == np.float32 else LongStorage
        return "storage", kind, value.key, "cpu", value.values.size, None


def pickled(value: Any) -> bytes:
    """Return a pickle in PyTorch's protocol."""
    with torch():
        _Pickler(file := BytesIO(), protocol=2).dump(value)
    return file.getvalue()


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors, float32 or int64; every other one of several axes with its first axis last in memory."""
    stored: dict[str, np.ndarray] = {}
    described = OrderedDict()
    for number, (name, tensor) in enumerate(tensors.items()):
        swapped = tensor.ndim > 1 and number % 2 == 0
        inside = np.array(np.moveaxis(tensor, 0, -1) if swapped else tensor, order="C")
        strides = tuple(step // tensor.itemsize for step in inside.strides)
        strides = (strides[-1], *strides[:-1]) if swapped else strides
        storage = _Storage(str(number), inside.ravel())
        stored[storage.key] = storage.values
        described[name] = _Tensor(storage, tensor.shape, strides)
    described._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    parts = [*map(pickled, HEADER), pickled(described), pickled(sorted(stored))]
    numbers = [stored[key].size.to_bytes(8, "little") + stored[key].tobytes() for key in sorted(stored)]
    path.write_bytes(b"".join([*parts, *numbers]))
