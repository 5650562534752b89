"""Run one chain of an order in a clone of its own, and leave its answer.

Anything that can start a command can run it: a loop in a shell, an array of Slurm, Ray. It fetches what the
chain reads, has DVC run its stages, sends what they made (objects and run cache), and writes their entries of
dvc.lock into the order's answers. Run again, or twice at once, it does no harm: the results are the same.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

from deepfake_ensemble.cluster import snapshots
from deepfake_ensemble.cluster.orders import (
    Answer,
    Chain,
    Maker,
    lock_entries,
    prerequisites,
    read_answer,
    read_order,
    stages_environment,
    tool,
)
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.workflow.machine import machine
from deepfake_ensemble.workflow.repro import NOISE

DIED = 75  # exit code (EX_TEMPFAIL): a process was killed, and the same command may succeed
KEPT = Path("models/checkpoints")  # unfinished trainings


class Died(Exception):
    """A stage was killed: no error of its own."""


def run(folder: Path, number: int, scratch: Path, unfinished: Path | None = None) -> None:
    """Run a chain of an order, unless its answer is there.

    Args:
        folder: the order.
        number: which of its chains.
        scratch: a folder of this host, for clones and the cache.
        unfinished: a folder for the states of unfinished trainings; shared, another host goes on with them.

    Raises:
        UserError: if a stage fails by an error of its own, or what it reads cannot be fetched.
        Died: if a stage was killed.
    """
    order = read_order(folder)
    if not 0 <= number < len(order.chains):
        raise UserError(f"{folder}: has no chain {number}; it has {len(order.chains)}, from 0 on")
    chain, start = order.chains[number], time.monotonic()
    if read_answer(folder, chain):
        return
    with _clone(folder, chain, scratch / "clones") as clone:
        project = clone / order.project
        order.storage.connect(project, cache=scratch.resolve() / "cache")
        with states(project, (unfinished or scratch / "unfinished") / chain.snapshot / chain.name):
            # All of it, first: DVC takes a folder for whole of which a stage before has fetched a part.
            bring = "pull" if order.storage.remote else "checkout"
            tool(project, "dvc", bring, "--quiet", *prerequisites(project, chain.targets))
            _reproduce(project, chain, *(["--pull"] if order.storage.remote else []))
        if order.storage.remote:
            tool(project, "dvc", "push", "--quiet", "--run-cache", *chain.targets)
        entries = {target: lock_entries(project)[target] for target in chain.targets}
    answer = Answer(chain.snapshot, entries, maker(), round(time.monotonic() - start, 1))
    write_json(folder / "answers" / chain.answer, answer)


def maker() -> Maker:
    """Return what of this host decides over bytes."""
    here = machine()
    installed = sorted(f"{it.metadata['Name']}=={it.version}" for it in metadata.distributions())
    return Maker(
        cpu=here["cpu"],
        gpu=", ".join(sorted(set((here["gpu"] or "none").split(", ")))),
        packages=hashlib.sha256("\n".join(installed).encode()).hexdigest(),
    )


@contextmanager
def _clone(folder: Path, chain: Chain, clones: Path) -> Iterator[Path]:
    """Yield a new clone of a snapshot: DVC must never run twice in one. Killed units' clones are removed."""
    clones.mkdir(parents=True, exist_ok=True)
    for other in clones.glob("*.lock"):
        with other.open("w") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with its process
            shutil.rmtree(other.with_suffix(""), ignore_errors=True)
            other.unlink(missing_ok=True)
    clone = clones / uuid.uuid4().hex
    with clone.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            snapshots.clone(folder / snapshots.BUNDLE, chain.snapshot, clone)
            yield clone
        finally:
            shutil.rmtree(clone, ignore_errors=True)
            clone.with_suffix(".lock").unlink(missing_ok=True)


@contextmanager
def states(project: Path, folder: Path) -> Iterator[None]:
    """Let the trainings of this attempt begin where an earlier one was killed.

    Each attempt writes to a folder of its own and begins with a copy of the last one's: one that was thought
    dead and still runs never writes to the state that its successor goes on from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    earlier = sorted((it for it in folder.iterdir() if it.is_dir()), key=_newest)
    own = folder / uuid.uuid4().hex
    own.mkdir(parents=True)
    if earlier:
        _copy_states(earlier[-1], own)
    (project / KEPT).parent.mkdir(parents=True, exist_ok=True)
    (project / KEPT).symlink_to(own.resolve(), target_is_directory=True)
    yield
    shutil.rmtree(folder, ignore_errors=True)


def _newest(folder: Path) -> float:
    newest = 0.0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a state that its training, still running, has just replaced
            newest = max(newest, file.stat().st_mtime)
    return newest


def _copy_states(source: Path, target: Path) -> None:
    # A state before the best weights beside it: newer ones beside an older state do no harm, the reverse
    # would.
    files = sorted((it for it in source.rglob("*") if it.is_file()), key=lambda it: it.name != "state.npz")
    for file in files:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # its training is still running, and has just succeeded
            shutil.copy2(file, copy)


def _reproduce(project: Path, chain: Chain, *options: str) -> None:
    """Have DVC run the chain's stages, show what they say, and tell an error of theirs from a kill."""
    # Only these, in their order: what they read is as the head's lock says, and need not be here but for
    # them.
    command = ["repro", "--single-item", *options, *chain.targets]
    error, hidden = "", []
    with subprocess.Popen(
        [sys.executable, "-m", "dvc", *command],
        cwd=project,
        env=stages_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as dvc:
        assert dvc.stdout is not None
        for line in dvc.stdout:
            if NOISE.match(line.rstrip()):
                hidden.append(line)
            else:
                print(f"{chain.name}: {line}", end="", flush=True)
            error = line.strip() if line.startswith("ERROR:") else error
    if dvc.returncode == 0:
        return
    print("".join(hidden), end="", flush=True)
    ended = re.search(r"exited with (-?\d+)", error)
    if dvc.returncode < 0 or (ended and not 0 <= int(ended[1]) <= 128):
        raise Died(f"{chain.name}: killed: {error or f'signal {-dvc.returncode}'}")
    raise UserError(f"{chain.name}: {error.removeprefix('ERROR: ') or 'dvc repro failed, see above'}")


def scratch_folder() -> Path:
    """Return this user's folder for clones and cache among the temporary ones (TMPDIR).

    Raises:
        UserError: if it is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"deepfake-ensemble-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder}: belongs to somebody else; name another folder with --scratch")
    return folder


def main() -> None:
    """Run the chain that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m deepfake_ensemble.cluster.unit", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("order", type=Path, help="the folder that the head has written")
    parser.add_argument("number", type=int, help="which of its chains, from 0 on")
    parser.add_argument("--scratch", type=Path, help="where clones and cache go (default: below TMPDIR)")
    parser.add_argument("--unfinished", type=Path, help="where unfinished trainings go (default: in scratch)")
    arguments = parser.parse_args()
    try:
        run(arguments.order, arguments.number, arguments.scratch or scratch_folder(), arguments.unfinished)
    except UserError as error:
        sys.exit(str(error))
    except Died as died:
        print(died, file=sys.stderr)
        sys.exit(DIED)


if __name__ == "__main__":
    main()
