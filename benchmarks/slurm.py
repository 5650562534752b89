"""Run the toy study of the tests through a Slurm cluster of one host, and compare it with one that DVC ran.

    python benchmarks/slurm.py [--kill]

Starts munged, slurmctld and slurmd (Debian: slurm-wlm, munge) as root, on loopback alone, in a temporary
folder, and ends them. With --kill, a training is killed once. Prints what it found, and exits with code 1
where results differ.
"""

import argparse
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path += ["tests", "src"]

import toy_study

# Of the head's environment, what jobs get here; the toy's own is for nobody else.
EXPORTED = ("PATH", "PYTHONPATH", "TOY_LOG", "TOY_STEPS")

CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start a cluster of this host, and yield the environment in which its commands find it."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o700)
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, ports=_free_ports()))
    environment = os.environ | {"SLURM_CONF": str(configuration)}
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    daemons = []
    try:
        for command in (
            ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files],
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", host],
        ):
            with (folder / f"{command[0]}.txt").open("w") as said:
                daemons.append(subprocess.Popen(command, env=environment, stdout=said, stderr=said))
            time.sleep(1)
        wait_for(lambda: "idle" in _said(["sinfo", "--noheader", "--format=%T"], environment))
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def _free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        for it in (one, other):
            it.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]


def _said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def wait_for(true: Callable[[], object]) -> None:
    """Wait until something is true, for five minutes at most."""
    end = time.monotonic() + 300
    while not true():
        assert time.monotonic() < end, "waited for five minutes"
        time.sleep(0.1)


def main() -> None:
    """Run the toy study both ways."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kill", action="store_true", help="kill a training once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slurm-") as scratch:
        there = toy_study.make(Path(scratch) / "alone")
        there.dvc("repro", environment=there.environment)
        elsewhere = toy_study.make(Path(scratch) / "toy")
        command = ["deepfake_ensemble.cluster", "--on", "slurm", f"--sbatch=--export={','.join(EXPORTED)}"]
        with slurm(Path(scratch) / "slurm") as environment:
            start = time.monotonic()
            head = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=elsewhere.folder,
                env=elsewhere.environment | environment | {"TOY_STEPS": "40"},
            )
            if arguments.kill:
                step = re.compile(r"^step \d+ of train@cnn (\d+)$", re.MULTILINE)
                log = elsewhere.log
                wait_for(lambda: log.exists() and len(step.findall(log.read_text())) > 5)
                os.kill(int(step.findall(log.read_text())[-1]), signal.SIGKILL)
            code = head.wait()
            seconds = time.monotonic() - start
        same = {path for path, content in there.results().items() if elsewhere.results().get(path) == content}
        locks = there.yaml("dvc.lock") == elsewhere.yaml("dvc.lock")
        print(f"slurm: exit code {code}, {seconds:.0f} s; the head ran {', '.join(elsewhere.ran(here=True))}")
        print(f"slurm: jobs ran {', '.join(elsewhere.ran(here=False))}")
        print(
            f"slurm: {len(same - {'dvc.lock'})} of {len(there.results()) - 1} results are the same bytes;"
            f" dvc.lock says {'the same' if locks else 'something else'}"
        )
        if code or len(same | {"dvc.lock"}) < len(there.results()) or not locks:
            sys.exit(1)


if __name__ == "__main__":
    main()
