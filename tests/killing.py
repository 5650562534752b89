"""Run the pipeline and kill it at a chosen moment, as a power cut or a lack of memory does."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from clones import ENVIRONMENT, Clone, ran

Victim = Literal["stage", "dvc", "group"]
VICTIMS: tuple[Victim, ...] = ("stage", "dvc", "group")


@dataclass(frozen=True)
class Kill:
    """SIGKILL to a stage's process, to DVC alone, or to both.

    It comes `after` so many seconds from the stage's beginning, or, where it is to come `once_saved`, from
    when the training has kept its state for the first time in this run.
    """

    stage: str
    after: float
    victim: Victim
    once_saved: bool = False


def drawn(seconds: Mapping[str, float], count: int, seed: int) -> list[Kill]:
    """Draw kills at random moments, half of them in trainings and each victim in turn.

    `seconds` says how long each stage takes, in the order in which they run.
    """
    rng = random.Random(seed)
    trainings = [stage for stage in seconds if stage.startswith("train@")]
    others = [stage for stage in seconds if stage not in trainings]
    hit = [trainings[i % len(trainings)] for i in range(count - count // 2)]
    hit += rng.sample(others, k=count // 2)
    hit.sort(key=list(seconds).index)
    # A training that is killed several times goes on each time, and shall not have ended before the last.
    latest = {stage: seconds[stage] / hit.count(stage) for stage in hit}
    return [Kill(stage, rng.uniform(0, latest[stage]), VICTIMS[i % 3]) for i, stage in enumerate(hit)]


def run_and_kill(there: Clone, kill: Kill) -> tuple[str, bool]:
    """Run a stage and what it needs, and kill it as told: what DVC printed, and whether it was in time.

    Not the whole pipeline, because DVC runs stages that need not wait for each other in any order.

    Where DVC alone was killed and its stage lives on, the stage is run once more beside it, which it must
    refuse; then it is ended too.
    """
    log = there.folder.parent / "killed.log"
    with log.open("w") as out:
        running = subprocess.Popen(
            ["dvc", "repro", kill.stage],
            cwd=there.folder,
            env=ENVIRONMENT,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while running.poll() is None and kill.stage not in ran(_text(log)):
            time.sleep(0.02)
        before = _states(there)
        while kill.once_saved and running.poll() is None and _states(there) <= before:
            time.sleep(0.02)
        end = time.monotonic() + kill.after
        while running.poll() is None and time.monotonic() < end and ran(_text(log))[-1] == kill.stage:
            time.sleep(0.02)
        in_time = running.poll() is None
        if in_time:
            _kill(running.pid, kill.victim)
        running.wait()
        assert in_time or running.returncode == 0, _text(log)[-3000:]
        restore_lock(there)
        if in_time and kill.victim == "dvc" and _group(running.pid):
            refuses(there, kill.stage, running.pid)
    finally:
        for process in _group(running.pid):
            _end(process)
            process.wait()
    return _text(log), in_time


def restore_lock(there: Clone) -> None:
    """Go the way back that docs/troubleshooting.md names, where DVC was killed while it wrote dvc.lock."""
    whole, found = there.git("show", "HEAD:dvc.lock"), (there / "dvc.lock").read_text(encoding="utf-8")
    if found != whole:
        print(f"dvc.lock: cut off after {len(found):,} of {len(whole):,} characters")
        assert whole.startswith(found)
        there.git("checkout", "--quiet", "dvc.lock")


def refuses(there: Clone, stage: str, group: int) -> None:
    """Check that a stage is not run a second time beside the process that is still at it."""
    again = subprocess.run(
        ["dvc", "repro", "--single-item", stage],
        cwd=there.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if _group(group) and again.returncode:
        assert "is still running this stage, without DVC: wait for it" in again.stderr, again.stderr
    elif _group(group):
        assert ran(again.stdout) == []  # its results were in place already, and it was about to end


def left_behind(folder: Path) -> list[str]:
    """Return the temporary files that lie about in a clone, by path."""
    found = [path for pattern in (".partial-*", ".replaced-*", ".*.tmp") for path in folder.rglob(pattern)]
    found += (folder / "models/checkpoints").glob("*")
    return sorted(str(path.relative_to(folder)) for path in found if ".git" not in path.parts)


def _states(there: Clone) -> set[tuple[Path, int]]:
    """Return the states of unfinished trainings, each with when it was kept."""
    found = set()
    for state in (there / "models/checkpoints").glob("*/state.npz"):
        try:
            found.add((state, state.stat().st_mtime_ns))
        except FileNotFoundError:  # the training has just succeeded
            continue
    return found


def _kill(pid: int, victim: Victim) -> None:
    if victim == "dvc":
        os.kill(pid, signal.SIGKILL)
    elif victim == "group":
        os.killpg(pid, signal.SIGKILL)
    else:
        for process in reversed(_group(pid)):  # a child that waits for the one it came from would complain
            if process.pid != pid:
                _end(process)


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself since it was listed
        process.kill()


def _group(pid: int) -> list[psutil.Process]:
    """Return the living processes of the group that began with `pid`."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
