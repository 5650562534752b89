"""Work done beside this process, in one of its own that ends with it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from deepfake_ensemble.foundation.errors import UserError


@dataclass(frozen=True)
class Beside:
    """A process at work, what it does, and where its result arrives."""

    what: str
    process: BaseProcess
    receiver: Connection


def begun(method: Literal["fork", "spawn"], what: str, work: Callable[..., Any], *arguments: Any) -> Beside:
    """Start `work(*arguments)` in a process of its own.

    Args:
        method: a fork has all that is imported at once, but not the threads of libraries such as TensorFlow;
            what is spawned starts from nothing.
        what: the work as a sentence has it after "the process that".
        work: for "spawn" a module's function, whose arguments can be pickled; its result can be in any case.
    """
    context: Any = multiprocessing.get_context(method)  # the class of both has no Process, by its type hints
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, work, arguments), daemon=True)
    if method == "spawn":
        resource_tracker.ensure_running()  # the first process would begin it, and let Ctrl-C through again
    # Ctrl-C reaches all processes of a terminal. In the new one it stays blocked: this one ends it. SIGTERM
    # is blocked until the new one has put aside the handler that a fork inherits.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sender.close()  # the only one left is the process's, so that its death is the end of what is received
    return Beside(what, process, receiver)


def result(beside: Beside) -> Any:
    """Wait for a process and return what its work did.

    Raises:
        UserError: the work's own, or that the process was killed.
        RuntimeError: if it failed otherwise; it has then printed how.
    """
    try:
        received = beside.receiver.recv()
    except (EOFError, OSError):
        beside.process.join()
        code = beside.process.exitcode
        if code == -signal.SIGKILL:
            raise UserError(
                f"the process that {beside.what} was killed, most likely for want of memory: end what else"
                " takes memory and run it again"
            ) from None
        raise RuntimeError(f"the process that {beside.what} ended with exit code {code}") from None
    beside.process.join()
    if isinstance(received, UserError):
        raise received
    return received


def end(beside: Beside) -> None:
    """End a process whose result is not wanted any more."""
    beside.process.kill()
    beside.process.join()


def _work(sender: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        sender.send(work(*arguments))
    except UserError as error:
        sender.send(error)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
