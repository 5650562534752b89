"""Commands timed one after the other, and figures of several rounds as a page shows them."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow.machine import machine, versions

# The benchmark's own python first, as `source .venv/bin/activate` makes it.
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def seconds(command: Sequence[str], folder: Path, environment: Mapping[str, str] = ENVIRONMENT) -> float:
    """Run a command to its end and return how long it took; UserError if it failed."""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    taken = time.perf_counter() - start
    if done.returncode:
        raise UserError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-3000:]}")
    return taken


def alone(program: str, *options: object) -> Any:
    """Run a benchmark's own file in a process of its own; return what it printed last, as JSON."""
    command = [sys.executable, program, *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rounds(repeats: int, measured: Callable[[], float]) -> list[float]:
    """Measure something several times."""
    return [round(measured(), 3) for _ in range(repeats)]


def of_several(values: Sequence[float], digits: int = 1) -> str:
    """Return the median and, if there are several, the smallest and the largest."""
    median = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def measured_on() -> dict[str, Any]:
    """Return what stands at the head of every file of measurements."""
    return {"machine": machine(), "versions": versions()}


def here(results: Mapping[str, Any]) -> str:
    """Return in a clause where results were measured, for a page."""
    found = results["machine"]
    return f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB"
