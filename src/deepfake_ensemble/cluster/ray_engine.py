"""Start units on Ray: on this host alone, or on a cluster that runs already.

A unit that dies, with its worker or its host, is started again elsewhere; one that fails by an error of its
own is not.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from deepfake_ensemble.cluster import snapshots
from deepfake_ensemble.cluster.orders import read_order
from deepfake_ensemble.cluster.unit import DIED, Died, scratch_folder
from deepfake_ensemble.distributed.ray_session import require_gpus, started
from deepfake_ensemble.foundation.errors import UserError, first_line
from deepfake_ensemble.foundation.files import replacing_file

RETRIES = 3


def run(
    folder: Path, numbers: Sequence[int], *, address: str = "", workers: int = 0, unfinished: Path | None
) -> list[str]:
    """Run chains, as many at once as the cluster has GPUs, or processors where it has none.

    Args:
        folder: the order; it gets the answers.
        numbers: of the chains, the longest first.
        address: of a cluster; without one, Ray is started on this host and ends with the chains.
        workers: how many chains run at once on this host; by itself one for each GPU, or one where there is
            none.
        unfinished: where all hosts of the cluster keep unfinished trainings; None: each for itself.

    Returns:
        A line for each chain that failed.

    Raises:
        UserError: if Ray is not installed, the cluster cannot be reached, or this host has fewer GPUs.
    """
    gpus = None if address else require_gpus(workers)
    ray = started(address, cpus=workers or 1, gpus=gpus)
    try:
        parts = {name: (folder / name).read_bytes() for name in ("order.json", snapshots.BUNDLE)}
        gpu = ray.cluster_resources().get("GPU", 0) > 0
        task = ray.remote(
            num_gpus=int(gpu),
            num_cpus=int(not gpu),  # on GPUs as many as these are, however many cores a host gives
            max_retries=RETRIES,
            retry_exceptions=[Died],
            max_calls=1,
            scheduling_strategy="SPREAD",
        )(_unit)
        sent = ray.put(parts)
        running = {task.remote(sent, number, unfinished): number for number in numbers}
        chains, failed = read_order(folder).chains, []
        while running:
            (done,), _ = ray.wait(list(running))
            chain = chains[running.pop(done)]
            try:
                answer = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                failed.append(str(error.cause))
            except ray.exceptions.RayError as error:
                failed.append(f"{chain.name}: died {RETRIES + 1} times: {first_line(error)}")
            else:
                with replacing_file(folder / "answers" / chain.answer) as partial:
                    partial.write_bytes(answer)
                print(f"cluster: {chain.name} is done", flush=True)
        return failed
    finally:
        ray.shutdown()


def _unit(parts: Mapping[str, bytes], number: int, unfinished: Path | None) -> bytes:
    """Run a unit in a process of its own, and return its answer; what Ray runs on a worker."""
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as scratch:
        folder = Path(scratch)
        for name, content in parts.items():
            (folder / name).write_bytes(content)
        command = [sys.executable, "-m", "deepfake_ensemble.cluster.unit", str(folder), str(number)]
        code, said = run_while_here([*command, *(["--unfinished", str(unfinished)] if unfinished else [])])
        if code == DIED or code < 0:
            raise Died(said or f"chain {number}: ended by signal {-code}")
        if code:
            raise UserError(said)
        (answer,) = (folder / "answers").iterdir()
        return answer.read_bytes()


# A guard waits for a line beside the command: when whoever started both ends without having written it, so do
# they.
_GUARDED = 'exec 3<&0; { read -r _ <&3 || kill -KILL -$$; } >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'


def run_while_here(command: Sequence[str]) -> tuple[int, str]:
    """Run a command that ends, with all that it has started, when this process does, however it ends.

    Returns:
        Its exit code, and the last line of its standard error.
    """
    with subprocess.Popen(
        ["sh", "-c", _GUARDED, "sh", *command],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as unit:
        assert unit.stderr is not None and unit.stdin is not None
        said = ""
        for line in unit.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            said = line.strip() or said
        code = unit.wait()
        unit.stdin.write("\n")
    return code, said
