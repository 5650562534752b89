"""PyTorch's old files hold pickles: their tensors are read, and nothing else in them is believed or run."""

import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch_files
from deepfake_ensemble.architectures.efficientnet_lite0 import load_tensors
from deepfake_ensemble.foundation.errors import UserError

TENSORS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(4, 3, 2),
    "bn.weight": np.linspace(0, 1, 5, dtype=np.float32),
    "head.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bn.num_batches_tracked": np.array(7, np.int64),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch_files.write(path, TENSORS)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_tensors(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_tensors_come_out_as_they_were_however_their_axes_lie_in_memory(file: Path) -> None:
    read = load_tensors(file)
    assert list(read) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert read[name].dtype == tensor.dtype
        assert np.array_equal(read[name], tensor)


class Caller:
    """Pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


class Stateful(OrderedDict):
    """Pickled as a call with a state."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, (), {"x": 1}


def malicious(victim: Path) -> dict[str, tuple[bytes, str]]:
    """Return pickles that would write `victim`, or do harm otherwise, and what is said of them."""
    code = f"open({str(victim)!r}, 'w')"
    return {
        "a function": (pickle.dumps(Caller(os.system, f"touch {victim}"), 2), "it calls posix.system"),
        "a builtin": (pickle.dumps(Caller(eval, code), 2), "it calls __builtin__.eval"),
        "an allowed class with content": (
            pickle.dumps(Caller(OrderedDict, ()), 2),
            "it calls collections.OrderedDict",
        ),
        "a nested call": (pickle.dumps({"a": [Caller(eval, code)]}, 2), "it calls __builtin__.eval"),
        "a state": (pickle.dumps(Stateful(), 2), "it calls __builtin__.print"),
        "protocol 0": (f"cos\nsystem\n(S'touch {victim}'\ntR.".encode(), "it has the opcode STRING"),
        "a class by INST": (b"(S'x'\nios\nsystem\n.", "it has the opcode STRING"),
        "an object by NEWOBJ": (pickle.dumps(Path("x"), 2), "it"),
        "names from the stack": (pickle.dumps(eval, 4), "it has the opcode FRAME"),
        "an extension": (b"\x80\x02\x82\x01.", "it has the opcode EXT1"),
        "a buffer": (b"\x80\x05\x97.", "it has the opcode NEXT_BUFFER"),
        "attributes of a function": (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
            "it sets attributes of what is no dictionary",
        ),
        "another storage": (
            b"\x80\x02(X\x07\x00\x00\x00storagecos\nsystem\nX\x01\x00\x00\x000NK\x01NtQ.",
            "it names os.system",
        ),
        "no values": (b"\x80\x02\x85.", "it takes more values than it has"),
        "no mark": (b"\x80\x02t.", ""),
        "what is not stored": (b"\x80\x02h\x05.", ""),
        "no end": (b"\x80\x02N", ""),
        "nothing": (b"", ""),
    }


@pytest.mark.parametrize("name", malicious(Path("victim")))
@pytest.mark.parametrize("place", range(5))
def test_no_pickle_runs_code_wherever_it_stands(name: str, place: int, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    bad, complaint = malicious(victim)[name]
    good = [
        *map(torch_files.pickled, torch_files.HEADER),
        torch_files.pickled(OrderedDict()),
        torch_files.pickled([]),
    ]
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join([*good[:place], bad, *good[place + 1 :]]))
    message = refusal(path)
    assert complaint in message
    assert "nothing in it was run" in message
    assert not victim.exists()


def tensor(**changes: Any) -> bytes:
    """Return a dictionary of one tensor of 2 × 3, with changes of what it says of itself."""
    storage = torch_files._Storage("0", np.zeros(changes.pop("size", 6), np.float32))
    one = torch_files._Tensor(storage, (2, 3), (3, 1))
    given = dict(zip(("storage", "offset", "shape", "strides"), one.arguments, strict=False)) | changes
    one.arguments = (*given.values(), False, OrderedDict())
    return torch_files.pickled(OrderedDict(a=one))


@pytest.mark.parametrize(
    ("described", "complaint"),
    [
        (tensor(offset=1), "a tensor goes beyond its storage"),
        (tensor(offset=-1), "a tensor is no part of a storage"),
        (tensor(shape=(2, 4)), "a tensor goes beyond its storage"),
        (tensor(shape=(10**9, 10**9), strides=(0, 0)), "a tensor goes beyond its storage"),
        (tensor(shape=(-2, 3)), "a tensor is no part of a storage"),
        (tensor(strides=(3, -1)), "a tensor is no part of a storage"),
        (tensor(storage="0"), "a tensor is no part of a storage"),
        (tensor(size=10**6), "the storage 0 is not whole"),
        (torch_files.pickled({"a": 1}), "it is no dictionary of tensors"),
        (torch_files.pickled([1]), "it is no dictionary of tensors"),
    ],
)
def test_tensors_that_cannot_be_are_refused(described: bytes, complaint: str, tmp_path: Path) -> None:
    numbers = (6).to_bytes(8, "little") + bytes(24)
    parts = [*map(torch_files.pickled, torch_files.HEADER), described, torch_files.pickled(["0"]), numbers]
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(parts))
    assert complaint in refusal(path)


READS = """
import sys
from pathlib import Path
from deepfake_ensemble.architectures.efficientnet_lite0 import load_tensors
load_tensors(Path(sys.argv[1]))
"""
# Two million tuples, each in the next: no stack is deep enough to hash or compare them.
DEEP = b")" + b"\x85" * 2_000_000


@pytest.mark.parametrize(
    ("described", "keys"),
    [
        (b"\x80\x02}" + DEEP + b"Ns.", torch_files.pickled([])),
        (b"\x80\x02}(" + DEEP + b"Nu.", torch_files.pickled([])),
        (torch_files.pickled({}), b"\x80\x02](" + DEEP + b"e."),
        (torch_files.pickled({}), b"\x80\x02" + DEEP + b"."),
        (
            tensor().replace(b"K\x00K\x02K\x03\x86", DEEP + DEEP + b"\x85"),
            torch_files.pickled(["0"]),
        ),
    ],
    ids=["an item's key", "items' keys", "a storage's key", "the storages' keys", "a tensor's place"],
)
def test_tuples_nested_two_million_deep_are_refused(described: bytes, keys: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join([*map(torch_files.pickled, torch_files.HEADER), described, keys]))
    # In a process of its own, which a stack that overflows would end.
    reads = [sys.executable, "-c", READS, str(path)]
    done = subprocess.run(reads, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert "nothing in it was run" in done.stderr.splitlines()[-1]


def test_a_file_that_is_cut_off_anywhere_is_refused(file: Path) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        refusal(file)


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    assert "`dvc repro` fetches them" in refusal(tmp_path / "weights.pth")
