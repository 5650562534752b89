"""Saved detectors converted side by side, each in a process of its own.

tf2onnx keeps one core busy and no more. It takes many times longer for all in one graph; and what one's nodes
are called does not depend on the others.
"""

import multiprocessing
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import saved, session
from deepfake_ensemble.portable import graph

if TYPE_CHECKING:
    import onnx


def convert(
    files: Mapping[str, Path], processes: int, advance: Callable[[int], None]
) -> "dict[str, onnx.GraphProto]":
    """Convert the detectors in `files` by name; see `graph.converted`.

    Args:
        files: .keras files.
        processes: how many at once; all end with this one, however that ends.
        advance: is told of each detector that is done.

    Raises:
        UserError: if a file is missing, damaged, or holds code, or a process was killed.
    """
    # The one that takes longest comes first: last, it would go on alone at the end.
    longest_first = sorted(files, key=lambda name: _description_bytes(files[name]), reverse=True)
    spawn = multiprocessing.get_context("spawn")  # TensorFlow's threads would not be there after a fork
    done = {}
    with ProcessPoolExecutor(min(processes, len(files)), spawn, _end_with_parent) as pool:
        try:
            names = {pool.submit(_converted, name, files[name]): name for name in longest_first}
            for future in as_completed(names):
                done[names[future]] = future.result()
                advance(1)
        except BrokenProcessPool:
            raise UserError(
                "a process that converts a detector was killed, most likely for want of memory: end what else"
                " takes memory and run it again"
            ) from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()  # or leaving the pool would wait until it has converted
            raise
    return {name: done[name] for name in files}


def _description_bytes(file: Path) -> int:
    """Return how long the description of the layers is, which converting takes about in proportion to."""
    try:
        with zipfile.ZipFile(file) as opened:
            return opened.getinfo("config.json").file_size
    except (OSError, KeyError, zipfile.BadZipFile):
        return 0  # to load it says what is wrong with it


def _end_with_parent() -> None:
    # Ctrl-C reaches all processes of a terminal; the parent ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def _converted(name: str, file: Path) -> "onnx.GraphProto":
    session.start(seed=0)  # nothing is random here; the operations are made repeatable
    return graph.converted(name, saved.load(file))
