"""Run the pipeline and measure each stage: wall time, and peak memory.

    python benchmarks/measured_run.py            # what is not up to date
    python benchmarks/measured_run.py --force --no-run-cache    # everything; options go to `dvc repro`

What it measured goes to docs/measurements/PROFILE.json, with the processor, the versions and the params; the
reports that docs/results.md shows (none of the sample's) are copied beside it, so that `make results` can
write that page later, when the workspace holds another profile's. A stage that was up to date keeps its
earlier measurement, if that was of the same run of it, also where a command was interrupted later. `scored`
has a digest of each ensemble's trained models that the test images were shown to.

The time of a stage is from DVC's announcement of it to the next: the interpreter, the work, and DVC's hashing
of its results. Its memory is the sum of its processes' peaks (on Linux the kernel's own, looked at five times
a second; elsewhere the highest seen).
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import replacing_folder, write_json
from deepfake_ensemble.workflow.machine import commit
from deepfake_ensemble.workflow.results import KEPT
from harness import ENVIRONMENT, FOLDER, keep, kept

ANNOUNCED = re.compile(r"^(Running stage|Stage) '([^']+)'")
SECONDS_BETWEEN_LOOKS = 0.2
# Each stage's last measurement, noted as soon as the stage has ended.
LAST = Path(".dvc/tmp/measured_run.json")


class Watch:
    """The peak memory of the processes below one, stage by stage; `stage` is set from outside."""

    def __init__(self, pid: int) -> None:
        self.stage = ""
        self.peaks: dict[str, int] = {}  # stage → bytes
        self._root = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        seen: dict[str, dict[int, int]] = {}  # stage → process → its peak
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            processes = seen.setdefault(self.stage, {})
            for pid, peak in _memory_below(self._root):
                processes[pid] = max(peak, processes.get(pid, 0))
            self.peaks[self.stage] = sum(processes.values())


def _memory_below(root: psutil.Process) -> Iterator[tuple[int, int]]:
    try:
        children = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for child in children:
        try:
            yield child.pid, _peak(child)
        except (psutil.Error, OSError):
            continue  # it has just ended


def _peak(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), flags=re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return process.memory_info().rss


def run(options: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    """Run `dvc repro`, show what it prints, and yield each stage that ran, once it has ended.

    Yields:
        Its name, and its seconds and peak MiB.

    Raises:
        UserError: if it failed.
    """
    with subprocess.Popen(
        ["dvc", "repro", *options],
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},  # so that each line comes when it is printed
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        watch = Watch(process.pid)
        began = time.monotonic()

        def ended() -> Iterator[tuple[str, dict[str, float]]]:
            if watch.stage:
                peak = round(watch.peaks.get(watch.stage, 0) / 2**20)
                yield watch.stage, {"seconds": round(time.monotonic() - began, 1), "peak_mib": peak}

        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            announced = ANNOUNCED.match(line)
            if announced:
                yield from ended()
                began, watch.stage = time.monotonic(), announced[2] if announced[1] == "Running stage" else ""
        process.wait()
        watch.stop()
        if process.returncode:
            raise UserError(f"dvc repro: it ended with code {process.returncode}; what is above says why")
        yield from ended()


def _runs() -> dict[str, str]:
    """Return for each stage in dvc.lock a hash of what it last ran with and made."""
    lock = params.load(Path("dvc.lock"))
    return {
        name: hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]
        for name, entry in lock["stages"].items()
    }


def scored(stages: Iterable[str]) -> list[str]:
    """Return a digest of the trained models that `predict` showed the test images to, if there are any.

    Args:
        stages: those of this run; dvc.lock may hold others, of another profile's members.
    """
    lock = params.load(Path("dvc.lock"))["stages"]
    models = [
        dep["md5"]
        for name in sorted(stages)
        if name.startswith("predict@")
        for dep in lock[name]["deps"]
        if dep["path"].startswith("models/")
    ]
    return [hashlib.sha256(" ".join(models).encode()).hexdigest()[:16]] if models else []


def keep_reports(folder: Path) -> None:
    """Copy the reports that docs/results.md shows to `folder`, laid out as `reports/`."""
    with replacing_folder(folder) as partial:
        for pattern in KEPT:
            for report in sorted(Path("reports").glob(pattern)):
                target = partial / report.relative_to("reports")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(report, target)


def main() -> None:
    data = params.load()
    profile = params.active_profile().removeprefix("profiles.")
    file = FOLDER / f"{profile}.json"
    before, now = kept(file).get("stages", {}), 0
    for name, figures in run(sys.argv[1:]):
        # DVC has written the stage into dvc.lock before it announces the next one.
        write_json(LAST, kept(LAST) | {name: figures | {"run": _runs().get(name)}})
        now += 1
    last, stages = kept(LAST), {}
    for name, of_run in _runs().items():
        told = (of.get(name, {}) for of in (last, before))
        if found := next((each for each in told if each.get("run") == of_run), None):
            stages[name] = found
    keep(
        file,
        {
            "profile": profile,
            # Params are told beside it, and results are no code.
            "commit": commit(apart_from=("params.yaml", "dvc.lock", "reports", "docs"), digits=12),
            "params": data | {"profiles": {profile: data["profiles"][profile]}},
            "stages": stages,
            # Each time the test images were looked at counts, whatever became of that training.
            "scored": sorted({*kept(file).get("scored", ()), *scored(stages)}),
        },
    )
    if data["profiles"][profile]["source"] != "sample":
        keep_reports(FOLDER / profile)
    print(f"{file}: {now} stages measured now, {len(stages) - now} before")


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(__doc__)
    with exiting():
        main()
