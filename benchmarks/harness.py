"""What benchmarks share: options, a process for each measurement, and one way to keep and show figures.

A benchmark NAME.py has a function that measures, `page`, which shows in Markdown what was measured, and
`main`. It keeps its figures in docs/measurements/NAME.json, with the machine and the versions they come from.
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from deepfake_ensemble.foundation import params, processor
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json, write_json
from deepfake_ensemble.workflow.machine import machine, versions

FOLDER = Path("docs/measurements")

T = TypeVar("T")

# The benchmark's own python first, as `source .venv/bin/activate` makes it.
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def options(doc: str | None, file: Path, *, models: bool = False) -> argparse.ArgumentParser:
    """Return a benchmark's parser.

    Args:
        doc: its docstring, which is its help.
        file: where it keeps its figures by default.
        models: whether it takes models of params.yaml, all by default.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=file, help=f"what to write; default {file}")
    if models:
        known = list(params.read("models", dict[str, Any]))
        parser.add_argument("models", nargs="*", default=known, metavar="MODEL")
    return parser


def alone(measure: Callable[..., T], *arguments: Any) -> T:
    """Call a module's function in a process of its own, in which nothing has been imported or traced yet."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def pin(**changes: Any) -> processor.Processor:
    """Pin this process to the processor settings of the active profile; must come before NumPy's import.

    Args:
        changes: of these settings.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    own = params.read(f"{params.active_profile()}.processor", processor.Processor)
    settings = replace(own, **changes)
    processor.pin(settings)
    return settings


def seconds(command: Sequence[str], folder: Path) -> float:
    """Run a command to its end and return how long it took.

    Raises:
        UserError: if it failed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    taken = time.perf_counter() - start
    if done.returncode:
        raise UserError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-3000:]}")
    return round(taken, 3)


def measured_on() -> dict[str, Any]:
    """Return what stands at the head of every file of measurements."""
    return {"machine": machine(), "versions": versions()}


def kept(file: Path) -> dict[str, Any]:
    """Return what a file of measurements holds; nothing if there is none."""
    return read_json(file) if file.is_file() else {}


def keep(file: Path, figures: Mapping[str, Any], part: str | None = None) -> None:
    """Write figures, and where they come from, to a file of measurements; what else it holds stays.

    Args:
        file: the file of measurements.
        figures: what was measured.
        part: of the file, if its parts come from different machines.
    """
    new = measured_on() | figures
    write_json(file, kept(file) | ({part: new} if part else new))
    print(f"{file}: written")


def of_several(values: Sequence[float], digits: int = 1) -> str:
    """Return the median and, if there are several, the smallest and the largest."""
    median = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def here(results: Mapping[str, Any]) -> str:
    """Return in a clause where results were measured, for a page."""
    found = results["machine"]
    return f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB"
