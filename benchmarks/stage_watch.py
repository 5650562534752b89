"""Runs one stage's process in place of `python`, and notes what it spent its time on.

    stage_watch.py LOG -m deepfake_ensemble.studies.ensemble.stages.train cnn

The stage runs as it would, its lines pass through; Python reports each import. One line of JSON is added to
LOG: arguments, start and end (seconds since the epoch), seconds of imports and of all processors, the
packages imported, and when each line of output came.
"""

import json
import re
import resource
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*([^\s.]+)")


@dataclass(kw_only=True)
class Watched:
    """What a stage's process spent its time on; times are seconds since the epoch."""

    arguments: list[str]
    start: float
    end: float = 0.0
    import_seconds: float = 0.0
    processor_seconds: float = 0.0
    packages: list[str] = field(default_factory=list)
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def stage(self) -> str:
        """The stage's name in dvc.yaml."""
        module = self.arguments[self.arguments.index("-m") + 1]
        return "@".join([module.rpartition(".")[2], *self.arguments[self.arguments.index("-m") + 2 :][:1]])

    @property
    def seconds(self) -> float:
        return self.end - self.start


def read(log: Path) -> list[Watched]:
    """Return the processes in a log, in order."""
    return [Watched(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()]


def shim(folder: Path, log: Path) -> None:
    """Write a program `python` into `folder` which, first in PATH, lets every stage be watched."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "{log}" "$@"\n')
    program.chmod(0o755)


def watch(arguments: list[str]) -> tuple[Watched, int]:
    """Run Python with `arguments`; return what was seen, and its exit code."""
    seen = Watched(arguments=arguments, start=time.time())
    packages: dict[str, None] = {}
    command = [sys.executable, "-u", "-X", "importtime", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:

        def follow(source: Any, target: IO[str]) -> None:
            for line in source:
                imported = IMPORT.match(line)
                if imported:
                    seen.import_seconds += int(imported[1]) / 1e6
                    packages[imported[2]] = None
                elif not line.startswith("import time:"):
                    seen.lines.append((time.time(), line.rstrip("\n")))
                    target.write(line)
                    target.flush()

        reader = threading.Thread(target=follow, args=(process.stdout, sys.stdout))
        reader.start()
        follow(process.stderr, sys.stderr)
        reader.join()
    seen.end = time.time()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seen.processor_seconds = used.ru_utime + used.ru_stime
    seen.packages = sorted(packages)
    return seen, process.returncode


def main() -> None:
    log = Path(sys.argv[1])
    seen, code = watch(sys.argv[2:])
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(seen)) + "\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
