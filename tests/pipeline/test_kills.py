"""Killed at any moment and run again, the pipeline ends with the same bytes and leaves nothing about."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clones import ROOT, Clone, clone
from killing import Kill, drawn, left_behind, run_and_kill


def keep_every_step(there: Clone) -> None:
    """Commit params by which a training keeps its state after each step; they decide no result."""
    there.set_params({"resume.save_minutes": 0.0001})
    there.dvc("repro", "check")
    there.commit("Keep every step")


def survives(there: Clone, kills: Sequence[Kill], *targets: str) -> None:
    """Run a clone that has no result yet to its end through all kills, and compare what it made."""
    outs = outs_of(there)
    missed = []
    for kill in kills:
        log, in_time = run_and_kill(there, kill)
        assert "Traceback" not in log, log[-3000:]
        print(f"{kill}: {'killed' if in_time else 'had ended before'}")
        missed += [] if in_time else [kill]
    there.dvc("repro", *targets)
    assert outs_of(there) == outs
    assert left_behind(there.folder) == []
    assert len(missed) <= len(kills) // 6, missed


def outs_of(there: Clone) -> dict[str, Any]:
    """Return what dvc.lock says of every result: its size and the digest of its bytes."""
    return {name: stage["outs"] for name, stage in there.yaml("dvc.lock")["stages"].items()}


def test_a_few_kills(whole_run, tmp_path: Path) -> None:
    there = clone(tmp_path / "clone", whole_run.clone.folder)
    keep_every_step(there)
    kills = [
        Kill("download@internal", 0.8, "stage"),
        Kill("pack@internal", 0.4, "group"),
        Kill("initialise@cnn", 0.8, "dvc"),
        Kill("train@cnn", 0.0, "stage", once_saved=True),
        Kill("train@cnn", 0.0, "group", once_saved=True),
        Kill("train@cnn", 0.0, "dvc", once_saved=True),  # last: the training goes on without DVC for a while
        Kill("predict@cnn", 1.0, "group"),
    ]
    survives(there, kills, "predict@cnn")


@pytest.mark.pipeline
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("seed", [1])
def test_many_kills_in_the_committed_run(tmp_path: Path, seed: int) -> None:
    # The committed dvc.lock is of an uninterrupted run. Where `make verify` fails, this does.
    there = clone(tmp_path / "clone", ROOT)
    keep_every_step(there)
    remove_results(there)
    measured = json.loads((there / "docs/measurements/sample.json").read_text(encoding="utf-8"))["stages"]
    seconds = {stage: of["seconds"] for stage, of in measured.items()}  # in the order in which they ran
    survives(there, drawn(seconds, count=24, seed=seed))
    assert set(there.changed().split()) <= {"M", "dvc.lock"}  # `report` read the params, too


def remove_results(there: Clone) -> None:
    """Remove what the pipeline makes, also what lies in git, or its stages would have nothing to do."""
    for stage in there.yaml("dvc.lock")["stages"].values():
        for out in stage["outs"]:
            path = there / out["path"]
            if path.is_file():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
