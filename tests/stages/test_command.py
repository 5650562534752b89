"""A stage runs once at a time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepfake_ensemble.errors import UserError
from deepfake_ensemble.stages.command import only_one

AT_IT = """
import time
from deepfake_ensemble.stages.command import only_one
with only_one("train@cnn"):
    print("at it", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen]:
    """A process that is at the stage train@cnn in this folder."""
    monkeypatch.chdir(tmp_path)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", AT_IT], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"at it\n"
        yield process
        process.kill()


def test_a_stage_that_is_running_is_not_run_beside_itself(other: subprocess.Popen) -> None:
    with pytest.raises(UserError) as caught, only_one("train@cnn"):
        pass
    assert str(caught.value) == (
        f"process {other.pid} is still running this stage, without DVC: wait for it, or end it"
        f" (`kill {other.pid}`), then run the same command again"
    )


def test_another_stage_may_run(other: subprocess.Popen) -> None:
    with only_one("train@resnet50"):
        pass


def test_a_killed_process_blocks_nothing(other: subprocess.Popen) -> None:
    other.kill()
    other.wait()
    for _ in range(2):
        with only_one("train@cnn"):
            pass
