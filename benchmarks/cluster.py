"""Run the active profile as chains on two workers of Ray on this host, and compare it with `dvc repro`.

    python benchmarks/cluster.py [--workers 2] [--kill worker|head] [--expected FOLDER] [--commit COMMIT]

In a new clone: units have a cache of their own and share nothing with the head but a folder that is DVC's
remote. With --kill, the worker of one training is killed by SIGKILL after a minute of it, or the head, which
is then started again. The results are compared with those in FOLDER, of the same commit on this machine;
without one, `dvc repro` makes them first. A quarter of an hour for the sample. Writes
docs/measurements/cluster.json.
"""

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from deepfake_ensemble.cluster.orders import lock_entries
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.workflow.verify import outs
from harness import ENVIRONMENT, FOLDER, keep, options, seconds

FILE = FOLDER / "cluster.json"
AFTER = 60  # seconds of a training


def kill(head: subprocess.Popen[str], what: str) -> str:
    """Kill the worker under which a training has run for a minute, or the head; return what it trained."""
    while head.poll() is None:
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(head.pid).children(recursive=True):
                command = process.cmdline()
                training = any(word.endswith(".stages.train") for word in command[1:3])
                if training and time.time() - process.create_time() > AFTER:
                    worker = next(each for each in process.parents() if each.name().startswith("ray::"))
                    (head if what == "head" else worker).kill()
                    return command[-1]
        time.sleep(1)
    return ""


def run(
    command: list[str], folder: Path, scratch: str, killed: Callable[[subprocess.Popen[str]], None]
) -> list[str]:
    """Run a head, show what it prints, and return the stages that it ran itself.

    Args:
        command: of the head.
        folder: the study's clone.
        scratch: where Ray keeps its files.
        killed: runs beside it, and may kill it.
    """
    head = subprocess.Popen(
        command,
        cwd=folder,
        # Ray would end trainings when others fill this host's memory.
        env={**ENVIRONMENT, "TMPDIR": scratch, "RAY_memory_monitor_refresh_ms": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    threading.Thread(target=killed, args=(head,), daemon=True).start()
    ran = []
    assert head.stdout is not None
    for line in head.stdout:
        print(line, end="", flush=True)
        ran += re.findall(r"^Running stage '([^']+)'", line)
    head.wait()
    return ran


def main() -> None:
    """Run both, and keep what came out."""
    parser = options(__doc__, FILE)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill", choices=["worker", "head"])
    parser.add_argument("--expected", type=Path)
    parser.add_argument("--commit", default="HEAD")
    arguments = parser.parse_args()
    figures: dict[str, object] = {"workers": arguments.workers}
    with tempfile.TemporaryDirectory(prefix="cluster-") as scratch:
        clones = [Path(scratch) / name for name in ("chains", "alone")]
        for clone in clones:
            seconds(["git", "clone", "--quiet", ".", str(clone)], Path.cwd())
            seconds(["git", "checkout", "--quiet", "--detach", arguments.commit], clone)
        there, alone = clones[0], arguments.expected or clones[1]
        if not arguments.expected:
            figures["seconds_alone"] = seconds(["dvc", "repro"], alone)
        remote = f"{scratch}/remote"
        seconds(["dvc", "remote", "add", "--quiet", "--local", "--default", "store", remote], there)
        head = [sys.executable, "-m", "deepfake_ensemble.cluster"]
        head += ["--on=ray", "--remote", f"--workers={arguments.workers}"]
        codes: list[int] = []

        def beside(process: subprocess.Popen[str]) -> None:
            if arguments.kill and not codes:
                figures["killed"] = kill(process, arguments.kill)
            codes.append(process.wait())

        start = time.monotonic()
        ran = run(head, there, scratch, beside)
        if arguments.kill == "head":
            ran += run(head, there, scratch, beside)
        figures |= {"exit_codes": codes, "seconds": round(time.monotonic() - start, 1)}
        ours, theirs = (lock_entries(folder) for folder in (there, alone))
        figures["results"] = len(outs({"stages": theirs}))
        figures["same_results"] = sum(
            outs({"stages": ours}).get(path) == md5 for path, md5 in outs({"stages": theirs}).items()
        )
        figures["same_lock"] = (there / "dvc.lock").read_bytes() == (alone / "dvc.lock").read_bytes()
        figures["head_ran"] = ran
    keep(arguments.file, figures, f"{arguments.kill}_killed" if arguments.kill else "undisturbed")
    print({name: value for name, value in figures.items() if name != "head_ran"})


if __name__ == "__main__":
    with exiting():
        main()
