"""How long one waits: for the sample's whole run, for a stage to start, for a changed weighting or plot.

    python benchmarks/turning_round.py [run] [start] [weighting] [plot] [--repeats 5] [--runs 1]
        [--set KEY=VALUE]

`run` is `dvc repro` in a fresh clone of the last commit, `--runs` times, and where its time goes: the
interpreter and its imports, building and tracing networks, work, and DVC between the stages. `start` runs
each stage without TensorFlow by itself; `weighting` is `dvc exp run -S ensemble.weighting=... report`; `plot`
is `dvc repro report` after a change of a figure's code. Without a name: all. With --clone FOLDER the last
three use that clone, which has its results (`run` is then left out). Nothing else should run meanwhile.
Writes docs/measurements/turning_round.json; what is not measured keeps its figures.
"""

import argparse
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from dvc.utils.serialize import modify_yaml

import stage_watch
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.workflow.generated import table
from stage_watch import Watched
from timing import ENVIRONMENT, here, measured_on, of_several, seconds

FILE = Path("docs/measurements/turning_round.json")
PARTS = ("run", "start", "weighting", "plot")
SHARES = ("imports", "building", "work", "dvc")
END = "(end)"
CORES = "cores"  # that a stage kept busy on average
BUILDING_ALONE = ("initialise", "assemble")  # they load or build networks, and do next to nothing with them
# Each stage without TensorFlow, with one of its items.
STARTED = (
    "download@faces",
    "audit@faces",
    "split",
    "pack@train",
    "curves",
    "weigh",
    "evaluate@internal",
    "compare",
    "robustness",
    "report",
)
SLOW_LIBRARIES = ("scipy", "matplotlib")
FIGURES = Path("src/deepfake_ensemble/studies/ensemble/report/figures.py")


