"""What runs the chains of an order: one after another here, Ray, Slurm, or whoever reads what is printed."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deepfake_ensemble.cluster import ray_engine, unit
from deepfake_ensemble.cluster.head import Handing
from deepfake_ensemble.cluster.orders import missing, read_order
from deepfake_ensemble.distributed.ray_session import host_gpus
from deepfake_ensemble.foundation.errors import UserError


def in_turn(
    folder: Path, numbers: Sequence[int], *, scratch: Path | None, unfinished: Path | None
) -> list[str]:
    """Run chains one after another in this process; return a line for each that failed."""
    failed = []
    for number in numbers:
        try:
            unit.run(folder, number, scratch or unit.scratch_folder(), unfinished)
        except (UserError, unit.Died) as error:
            failed.append(str(error))
    return failed


# Slurm itself starts a job again whose host is gone; this, one whose stage was killed.
_AGAIN = (
    f"if [ $? = {unit.DIED} ] && [ ${{SLURM_RESTART_COUNT:-0}} -lt {ray_engine.RETRIES} ];"
    " then scontrol requeue ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID; sleep 60; else exit 1; fi"
)


def on_slurm(
    folder: Path, numbers: Sequence[int], *, options: Sequence[str], unfinished: Path | None
) -> list[str]:
    """Run chains as an array of jobs, wait for it, and return a line for each that failed.

    Args:
        folder: the order, on a file system that all hosts share.
        numbers: of the chains.
        options: of `sbatch`, such as `--gres=gpu:1`.
        unfinished: where the hosts keep unfinished trainings.
    """
    log = folder.resolve() / "logs"
    log.mkdir(exist_ok=True)
    # Of the environment only what finds the programs: a token that the head has is not for jobs.
    submitted = [
        *("sbatch", "--wait", "--requeue", "--open-mode=append", "--job-name=chains"),
        "--export=PATH,PYTHONPATH,TMPDIR",
        *(f"--array={','.join(map(str, numbers))}", f"--output={log}/%a.log", *options),
        f"--wrap={unit_command(folder, '$SLURM_ARRAY_TASK_ID', unfinished)} || {_AGAIN}",
    ]
    try:
        _submit(submitted)
    except FileNotFoundError:
        raise UserError("cluster: sbatch was not found; is this a host of a Slurm cluster?") from None
    chains = read_order(folder).chains
    return [f"{chains[number].name}: failed, {_what_tells(log, number)}" for number in missing(folder)]


def _submit(command: Sequence[str]) -> None:
    """Submit a job and wait for it.

    Raises:
        UserError: if it is not taken, with all that is said of it.
    """
    said, taken = [], False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as sbatch:
        for line in sbatch.stdout or ():
            taken = taken or line.startswith("Submitted batch job")
            said.append(line.strip())
            if taken:
                print(line, end="", flush=True)
    if sbatch.returncode and not taken:
        raise UserError(f"cluster: {'; '.join(filter(None, said)) or 'sbatch failed'}; nothing was run")


def _what_tells(log: Path, number: int) -> str:
    file = log / f"{number}.log"
    return f"see {file}" if file.exists() else f"and left no {file}; sacct tells how its job ended"


def by_hand(folder: Path, numbers: Sequence[int], *, unfinished: Path | None) -> list[str]:
    """Say how to run chains.

    Raises:
        UserError: always; the same command goes on when they have run.
    """
    loop = f"for n in {' '.join(map(str, numbers))}; do {unit_command(folder, '$n', unfinished)}; done"
    raise UserError(f"cluster: run `{loop}`, or its parts where you like, and then the same command again")


def unit_command(folder: Path, number: str, unfinished: Path | None) -> str:
    """Return the command of a unit, for a shell."""
    words = [sys.executable, "-m", "deepfake_ensemble.cluster.unit", str(folder.resolve())]
    kept = ["--unfinished", str(unfinished)] if unfinished else []
    return f"{shlex.join(words)} {number} {shlex.join(kept)}".strip()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where chains run."""
    several = host_gpus() > 1
    parser.add_argument(
        "--on",
        choices=["turn", "ray", "slurm", "hand"],
        default="ray" if several else "turn",
        help="what runs the chains; by itself Ray where this host has several GPUs, else one after another",
    )
    parser.add_argument("--workers", type=int, default=0, help="Ray here: so many chains at once")
    parser.add_argument("--address", default="", help="Ray: of a cluster that runs, HOST:PORT")
    parser.add_argument("--sbatch", default="", help="Slurm: options, such as '--gres=gpu:1 --time=8:00:00'")
    parser.add_argument(
        "--scratch", type=Path, help="one after another: where clones go (default: below TMPDIR)"
    )
    parser.add_argument("--unfinished", type=Path, help="a shared folder for unfinished trainings")
    parser.add_argument("--remote", action="store_true", help="objects travel through DVC's remote")
    parser.add_argument("--mixed", action="store_true", help="take results of several kinds of machines")


def handing(arguments: argparse.Namespace) -> Handing:
    """Return what the options of `add_arguments` say."""
    unfinished = arguments.unfinished and arguments.unfinished.resolve()  # workers have a folder of their own
    engine = {
        "turn": partial(in_turn, scratch=arguments.scratch, unfinished=unfinished),
        "ray": partial(
            ray_engine.run, address=arguments.address, workers=arguments.workers, unfinished=unfinished
        ),
        "slurm": partial(on_slurm, options=shlex.split(arguments.sbatch), unfinished=unfinished),
        "hand": partial(by_hand, unfinished=unfinished),
    }[arguments.on]
    # Hosts of a cluster have no folder in common, as far as we know.
    return Handing(engine, remote=arguments.remote or bool(arguments.address), mixed=arguments.mixed)
