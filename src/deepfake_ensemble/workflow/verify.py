"""Run the last commit again in a temporary clone and compare every result byte by byte: `make verify`.

Nothing is taken from a cache: every stage runs, every model is trained. What dvc.lock of the commit says each
result's bytes are is compared with what came out. Where they differ, and the workspace still has the
committed result, it says by how much. The machine and the versions of both sides stand below.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.workflow.machine import machine, versions

LOCK = Path("dvc.lock")
RUN = Path("reports/run.json")
LOCAL = Path("data/local")
_CHANGED = "the committed one in the workspace was changed since"


@dataclass(frozen=True)
class Compared:
    """One result: whether its bytes are the commit's, and if not, how they differ."""

    path: str
    same: bool
    difference: str = ""


def outs(lock: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of every result that a dvc.lock names, by path."""
    return {
        out["path"]: out["md5"] for stage in lock.get("stages", {}).values() for out in stage.get("outs", [])
    }


def compared(
    committed: Mapping[str, str], again: Mapping[str, str], here: Path, there: Path
) -> list[Compared]:
    """Compare two runs' hashes by path; where they differ, look at the files below `here` and `there`.

    Args:
        committed: path → hash of the committed results.
        again: the same of the run to compare with.
        here: the folder of the former.
        there: the folder of the latter.
    """
    return [
        Compared(path, True)
        if again.get(path) == md5
        else Compared(path, False, describe_difference(here / path, there / path))
        for path, md5 in committed.items()
    ]


def describe_difference(ours: Path, theirs: Path) -> str:
    """Say how two results differ: by how much at most where they are numbers, else in which files."""
    if not theirs.exists():
        return "it was not made again"
    if not ours.exists():
        return "the committed one is not in the workspace (`dvc pull` or `dvc checkout` brings it)"
    return _of_folders(ours, theirs) if ours.is_dir() else _of_files(ours, theirs)


def _of_folders(ours: Path, theirs: Path) -> str:
    names = sorted({it.relative_to(of) for of in (ours, theirs) for it in of.rglob("*") if it.is_file()})
    unlike = [name for name in names if _bytes(ours / name) != _bytes(theirs / name)]
    told = [f"{name}: {describe_difference(ours / name, theirs / name)}" for name in unlike]
    return "; ".join(told) or _CHANGED


def _of_files(ours: Path, theirs: Path) -> str:
    if ours.read_bytes() == theirs.read_bytes():
        return _CHANGED
    try:
        if ours.suffix == ".keras":
            return _of_models(ours, theirs)
        return _of_numbers(ours.read_text(encoding="utf-8"), theirs.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, OSError, zipfile.BadZipFile, KeyError):
        return f"{ours.stat().st_size:,} and {theirs.stat().st_size:,} bytes"


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def _of_numbers(ours: str, theirs: str) -> str:
    if _NUMBER.split(ours) != _NUMBER.split(theirs):
        return "the texts differ in more than numbers"
    pairs = zip(map(float, _NUMBER.findall(ours)), map(float, _NUMBER.findall(theirs)), strict=True)
    return f"numbers differ by {max(abs(a - b) for a, b in pairs):.1e} at most"


def _of_models(ours: Path, theirs: Path) -> str:
    """Compare weights; a model also holds the fingerprint of what it was made from."""
    weights, largest = "model.weights.h5", 0.0
    with zipfile.ZipFile(ours) as a, zipfile.ZipFile(theirs) as b:
        unlike = [name for name in a.namelist() if a.read(name) != b.read(name)]
        if weights in unlike:
            with a.open(weights) as one, b.open(weights) as other:
                largest = _largest_difference(one, other)
    told = f"weights differ by {largest:.1e} at most" if weights in unlike else "the weights are the same"
    return f"{told}; parts that differ: {', '.join(unlike)}"


def _largest_difference(ours: Any, theirs: Any) -> float:
    import h5py
    import numpy as np

    def arrays(file: Any) -> Iterator[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        file.visititems(
            lambda name, it: found.append((name, it[...])) if isinstance(it, h5py.Dataset) else None
        )
        yield from found

    with h5py.File(ours) as a, h5py.File(theirs) as b:
        pairs = zip(arrays(a), arrays(b), strict=True)
        gaps = (np.abs(x.astype(float) - y.astype(float)) for (_, x), (_, y) in pairs)
        return max(float(np.max(gap, initial=0)) for gap in gaps)


def rerun(folder: Path, overrides: list[str]) -> tuple[Mapping[str, Any], list[str]]:
    """Clone the last commit into `folder` and run everything there; return its dvc.lock and what ran.

    Args:
        folder: where the clone is made; its folder must exist.
        overrides: KEY=VALUE, written into the clone's params.yaml.

    Raises:
        UserError: if the run fails.
    """
    _run(["git", "clone", "--quiet", ".", str(folder)], Path.cwd(), "cloning")
    if LOCAL.is_dir():
        (folder / LOCAL).symlink_to(LOCAL.resolve())
    for override in overrides:
        _set(folder / "params.yaml", override)
    _run(["dvc", "config", "--local", "cache.dir", str(folder / ".dvc/cache")], folder, "dvc config")
    log = []
    command = ["dvc", "repro", "--force", "--no-run-cache"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            log.append(line)
            if line.startswith("Running stage"):
                print(f"verify: {line.strip().rstrip(':').lower()}", flush=True)
    if running.returncode:
        raise UserError(f"verify: the run failed: {''.join(log[-20:])}")
    ran = re.findall(r"^Running stage '([^']+)'", "".join(log), flags=re.MULTILINE)
    return yaml.safe_load((folder / LOCK).read_text(encoding="utf-8")), ran


def _committed(path: Path) -> str:
    shown = subprocess.run(["git", "show", f"HEAD:{path}"], capture_output=True, text=True, check=False)
    if shown.returncode:
        raise UserError(f"verify: {path} is not in the last commit; run `dvc repro` and commit its results")
    return shown.stdout


def _run(command: list[str], folder: Path, what: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"verify: {what} failed: {done.stderr.strip()}")


def _set(file: Path, override: str) -> None:
    """Set one top-level key of params.yaml, as `seed=7`."""
    key, _, value = override.partition("=")
    text, count = re.subn(rf"(?m)^{re.escape(key)}: .*$", f"{key}: {value}", file.read_text(encoding="utf-8"))
    if count != 1:
        raise UserError(f"verify: {override}: params.yaml has no top-level key {key} with a plain value")
    file.write_text(text, encoding="utf-8")


def main() -> None:
    """Rerun, compare, print a line for every result, and exit with code 1 if one differs."""
    parser = argparse.ArgumentParser(prog="make verify", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a top-level parameter first"
    )
    overrides = parser.parse_args().set
    committed = yaml.safe_load(_committed(LOCK))
    run = json.loads(_committed(RUN))
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        again, ran = rerun(Path(scratch) / "clone", overrides)
        found = compared(outs(committed), outs(again), Path.cwd(), Path(scratch) / "clone")
    print("\n".join(_line(it) for it in found))
    same = sum(it.same for it in found)
    trained = sum(stage.startswith("train@") for stage in ran)
    print(f"verify: {same} of {len(found)} results are the same bytes")
    print(f"verify: {len(ran)} stages ran, {trained} of them trainings")
    print(f"verify: {committed_side(run)}")
    print(f"verify: this run: {provenance(machine(), versions())}")
    if same < len(found):
        sys.exit(1)


def committed_side(run: Mapping[str, Any]) -> str:
    """Say what the committed results were made with, and where, as far as their reports/run.json tells."""
    made_with = next(iter(run["predictions"].values()))["versions"]
    processor = run.get("processor")
    where = (
        f"its report on {processor}" if processor else f"its processor is not known, {RUN} does not say it"
    )
    return f"the committed run: {provenance({}, made_with)}; {where}"


def provenance(machine: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Return what decides over bytes, in a line."""
    return ", ".join(f"{key} {value}" for key, value in {**machine, **versions}.items() if value)


def _line(it: Compared) -> str:
    return f"same       {it.path}" if it.same else f"DIFFERENT  {it.path}: {it.difference}"


if __name__ == "__main__":
    with exiting():
        main()
