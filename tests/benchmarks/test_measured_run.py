"""What a measured run keeps of its stages, also of those that were done before an interruption."""

from pathlib import Path
from typing import Any

import pytest

import measured_run
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json

ROOT = Path(__file__).parents[2]
DVC = """#!/bin/sh
# Each stage writes itself into the lock when it ends, as DVC does, and the one called $FAILS fails.
for stage in train@cnn train@resnet50; do
  if grep -qs "$stage" dvc.lock; then
    echo "Stage '$stage' didn't change, skipping"
  else
    echo "Running stage '$stage':"
    [ "$stage" = "$FAILS" ] && exit 1
    [ -e dvc.lock ] || echo 'stages:' > dvc.lock
    echo "  $stage: {cmd: train}" >> dvc.lock
  fi
done
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of params.yaml, with a `dvc` of two stages."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dvc").write_text(DVC)
    (tmp_path / "bin/dvc").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr("sys.argv", ["measured_run.py"])
    return tmp_path


def measured(project: Path, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> dict[str, Any]:
    """Run it, and return what it kept of the stages."""
    monkeypatch.setattr(measured_run, "ENVIRONMENT", {"PATH": f"{project}/bin:/usr/bin:/bin", "FAILS": fails})
    measured_run.main()
    return read_json(project / measured_run.FOLDER / "sample.json")["stages"]


def test_stages_that_were_done_before_an_interruption_are_told_as_well(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="it ended with code 1"):
        measured(project, monkeypatch, fails="train@resnet50")
    assert not (project / measured_run.FOLDER).exists()
    found = measured(project, monkeypatch)
    assert list(found) == ["train@cnn", "train@resnet50"]
    assert all(of.keys() == {"seconds", "peak_mib", "run"} for of in found.values())
    assert measured(project, monkeypatch) == found


def test_a_measurement_of_another_run_of_a_stage_is_not_its_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(project, monkeypatch)
    lock = project / "dvc.lock"
    lock.write_text(lock.read_text().replace("cnn: {cmd: train}", "cnn: {cmd: train otherwise}"))
    assert list(measured(project, monkeypatch)) == ["train@resnet50"]
