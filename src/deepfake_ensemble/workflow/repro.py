"""Run a study's pipeline, say how far it is, and at the end what came out: `make repro`, `make residual`.

It is `dvc repro`, to which all options go, with its output told shorter: which of how many stages runs, about
how long the rest takes, and what the stages themselves say. What TensorFlow and DVC say beside that is shown
where a stage fails, and with VERBOSE=1.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import exiting
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.studies.common.planning import Known, ask_dvc
from deepfake_ensemble.workflow.results import MEASUREMENTS
from deepfake_ensemble.workflow.verify import LOCK, outs

METRICS = Path("reports/metrics")
WEIGHTS = Path("reports/ensemble/weights.json")
ANNOUNCED = re.compile(r"(Running stage|Stage) '([^']+)'(.*)")
# TensorFlow's own log, what DVC advises, and quick work that tells its beginning and its end.
NOISE = re.compile(
    "|".join(
        (
            "$",
            "> env ",
            r"\d{4}-\d\d-\d\d [\d:.]+: [IWE] ",
            r"[IWEF]\d{4} [\d:.]+\s+\d+ \S+:\d+\]",
            "WARNING: All log messages before absl",
            "To (enable|track) ",
            "Updating lock file",
            "Use `dvc push`",
            "Data and pipelines are up to date",
            r"\s(dvc config|git add) ",
            r".*: (\d[\d,]* to do|done in \d+ s)$",
        )
    )
)


@dataclass
class Pace:
    """How long stages take here, from how long they took where the profile was measured.

    Attributes:
        measured: seconds by stage; empty if nobody measured the profile.
        took: seconds of those that have run here.
    """

    measured: Mapping[str, float]
    took: dict[str, float] = field(default_factory=dict)

    def expected(self, stage: str) -> float | None:
        """Return seconds of a stage where it was measured; of an item that was not, those of its like."""
        kind = stage.partition("@")[0]
        alike = [seconds for name, seconds in self.measured.items() if name.partition("@")[0] == kind]
        return self.measured.get(stage, mean(alike) if alike else None)

    def left(self, stages: Sequence[str]) -> float | None:
        """Return about how many seconds stages take here; None if the profile was not measured.

        What was measured of no item of a stage is taken to be short, as the stages without items are.
        """
        if not self.measured:
            return None
        known = {name: seconds for name, seconds in self.took.items() if self.expected(name)}
        there = sum(self.expected(name) or 0 for name in known)
        factor = sum(known.values()) / there if there else 1.0
        return factor * sum(self.expected(stage) or 0 for stage in stages)


def time_left(seconds: float | None) -> str:
    """Return what is left as people say it, after a comma; nothing if it is not known."""
    if seconds is None:
        return ""
    if seconds < 50:
        return ", less than a minute left"
    minutes = round(seconds / 60)
    return f", about {minutes} min left" if minutes < 100 else f", about {seconds / 3600:.0f} h left"


def shown_lines(
    lines: Iterator[str], pipeline: Sequence[Known], pace: Pace, *, everything: bool
) -> Iterator[str]:
    """Yield the lines that are shown of what `dvc repro` prints.

    Args:
        lines: of DVC and the stages.
        pipeline: all stages, in DVC's order.
        pace: learns how long the stages take.
        everything: whether noise is yielded as well.
    """
    waiting = [it.name for it in pipeline if it.runs != "no"]
    seen, running, began = 0, "", time.monotonic()
    hidden: list[str] = []
    for line in lines:
        announced = ANNOUNCED.match(line)
        if announced or line.startswith("ERROR:"):
            if running and announced:
                pace.took[running] = time.monotonic() - began
            running = ""
        if announced:
            hidden, (verb, stage, rest) = [], announced.groups()
            seen += 1
            left = pace.left([name for name in waiting if name == stage] + _after(waiting, stage))
            waiting = _after(waiting, stage)
            number = f"stage {seen} of {len(pipeline)}"
            if verb == "Running stage":
                running, began = stage, time.monotonic()
                yield f"Running stage '{stage}': {number}{time_left(left)}"
            elif "cached" in rest:
                yield f"Stage '{stage}': {number}, as in an earlier run, from DVC's cache"
        elif line.startswith("ERROR:"):
            yield from (f"    {it}" for it in hidden)
            yield line
        elif everything or not NOISE.match(line):
            yield f"    {line}"
        else:
            hidden.append(line)


def _after(stages: Sequence[str], stage: str) -> list[str]:
    return list(stages[stages.index(stage) + 1 :]) if stage in stages else list(stages)


def results(metrics: Path, weights: Mapping[str, float]) -> Table:
    """Return the figures that one compares, and the weights, as a table with a row for each detector.

    Args:
        metrics: folder of DVC's metrics.
        weights: of the ensemble's members.
    """
    rows = {member: {"weight": weight} for member, weight in weights.items()}
    for file in sorted(metrics.glob("*.json")):
        for detector, figures in read_json(file).items():
            row = rows.setdefault(detector, {})
            row.update({f"{file.stem}\n{name}": value for name, value in figures.items()})
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    table = Table(box=None, pad_edge=False)
    for name in ("", *columns):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for detector, row in rows.items():
        table.add_row(detector, *(f"{row[name]:.3f}" if name in row else "" for name in columns))
    return table


def against_commit(committed: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say how results differ from the last commit's, why that may be, and how to keep them.

    Args:
        committed: its dvc.lock.
        now: that of this folder.
    """
    ours, theirs = outs(now), outs(committed)
    before = _made_from(committed)
    changed = dict.fromkeys(
        of for (of, it), value in _made_from(now).items() if before.get((of, it)) != value
    )
    differing = sum(theirs.get(path) != md5 for path, md5 in ours.items())
    if not differing:
        return f"All {len(ours)} results are those of the last commit."
    differ = f"{differing} of {len(ours)} results differ from those of the last commit."
    why = (
        f"Changed since: {', '.join(changed)}."
        if changed
        else "Nothing that they are made from was changed: that is to be expected on another model of"
        " processor than the commit's\n(docs/reproducibility.md)."
    )
    return f"""\
{differ}
{why}
`dvc metrics diff` compares them, and docs/varying.md says more. To keep these:
  git add --all && git commit -m 'Results of this machine'"""


