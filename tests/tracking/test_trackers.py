"""Each tracker keeps what it was told of a training, offline; an interrupted one goes on where it was."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clones import ROOT, Clone
from tracing import HAS_STRACE, asked, traced

FOLLOWED = """
import sys
from deepfake_ensemble.tracking.following import following

made_from = {"params": {"seed": 1, "training": {"epochs": 2}}, "digest": sys.argv[4]}
with following(sys.argv[1:2], study="ensemble", run="cnn", made_from=made_from) as tell:
    for step, loss in [(5, 0.5), (10, 0.25)][int(sys.argv[2]):int(sys.argv[3])]:
        tell(step, {"loss": loss, "learning_rate": 0.001})
"""


@pytest.fixture
def follow(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Let a tracker follow a training of two steps, from one and up to another."""

    def run(tracker: str, start: int = 0, stop: int = 2, digest: str = "0123456789abcdef") -> None:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(tmp_path),
            "WANDB_MODE": "offline",
        }
        command = [sys.executable, "-c", FOLLOWED, tracker, str(start), str(stop), digest]
        for name in ("MLFLOW_TRACKING_URI", "PYTEST_CURRENT_TEST", "CI"):
            environment.pop(name, None)  # in a test MLflow would keep from reporting by itself
        calls = tmp_path_factory.mktemp("calls") / "calls"
        done = subprocess.run(
            [*(traced(calls) if HAS_STRACE else ()), *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0
        assert "no longer follows" not in done.stderr
        assert not HAS_STRACE or asked(calls) == []

    return run


def test_tensorboard_shows_one_run_however_often_it_was_interrupted(follow: Any, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    follow("tensorboard", 0, 1)
    follow("tensorboard", 1, 2)
    (folder,) = (tmp_path / "tracking/tensorboard/ensemble").iterdir()
    assert folder.name == "cnn-0123456789ab"
    shown = EventAccumulator(str(folder))
    shown.Reload()
    assert [(event.step, event.value) for event in shown.Scalars("loss")] == [(5, 0.5), (10, 0.25)]
    assert [event.value for event in shown.Scalars("learning_rate")] == pytest.approx([0.001, 0.001])


def test_wandb_keeps_a_run_to_be_sent_later(follow: Any, tmp_path: Path) -> None:
    follow("wandb")
    (run,) = (tmp_path / "tracking/wandb").rglob("*.wandb")
    kept = run.read_bytes()
    assert all(word in kept for word in (b"deepfake-ensemble-ensemble", b"loss", b"0.25", b"learning_rate"))


def test_mlflow_keeps_one_run_in_a_folder_however_often_it_was_interrupted(
    follow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    follow("mlflow", 0, 1)
    follow("mlflow", 1, 2)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient((tmp_path / "tracking/mlflow").as_uri())
    experiment = client.get_experiment_by_name("deepfake-ensemble-ensemble")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("cnn", "FINISHED")
    assert run.data.params["seed"] == "1"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(5, 0.5), (10, 0.25)]


@pytest.fixture
def project(tmp_path: Path) -> Clone:
    """A project of DVC's that ignores what this one does."""
    there = Clone(tmp_path)
    shutil.copy2(ROOT / ".gitignore", tmp_path)
    there.git("init", "--quiet")
    there.dvc("init", "--quiet")
    there.commit("Nothing yet")
    return there


def test_dvc_shows_live_figures_and_their_course_of_the_training_that_was_last(
    follow: Any, project: Clone
) -> None:
    def shown() -> Any:
        (now, *_) = json.loads(project.dvc("exp", "show", "--json"))
        return now["data"]["metrics"]["tracking/dvclive/cnn/metrics.json"]["data"]

    def losses() -> list[str]:
        plots = json.loads(project.dvc("plots", "diff", "--json"))["data"]
        (course,) = plots["tracking/dvclive/cnn/plots/metrics/loss.tsv"]
        return [f"{point['step']}: {point['loss']}" for point in course["content"]["data"]["values"]]

    follow("dvclive", 0, 1)
    assert shown() == {"loss": 0.5, "learning_rate": 0.001, "step": 5}
    follow("dvclive", 1, 2)
    assert shown() == {"loss": 0.25, "learning_rate": 0.001, "step": 10}
    assert losses() == ["5: 0.5", "10: 0.25"]
    follow("dvclive", 0, 1, digest="another")
    assert losses() == ["5: 0.5"]
    assert project.changed() == "?? tracking/\n"  # for git, as everything that DVC is to show
