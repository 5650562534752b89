"""Runs on real images: what they change in params.yaml is right before hours are spent on it."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import yaml

import lite0
import mixed_archive
import quick_trials
import real_run
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.comparison.sample import sample
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import read_json, write_json
from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.ensemble.params import CHECK

ROOT = Path(__file__).parents[2]
RUNS = yaml.safe_load((ROOT / real_run.RUNS).read_text(encoding="utf-8"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of params.yaml alone."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("name", RUNS)
def test_a_run_s_params_are_right(clone: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real_run.change(clone, RUNS[name])
    monkeypatch.chdir(clone)
    assert CHECK.read().active.source == "local"


def test_what_a_clone_measured_is_kept_under_the_run_s_name_with_every_look_at_the_test_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clone, folder = tmp_path / "clone", real_run.FOLDER
    (clone / folder / "small").mkdir(parents=True)
    (clone / folder / "small/model_card.md").write_text("card")
    for scored in (["b"], ["a"], None):  # None: a clone of a commit that did not count
        written = {"profile": "small"} | ({"scored": scored} if scored else {})
        write_json(clone / folder / "small.json", written)
        file = real_run.keep(clone, "mine", ["profile=small", "seed=7"])
    assert read_json(file) == {
        "profile": "small",
        "changes": ["profile=small", "seed=7"],
        "scored": ["a", "b"],
    }
    assert (folder / "mine/model_card.md").read_text() == "card"


@pytest.mark.parametrize("of", [*lite0.SCALINGS, *lite0.STARTS], ids=str)
def test_a_training_of_lite0_has_as_many_steps_as_the_others(
    clone: Path, of: lite0.Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_run.change(clone, of.changes())
    monkeypatch.chdir(clone)
    profile = CHECK.read().active
    assert profile.training.cosine is not None
    assert profile.training.cosine.epochs * -(-profile.counts["train"] // 32) == lite0.STEPS
    assert of.split in ("test", *CHECK.read().data_sets)


@pytest.mark.parametrize("of", quick_trials.TRIALS, ids=str)
def test_a_trial_of_quick_trains_as_quick_does_but_for_what_is_tried(
    clone: Path, of: quick_trials.Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_run.change(clone, of.changes(clone / "params.yaml"))
    monkeypatch.chdir(clone)
    tried = CHECK.read()
    real_run.change(clone, ["profile=quick"])
    quick = CHECK.read()
    registered = architecture.find(of.model)
    multiplier = tried.active.training.learning_rate_multiplier.of(registered)
    assert tried.models[of.model].learning_rate * multiplier == pytest.approx(of.learning_rate)
    assert tried.active.counts["train"] == of.images
    apart_from = {
        name: getattr(quick.active.training, name)
        for name in (
            "epochs_at_most",
            "learning_rate_multiplier",
            "precision",
            "jit_compile",
            "optimize_graph",
        )
    }
    assert replace(tried.active.training, **apart_from) == quick.active.training
    assert list(tried.members) == [of.model]


def test_changes_begin_from_the_commit_s_params(clone: Path) -> None:
    real_run.change(clone, ["seed=1"])
    real_run.change(clone, ["profile=small"])
    assert yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))["seed"] == 42


@pytest.fixture
def runs(clone: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a project in which a run's clone is one of params.yaml and what was measured."""
    folder = tmp_path_factory.mktemp("project")
    write_json(clone / real_run.FOLDER / "small.json", {"profile": "small", "scored": ["another run's"]})
    (clone / real_run.FOLDER / "small").mkdir()
    (clone / "benchmarks").mkdir()
    (clone / "benchmarks/measured_run.py").touch()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(real_run, "prepare", lambda to: shutil.copytree(clone, to))
    return folder


def made(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, Any]:
    """Make a run, and return the params of its clone."""
    monkeypatch.setattr("sys.argv", ["real_run.py", *arguments])
    real_run.main()
    clone = real_run.CLONES / arguments[arguments.index("--as") + 1]
    return yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))


def test_a_run_has_the_changes_that_were_asked_for_also_where_its_clone_is_there(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="sede=7"):
        made(monkeypatch, "small", "sede=7", "--as", "mine")
    for seed in (7, 8):
        found = made(monkeypatch, "small", f"seed={seed}", "--as", "mine")
        assert (found["profile"], found["seed"]) == ("small", seed)


def test_looks_of_the_run_that_the_commit_tells_of_are_not_those_of_a_run_of_another_name(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(monkeypatch, "small", "seed=7", "--as", "mine")
    assert read_json(runs / real_run.FOLDER / "mine.json")["scored"] == []


def test_a_change_of_no_key_is_refused_by_name(clone: Path) -> None:
    with pytest.raises(UserError, match=r"sede=1: .*sede.*; see params.yaml"):
        real_run.change(clone, ["sede=1"])


def test_a_gain_is_of_the_first_and_holds_the_seeds() -> None:
    labels = np.array([0, 0, 1, 1, 1, 0])
    good, bad = np.array([0.1, 0.2, 0.9, 0.8, 0.7, 0.3]), np.array([0.1, 0.6, 0.9, 0.8, 0.4, 0.3])
    samples = [sample(labels, {"a": good, "b": bad}, resamples=2, seed=0) for _ in range(3)]
    gains = lite0.gains(samples, "a", "b")
    assert gains["accuracy"]["values"] == pytest.approx([2 / 6] * 3)
    assert gains["auc"]["mean"]["value"] > 0 < gains["log_loss"]["mean"]["value"]


def packed(file: Path, names: list[str]) -> ZipFile:
    with ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return ZipFile(file)


@pytest.mark.parametrize("of_cifake", [20, 5], ids=["fewer faces", "more faces"])
def test_the_mixed_archive_has_as_many_of_each_and_no_test_image(tmp_path: Path, of_cifake: int) -> None:
    faces = packed(
        tmp_path / "faces.zip",
        [
            f"real_vs_fake/real-vs-fake/{part}/{label}/{at}.jpg"
            for part in ("train", "valid", "test")
            for label in ("real", "fake")
            for at in range(3)
        ],
    )
    cifake = packed(
        tmp_path / "cifake.zip",
        [
            f"{part}/{label}/{at:02}.jpg"
            for part in ("train", "test")
            for label in ("REAL", "FAKE")
            for at in range(of_cifake)
        ],
    )
    with ZipFile(tmp_path / "mixed.zip", "w") as mixed:
        written = mixed_archive.mix(faces, cifake, mixed)
    assert written == 2 * min(of_cifake, 3 + 3)  # of both classes; of faces there are two parts
    with ZipFile(tmp_path / "mixed.zip") as mixed:
        told = {name: mixed.read(name).decode() for name in mixed.namelist()}
    assert len(told) == len(set(told.values())) == 2 * written  # each image once
    for name, source in told.items():
        assert "/test/" not in f"/{source}"
        assert name.split("/")[1].lower() == source.split("/")[-2].lower()
    assert sum("cifake-" in name for name in told) == written
    assert LAYOUTS["cifake"].problem(told) is None