def _made_from(lock: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the commands, values of params and hashes of code behind results, each by where it stands."""
    found: dict[tuple[str, str], Any] = {}
    for name, stage in lock.get("stages", {}).items():
        found["dvc.yaml", name] = stage.get("cmd")
        for file, values in stage.get("params", {}).items():
            found |= {(file, key): value for key, value in values.items()}
        for dep in stage.get("deps", ()):
            folder = dep["path"].partition("/")[0]
            if folder in ("src", "requirements"):
                found[folder, dep["path"]] = dep["md5"]
    return found


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout


def measured_seconds(profile: str) -> dict[str, float]:
    """Return how many seconds each stage took where a profile was measured; empty if nobody did."""
    file = MEASUREMENTS / f"{profile}.json"
    return {name: of["seconds"] for name, of in read_json(file)["stages"].items()} if file.exists() else {}


def run(options: Sequence[str], pipeline: Sequence[Known], pace: Pace, *, everything: bool) -> int:
    """Run `dvc repro`, print its output shorter, and return its exit code.

    Args:
        options: of `dvc repro`.
        pipeline: what DVC knows of each stage, in the order in which it runs them.
        pace: how long stages took before; learns how long they take now.
        everything: print all that DVC and the stages print.
    """
    # Stages keep TensorFlow from saying what it lacks, unless they are told otherwise.
    environment = ({"TF_CPP_MIN_LOG_LEVEL": "0"} if everything else {}) | os.environ
    with subprocess.Popen(
        ["dvc", "repro", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as dvc:
        assert dvc.stdout is not None
        try:
            for line in shown_lines(map(str.rstrip, dvc.stdout), pipeline, pace, everything=everything):
                print(line, flush=True)
        except KeyboardInterrupt:  # which DVC and its stage got as well: they end by themselves, and say how
            for line in dvc.stdout:
                print(line, end="", flush=True)
        return dvc.wait()


def main() -> None:
    """Run the pipeline of this folder, and say what came out."""
    pace = Pace(measured_seconds(params.active_profile().rpartition(".")[2]))
    pipeline = ask_dvc()
    code = run(sys.argv[1:], pipeline, pace, everything=bool(os.environ.get("VERBOSE")))
    if code:
        sys.exit(code)
    if not pace.took:
        print("Nothing had to run: everything is up to date.")
    committed = yaml.safe_load(_git("show", f"HEAD:./{LOCK}") or "{}")
    print()
    Console(width=200).print(results(METRICS, read_json(WEIGHTS) if WEIGHTS.exists() else {}))
    print()
    print(against_commit(committed, yaml.safe_load(LOCK.read_text(encoding="utf-8"))))
    serve = ", and try `deepfake-ensemble serve`" if Path("models/ensemble.keras").exists() else ""
    print(f"Look at reports/report.html{serve}.")


if __name__ == "__main__":
    with exiting():
        main()
