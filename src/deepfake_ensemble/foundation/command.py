"""What all stages have in common on the command line."""

import argparse
import errno
import fcntl
import inspect
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.filesize import decimal

from deepfake_ensemble.foundation import params, processor
from deepfake_ensemble.foundation.errors import UserError


def run(main: Callable[..., None]) -> NoReturn:
    """Call a stage's `main` with the command line's arguments, and exit.

    What the user can mend is one line on standard error and exit code 1. A termination signal ends the stage
    like Ctrl-C does, so that nothing half-written stays behind.
    """
    module = inspect.getmodule(main)
    name = module.__spec__.name if module and module.__spec__ else main.__name__
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=module.__doc__ if module else None)
    for argument in inspect.signature(main).parameters:
        parser.add_argument(argument)
    arguments = vars(parser.parse_args())
    stage = "@".join([name.rpartition(".")[2], *arguments.values()])
    signal.signal(signal.SIGTERM, _terminate)
    # Colab's and Jupyter's own lies in their packages: Matplotlib could not even be imported with it.
    os.environ["MPLBACKEND"] = "svg"
    # Both would heed settings that lie in the user's home, and leave files there.
    os.environ["KERAS_HOME"] = os.devnull
    os.environ["MPLCONFIGDIR"] = str(Path(".dvc/tmp/matplotlib").absolute())
    try:
        with exclusive(stage):
            main(**arguments)
    except UserError as error:
        sys.exit(f"{stage}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{stage}: interrupted; nothing half-written is left; run the same command again")
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            raise
        trouble = f"{error.filename or 'disk'}: {error.strerror}"
        if error.errno == errno.ENOSPC:
            trouble += f", {decimal(shutil.disk_usage('.').free)} are free in this folder"
        sys.exit(f"{stage}: {trouble}: {remedy}")
    sys.exit(0)


_REMEDIES = {
    errno.ENOSPC: "make room (`dvc gc --workspace` frees results of other runs) and run it again",
    errno.EDQUOT: "your quota is used up; make room and run it again",
    errno.EFBIG: "files may not be that large here (`ulimit -f`); lift the limit and run it again",
    errno.EROFS: "the disk cannot be written to; clone the project to one that can",
    errno.EACCES: "give yourself the permission (chmod) and run it again",
}


@contextmanager
def exclusive(stage: str) -> Iterator[None]:
    """Keep a second process from the same stage, whose results it would overwrite.

    DVC sees to that while it lives; killed, it leaves the stage it started running on its own.

    Raises:
        UserError: if another process is at it.
    """
    path = Path(".dvc/tmp/stages") / f"{stage}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process and its forks
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip()
            raise UserError(
                f"process {pid} is still running this stage, without DVC: wait for it, or end it"
                f" (`kill {pid}`), then run the same command again"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb the clearing up
    raise KeyboardInterrupt


def pin_processor(profile: str) -> processor.Processor:
    """Pin the processor as the active profile says, before anything that computes is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its notes of what is missing hide what matters
    settings = params.read(f"{profile}.processor", processor.Processor)
    processor.pin(settings)
    return settings
