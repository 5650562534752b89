"""Saved detectors converted side by side, each in a process of its own.

tf2onnx keeps one core busy and no more. It takes many times longer for all in one graph; and what one's nodes
are called does not depend on the others.
"""

import os
import zipfile
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, cast

from deepfake_ensemble.models import saved, session
from deepfake_ensemble.portable import graph, processes

if TYPE_CHECKING:
    import onnx


def convert(
    files: Mapping[str, Path], at_once: int, advance: Callable[[int], None]
) -> "dict[str, onnx.GraphProto]":
    """Convert the detectors in `files` by name; see `graph.converted`.

    Args:
        files: .keras files.
        at_once: how many processes; all end with this one, however that ends.
        advance: is told of each detector that is done.

    Raises:
        UserError: if a file is missing, damaged, or holds code, or a process was killed.
    """
    # The one that takes longest is begun first: last, it would go on alone at the end.
    waiting = sorted(files, key=lambda name: _description_bytes(files[name]))
    running: dict[str, processes.Beside] = {}
    done = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop()
                # TensorFlow's threads would not be there after a fork.
                running[name] = processes.begun("spawn", f"converts {name}", _convert, name, files[name])
            arrived = wait([beside.receiver for beside in running.values()])
            for name in [name for name, beside in running.items() if beside.receiver in arrived]:
                done[name] = cast("onnx.GraphProto", processes.result(running[name]))
                del running[name]
                advance(1)
    finally:
        for beside in running.values():
            processes.end(beside)
    return {name: done[name] for name in files}


def _description_bytes(file: Path) -> int:
    """Return how long the description of the layers is, which converting takes about in proportion to."""
    try:
        with zipfile.ZipFile(file) as opened:
            return opened.getinfo("config.json").file_size
    except (OSError, KeyError, zipfile.BadZipFile):
        return 0  # to load it says what is wrong with it


def _convert(name: str, file: Path) -> "onnx.GraphProto":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # nothing is computed, and one process would take all of a GPU
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    return graph.converted(name, saved.load(file))
