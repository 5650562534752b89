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
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
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
    # The one that takes longest is begun first: last, it would go on alone at the end.
    waiting = sorted(files, key=lambda name: _description_bytes(files[name]))
    running: dict[Connection, tuple[str, SpawnProcess]] = {}
    done = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                name = waiting.pop()
                receiver, process = _started(name, files[name])
                running[receiver] = name, process
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                name, process = running[ready]
                done[name] = _received(ready, name, process)
                process.join()
                del running[ready]
                advance(1)
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    return {name: done[name] for name in files}


def _description_bytes(file: Path) -> int:
    """Return how long the description of the layers is, which converting takes about in proportion to."""
    try:
        with zipfile.ZipFile(file) as opened:
            return opened.getinfo("config.json").file_size
    except (OSError, KeyError, zipfile.BadZipFile):
        return 0  # to load it says what is wrong with it


def _started(name: str, file: Path) -> tuple[Connection, SpawnProcess]:
    spawn = multiprocessing.get_context("spawn")  # TensorFlow's threads would not be there after a fork
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_convert, args=(name, file, sender), daemon=True)
    resource_tracker.ensure_running()  # to begin it, as the first process would, lets Ctrl-C through again
    # Ctrl-C reaches all processes of a terminal. In the new ones it stays blocked: this one ends them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sender.close()  # the only one left is the process's, so that its death is the end of what is received
    return receiver, process


def _received(receiver: Connection, name: str, process: SpawnProcess) -> "onnx.GraphProto":
    try:
        result = receiver.recv()
    except (EOFError, OSError):
        process.join()
        if process.exitcode == -signal.SIGKILL:
            raise UserError(
                f"the process that converts {name} was killed, most likely for want of memory: end what else"
                " takes memory and run it again"
            ) from None
        raise RuntimeError(f"converting {name} ended with exit code {process.exitcode}") from None
    if isinstance(result, UserError):
        raise result
    return result


def _convert(name: str, file: Path, sender: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # nothing is computed, and one process would take all of a GPU
    try:
        session.start(seed=0)  # nothing is random here; the operations are made repeatable
        sender.send(graph.converted(name, saved.load(file)))
    except UserError as error:
        sender.send(error)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
