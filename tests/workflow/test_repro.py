"""What `make repro` tells of a run; the run itself is one of DVC's."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clones import ROOT
from deepfake_ensemble.studies.common.planning import Known
from deepfake_ensemble.workflow.repro import Pace, against_commit, results, shown_lines, time_left

NOISY = """\

Running stage 'train@cnn':
> env PYTHONPATH=src PYTHONHASHSEED=42 python -m deepfake_ensemble.studies.ensemble.stages.train cnn
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796006872.593000   18801 port.cc:153] oneDNN custom operations are on.
E0000 00:00:1796006874.691383   18801 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error
2026-01-31 10:00:00.123456: W tensorflow/core/framework/op.cc:1] slow
decode: 1,280 to do
decode: done in 0 s
epoch 1 of 2: loss 2.964, accuracy 0.5
warning: cnn guesses
"""


def pipeline(*names: str, runs: str = "yes") -> list[Known]:
    return [Known(name, "", runs, "", None) for name in names]


def lines(text: str) -> Iterator[str]:
    return iter(text.splitlines())


def tell(
    text: str, *names: str, everything: bool = False, measured: dict[str, float] | None = None
) -> list[str]:
    return list(shown_lines(lines(text), pipeline(*names), Pace(measured or {}), everything=everything))


def test_stages_are_counted_and_what_they_say_stands_below_them_without_noise():
    log = f"Stage 'split' didn't change, skipping\n{NOISY}"
    assert tell(log, "split", "train@cnn", "report") == [
        "Running stage 'train@cnn': stage 2 of 3",
        "    epoch 1 of 2: loss 2.964, accuracy 0.5",
        "    warning: cnn guesses",
    ]


def test_all_of_it_is_told_to_who_asks_for_it():
    assert any("cuInit" in line for line in tell(NOISY, "train@cnn", everything=True))


def test_what_was_hidden_of_a_stage_is_told_if_it_fails():
    log = f"{NOISY}ERROR: failed to reproduce 'train@cnn': exited with 1"
    *before, last = tell(log, "train@cnn")
    assert last == "ERROR: failed to reproduce 'train@cnn': exited with 1"
    assert any("cuInit" in line for line in before)


def test_a_stage_from_the_run_cache_says_so():
    log = "Stage 'weigh' is cached - skipping run, checking out outputs"
    assert tell(log, "weigh") == ["Stage 'weigh': stage 1 of 1, as in an earlier run, from DVC's cache"]


def test_the_time_left_is_that_of_the_stages_to_come_where_they_were_measured():
    measured = {"train@cnn": 60.0, "train@resnet50": 180.0, "report": 60.0}
    log = "Running stage 'train@cnn':\nRunning stage 'train@resnet50':\nRunning stage 'report':"
    first, *_ = tell(log, "train@cnn", "train@resnet50", "report", measured=measured)
    assert first == "Running stage 'train@cnn': stage 1 of 3, about 5 min left"


def test_a_slower_machine_takes_longer_for_the_rest_too():
    pace = Pace({"train@cnn": 60.0, "train@resnet50": 180.0}, took={"train@cnn": 120.0, "check": 5.0})
    assert pace.left(["train@resnet50"]) == pytest.approx(360)
    assert pace.left(["train@vgg19"]) == pytest.approx(240)  # as its like, on average
    assert Pace({}).left(["train@cnn"]) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (40, ", less than a minute left"),
        (360, ", about 6 min left"),
        (9000, ", about 2 h left"),
    ],
)
def test_the_time_left_is_said_as_people_say_it(seconds, said):
    assert time_left(seconds) == said


def lock(seed: int = 1, code: str = "c", **md5: str) -> dict[str, object]:
    return {
        "stages": {
            "s": {
                "params": {"params.yaml": {"seed": seed}},
                "deps": [{"path": "src/room", "md5": code}],
                "outs": [{"path": path, "md5": value} for path, value in md5.items()],
            }
        }
    }


def test_results_that_differ_without_a_change_are_put_down_to_the_processor_and_can_be_kept():
    said = against_commit(lock(a="1", b="2"), lock(a="1", b="3"))
    assert said.startswith("1 of 2 results differ from those of the last commit.")
    assert "to be expected on another model of processor" in said
    assert "git commit" in said


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 2}, "params.yaml"), ({"code": "d"}, "src"), ({"seed": 2, "code": "d"}, "params.yaml, src")],
)
def test_results_that_differ_after_a_change_are_put_down_to_it_whether_it_was_committed_or_not(change, named):
    said = against_commit(lock(a="1"), lock(a="2", **change))
    assert f"Changed since: {named}." in said
    assert "processor" not in said


def test_results_of_the_commit_are_said_to_be_its():
    assert against_commit(lock(a="1"), lock(a="1")) == "All 1 results are those of the last commit."


def test_the_table_at_the_end_has_a_row_for_each_detector(tmp_path):
    figures = {"cnn": {"accuracy": 0.5}, "ensemble": {"accuracy": 0.75}}
    (tmp_path / "internal.json").write_text(json.dumps(figures))
    table = results(tmp_path, {"cnn": 0.25})
    assert [column.header for column in table.columns] == ["", "weight", "internal\naccuracy"]
    assert [list(column.cells) for column in table.columns] == [
        ["cnn", "ensemble"],
        ["0.250", ""],
        ["0.500", "0.750"],
    ]


def test_a_failed_run_ends_with_dvcs_exit_code(tmp_path: Path) -> None:
    """In a folder whose one stage fails, after TensorFlow's kind of noise."""
    noise = "echo 'E0000 00:00:1.1 1 cuda.cc:52] failed call to cuInit'"
    (tmp_path / "params.yaml").write_text("profile: sample\nprofiles: {sample: {}}\n")
    (tmp_path / "dvc.yaml").write_text(f'stages: {{fails: {{cmd: "{noise}; false", outs: [x]}}}}\n')

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src")},
        )

    run("git", "init", "--quiet")
    run("dvc", "init", "--quiet")
    done = run(sys.executable, "-m", "deepfake_ensemble.workflow.repro")
    assert done.returncode != 0
    assert "Running stage 'fails': stage 1 of 1" in done.stdout
    assert "failed call to cuInit" in done.stdout
    assert "ERROR: failed to reproduce 'fails'" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