def whole_run(folder: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Clone the last commit into `folder`, run everything there, and return where the time went."""
    seconds(["git", "clone", "--quiet", ".", str(folder)], Path.cwd())
    with modify_yaml(str(folder / "params.yaml")) as params:
        for path, value in changes.items():
            *parents, key = path.split(".")
            section = params
            for parent in parents:
                section = section[parent]
            section[key] = value
    log = folder / ".watch/log.jsonl"
    start = time.time()
    taken = seconds(["dvc", "repro"], folder, _watching(log))
    return {"seconds": round(taken, 1), "stages": spent(stage_watch.read(log), start, start + taken)}


def middle(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the seconds of all runs, and where the time went in the middle one of an odd number."""
    in_order = sorted(runs, key=lambda run: run["seconds"])
    return {"seconds": [run["seconds"] for run in runs], "stages": in_order[len(runs) // 2]["stages"]}


def _watching(log: Path) -> dict[str, str]:
    stage_watch.shim(log.parent, log)
    log.unlink(missing_ok=True)
    return {**ENVIRONMENT, "PATH": f"{log.parent}:{ENVIRONMENT['PATH']}"}


def spent(processes: Iterable[Watched], start: float, end: float) -> dict[str, dict[str, float]]:
    """Return for each stage the seconds of each of SHARES, and CORES; END is what comes after the last."""
    found: dict[str, dict[str, float]] = {}
    before = start
    for process in processes:
        building = min(_building(process), process.seconds - process.import_seconds)
        shares = {
            "imports": process.import_seconds,
            "building": building,
            "work": process.seconds - process.import_seconds - building,
            "dvc": process.start - before,
        }
        shares[CORES] = process.processor_seconds / process.seconds
        found[process.stage] = {name: round(value, 2) for name, value in shares.items()}
        before = process.end
    found[END] = dict.fromkeys((*SHARES, CORES), 0.0) | {"dvc": round(end - before, 2)}
    return found


def _building(process: Watched) -> float:
    """Return how long a process built, loaded and traced networks, as far as its output tells."""
    stage = process.stage.partition("@")[0]
    after_imports = process.start + process.import_seconds
    if stage in BUILDING_ALONE:
        return process.end - after_imports
    if stage == "train":  # the first epoch is longer than the others by what traces the network
        ends = [when for when, line in process.lines if re.match(r"epoch \d+ of", line)]
        if len(ends) < 2:
            return 0.0
        epoch = statistics.median(later - earlier for earlier, later in pairwise(ends))
        return max(ends[0] - after_imports - epoch, 0.0)
    if stage == "predict":  # the first batch is slower than the others by what traces the network
        begun = [(when, line) for when, line in process.lines if line.endswith(" to do")]
        done = [when for when, line in process.lines if ": done in " in line]
        if len(begun) < 2 or len(begun) != len(done):
            return 0.0
        images = [int(line.split()[-3].replace(",", "")) for _, line in begun]
        took = [end - when for (when, _), end in zip(begun, done, strict=True)]
        each = min(time / count for time, count in zip(took[1:], images[1:], strict=True))
        return begun[0][0] - after_imports + max(took[0] - each * images[0], 0.0)
    return 0.0


def starts(folder: Path, repeats: int) -> dict[str, dict[str, Any]]:
    """Return how long each stage without TensorFlow takes to start and to run, and what slow it imports."""
    commands = _commands(folder)
    found: dict[str, dict[str, Any]] = {}
    for stage in STARTED:
        log = folder / ".watch/log.jsonl"
        environment = _watching(log)
        for _ in range(repeats):
            seconds(["sh", "-c", commands[stage]], folder, environment)
        processes = stage_watch.read(log)
        found[stage] = {
            "start_seconds": [round(it.import_seconds, 2) for it in processes],
            "whole_seconds": [round(it.seconds, 2) for it in processes],
            "needs": [name for name in (*SLOW_LIBRARIES, "tensorflow") if name in processes[0].packages],
        }
        print(stage, found[stage], flush=True)
    return found


def _commands(folder: Path) -> dict[str, str]:
    """Return the command of each stage, as DVC ran it."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    return {name: stage["cmd"] for name, stage in lock["stages"].items()}


def weightings(folder: Path, repeats: int) -> dict[str, Any]:
    """Return how long an experiment with another weighting takes up to the report, and what runs."""

    def once(number: int, environment: Mapping[str, str] = ENVIRONMENT) -> float:
        shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)  # else it is only looked up
        weighting = ("uniform", "log_loss")[number % 2]
        command = ["dvc", "exp", "run", "--set-param", f"ensemble.weighting={weighting}", "report"]
        taken = seconds(command, folder, environment)
        used = json.loads((folder / "reports/run.json").read_text(encoding="utf-8"))["params"]
        if used["ensemble"]["weighting"] != weighting:
            raise UserError(f"dvc exp run: the report is not of the weighting {weighting}")
        return taken

    return _timed_and_watched(folder, repeats, once)


def plots(folder: Path, repeats: int) -> dict[str, Any]:
    """Return how long the report takes after a change of a figure's code, and what runs."""
    seconds(["dvc", "repro", "report"], folder)
    text = (folder / FIGURES).read_text(encoding="utf-8")

    def once(number: int, environment: Mapping[str, str] = ENVIRONMENT) -> float:
        (folder / FIGURES).write_text(f"{text}# another line: {number}\n", encoding="utf-8")
        return seconds(["dvc", "repro", "report"], folder, environment)

    try:
        return _timed_and_watched(folder, repeats, once)
    finally:
        (folder / FIGURES).write_text(text, encoding="utf-8")


def _timed_and_watched(folder: Path, repeats: int, once: Callable[..., float]) -> dict[str, Any]:
    """Time something several times, and watch it once more: that takes time of its own."""
    log = folder / ".watch/log.jsonl"
    taken = [round(once(number), 2) for number in range(repeats)]
    once(repeats, _watching(log))
    processes = stage_watch.read(log)
    return {
        "seconds": taken,
        "ran": [process.stage for process in processes],
        "own_seconds": round(sum(process.seconds for process in processes), 1),
    }


# What the table of the sample's run led to.
DONE = """\
Trainings take most of it, EfficientNet-B4's the largest part. For them the sample's profile has images of 40
pixels that are decoded once (`cache: decoded`), at most 8 epochs, and graphs that TensorFlow does not rewrite
(`optimize_graph: false`: to rewrite one took longer than it saved); Adam is one operation a variable, and
the state of a training is not written at the end of every such short epoch. TensorFlow is
imported while Python does not search for garbage, which takes a quarter of the time from that; `export`
converts the detectors in processes side by side. The stages after `predict` that work on tables are not in
the list: their results come with git, and nothing that they depend on has changed."""

# What the path of a changed weighting or plot led to.
SHORTENED = """\
For every stage that runs DVC reads and writes dvc.lock anew, with a library in Python, which takes the
longer the more deps there are: so one stage compares all data sets, a package that a stage uses whole is
one dep, and modules that are used together are in one package. The report draws its figures in processes
side by side."""


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    parts = [f"`python benchmarks/turning_round.py` on {here(results)}."]
    if "run" in results:
        taken = results["run"]["seconds"]
        runs, them = (
            ("one run", "they") if len(taken) == 1 else (f"{len(taken)} runs", "those of the middle one")
        )
        told = f"`dvc repro` of the sample in a fresh clone: {of_several(taken, 0)} s ({runs})."
        parts += [
            f"{told} Where {them} go, in seconds; building is what loads, builds and traces networks:",
            _spent_table(results["run"]["stages"]),
            DONE,
        ]
    if "start" in results:
        rows = [
            [
                stage,
                ", ".join(of["needs"]) or "–",
                of_several(of["start_seconds"], 2),
                of_several(of["whole_seconds"], 2),
            ]
            for stage, of in results["start"].items()
        ]
        parts += [
            "Stages without TensorFlow: the interpreter's start and imports, and the whole process; seconds:",
            table(["stage", "needs", "start", "whole"], rows),
        ]
    for key, told in (
        ("weighting", "`dvc exp run -S ensemble.weighting=... report`"),
        ("plot", "`dvc repro report` after a change of a figure's code"),
    ):
        if key in results:
            of = results[key]
            parts.append(
                f"{told}: {of_several(of['seconds'])} s; {of['own_seconds']} s of it are the stages' own"
                f" ({', '.join(of['ran'])}), the rest DVC's."
            )
    if "weighting" in results:
        parts.append(SHORTENED)
    return "\n\n".join(parts) + "\n"


def _spent_table(stages: Mapping[str, Mapping[str, float]]) -> str:
    together: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for name, shares in stages.items():
        together[name if name.startswith("train@") else name.partition("@")[0]].append(shares)
    after = together.pop(END)
    rows = [[name.replace("@", " "), str(len(of)), *_cells(of)] for name, of in together.items()]
    rows += [
        ["(after the last)", "", *_cells(after)],
        ["**all**", str(len(stages) - 1), *_cells(stages.values())],
    ]
    return table(["stage", "items", "imports", "building", "work", "DVC", "sum", "cores busy"], rows)


def _cells(rows: Iterable[Mapping[str, float]]) -> list[str]:
    rows = list(rows)
    sums = [sum(row[share] for row in rows) for share in SHARES]
    own = sum(sums[:-1])
    busy = sum(row[CORES] * (sum(row[share] for share in SHARES) - row["dvc"]) for row in rows)
    return [*(f"{each:,.1f}" for each in (*sums, sum(sums))), f"{busy / own:.2f}" if own else ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1, help="fresh clones that are run; an odd number")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another param")
    parser.add_argument("--clone", type=Path, help="a clone with its results, instead of a new one")
    parser.add_argument("--file", type=Path, default=FILE, help=f"what to write; default {FILE}")
    asked = parser.parse_args()
    parts = asked.parts or list(PARTS)
    if strange := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(strange))}")
    if asked.runs < 1 or asked.runs % 2 == 0:
        parser.error("--runs: an odd number, so that one is in the middle")
    changes = {key: yaml.safe_load(value) for key, _, value in (it.partition("=") for it in asked.set)}
    results = json.loads(asked.file.read_text(encoding="utf-8")) if asked.file.exists() else {}
    results |= measured_on()
    with tempfile.TemporaryDirectory(prefix="turning-round-") as scratch:
        folder = (asked.clone or Path(scratch) / "clone").absolute()
        if asked.clone is None:
            runs = [whole_run(folder, changes)]
            for number in range(1, asked.runs if "run" in parts else 1):
                with tempfile.TemporaryDirectory(prefix=f"turning-round-{number}-") as other:
                    runs.append(whole_run(Path(other) / "clone", changes))
            if "run" in parts:
                results["run"] = middle(runs)
        for part, measured in (("start", starts), ("weighting", weightings), ("plot", plots)):
            if part in parts:
                results[part] = measured(folder, asked.repeats)
    write_json(asked.file, results)
    print(f"{asked.file}: written")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
