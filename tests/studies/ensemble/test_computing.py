"""The stages that compute with TensorFlow, each in a process of its own, on a project of 20 tiny images.

The same project elsewhere gives the same bytes; what a user can mend is one line.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from deepfake_ensemble.evaluation import predictions, weights_file
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.ensemble import curves
from pictures import pack

ROOT = Path(__file__).parents[2]
IMAGES = {"internal/train": 20, "internal/val": 10, "internal/test": 11, "cifake": 9}


def make_project(folder: Path, **changes: Any) -> Path:
    """Lay out a project whose active profile is small enough for tests; `a__b` changes the key `a.b`."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    sample = params["profiles"]["sample"]
    sample.update(image_size=32, prediction_batch_size=8, processor={"threads": 2, "cpu_isa": "AVX2"})
    params["training"].update(epochs=2, batch_size=8)
    for path, value in changes.items():
        *parents, key = path.split("__")
        section = params
        for parent in parents:
            section = section[parent]
        section[key] = value
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for i, (split, count) in enumerate(IMAGES.items()):
        pack(folder / "data/packed" / split, count, first_seed=1000 * i)
    return folder


def run(project: Path, stage: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    seed = yaml.safe_load((project / "params.yaml").read_text())["seed"]
    study = "common" if stage == "predict" else "ensemble"
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error:Your input ran out of data",
            "-m",
            f"deepfake_ensemble.studies.{study}.stages.{stage}",
            *arguments,
        ],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": str(seed)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def succeed(project: Path, stage: str, *arguments: str, **environment: str) -> str:
    done = run(project, stage, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fail(project: Path, stage: str, *arguments: str) -> str:
    """Return the one line that a user sees."""
    done = run(project, stage, *arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"{'@'.join([stage, *arguments])}: ")
    return line


def results(project: Path) -> dict[str, str]:
    """Return the digests of everything in `models` and `predictions`."""
    files = (file for folder in ("models", "predictions") for file in (project / folder).rglob("*"))
    return {
        str(file.relative_to(project)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_project(tmp_path_factory.mktemp("here") / "project")
    succeed(project, "initialise", "cnn")
    succeed(project, "train", "cnn")
    return project


@pytest.fixture(scope="module")
def predicted(trained: Path) -> Path:
    succeed(trained, "predict", "cnn")
    return trained


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Callable[[], Path]:
    return lambda: Path(shutil.copytree(trained, tmp_path / "copy"))


def test_training_leaves_a_model_and_its_curves_and_nothing_else(trained: Path) -> None:
    tables = {f"models/curves/cnn/{table}" for table in curves.TABLES.values()}
    assert {path for path in results(trained) if path.startswith("models/")} == {
        "models/initial/cnn.weights.h5",
        "models/cnn.keras",
        "models/curves/cnn/metrics.json",
        *tables,
    }
    assert curves.read_summary(trained / "models" / "curves" / "cnn").epochs == 2


def test_the_model_says_what_it_was_made_from_and_not_where(trained: Path) -> None:
    with zipfile.ZipFile(trained / "models" / "cnn.keras") as file:
        account = json.loads(file.read("fingerprint.json"))
        content = b"".join(file.read(name) for name in file.namelist())
    assert list(account["data"]) == [
        "data/packed/internal/train",
        "data/packed/internal/val",
        "models/initial/cnn.weights.h5",
    ]
    assert account["params"]["models.cnn"]["network"]["l2"] == 0.01
    assert {"tensorflow", "keras", "numpy", "pillow", "h5py"} <= set(account["versions"])
    for private in (trained, ROOT, Path.home()):
        assert str(private).encode() not in content


def test_the_same_project_elsewhere_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "another folder")
    other = {"HOME": str(tmp_path), "TZ": "Asia/Tokyo", "LANG": "C", "LC_ALL": "C", "COLUMNS": "33"}
    succeed(project, "initialise", "cnn", **other)
    succeed(project, "train", "cnn", **other)
    ours = {path: digest for path, digest in results(trained).items() if path.startswith("models/")}
    assert results(project) == ours


def test_another_seed_trains_other_weights_from_the_same_start(trained: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", seed=7)
    shutil.copytree(trained / "models" / "initial", project / "models" / "initial")
    succeed(project, "train", "cnn")
    name = "models/cnn.keras"
    with zipfile.ZipFile(project / name) as ours, zipfile.ZipFile(trained / name) as theirs:
        assert ours.read("model.weights.h5") != theirs.read("model.weights.h5")
        assert ours.read("config.json") == theirs.read("config.json")


def test_every_split_but_the_training_one_is_predicted(predicted: Path) -> None:
    folder = predicted / "predictions" / "cnn"
    assert sorted(file.name for file in folder.iterdir()) == [
        "cifake.csv",
        "fingerprint.json",
        "test.csv",
        "val.csv",
    ]
    for split in ("internal/val", "internal/test", "cifake"):
        table = predictions.read(folder / f"{Path(split).name}.csv")
        images = PackedImages(predicted / "data/packed" / split)
        assert list(table.paths) == list(images.paths)
        assert np.array_equal(table.labels, images.labels)
        assert np.ptp(table.p_fake) > 0


def test_an_ensemble_is_checked_against_the_stored_predictions(predicted: Path) -> None:
    weights_file.write(predicted / "reports" / "ensemble" / "weights.json", {"cnn": 1.0})
    said = succeed(predicted, "assemble")
    assert said.startswith("on 11 test images it is within ")
    assert (predicted / "models" / "ensemble.keras").is_file()
    table = predicted / "predictions" / "cnn" / "test.csv"
    stored = table.read_bytes()
    try:
        header, first, *rows = stored.decode().splitlines()
        table.write_text("\n".join([header, first.rpartition(",")[0] + ",0.987", *rows]) + "\n")
        assert "models/ensemble.keras: differs from the members' predictions by" in fail(
            predicted, "assemble"
        )
        table.write_text("\n".join([header, *rows]) + "\n")
        message = fail(predicted, "assemble")
        assert message == (
            "assemble: predictions: test.csv is not of the images that are packed;"
            " run `dvc repro -sf predict`"
        )
    finally:
        table.write_bytes(stored)


def test_initial_weights_that_do_not_fit_are_one_line(copy: Callable[[], Path]) -> None:
    project = copy()
    weights = project / "models" / "initial" / "cnn.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-100])
    before = results(project)
    assert "models/initial/cnn.weights.h5: not weights of cnn as it is built here: " in fail(
        project, "train", "cnn"
    )
    assert results(project) == before


def test_a_model_file_is_checked_against_the_stored_predictions_and_the_same_every_time(
    predicted: Path, tmp_path: Path
) -> None:
    weights_file.write(predicted / "reports" / "ensemble" / "weights.json", {"cnn": 1.0})
    succeed(predicted, "compare")
    said = succeed(predicted, "export")
    assert said.startswith("on all 11 test images it is within ")
    file = predicted / "models" / "ensemble.onnx"
    first = file.read_bytes()
    metadata = Classifier(file).metadata
    assert metadata.members == ("cnn",) and metadata.image_size == 32 and metadata.demonstration
    assert metadata.models["cnn"] == results(predicted)["models/cnn.keras"]
    for private in (predicted, ROOT, Path.home()):
        assert str(private).encode() not in first

    elsewhere = Path(shutil.copytree(predicted, tmp_path / "another folder"))
    succeed(elsewhere, "export", TZ="Asia/Tokyo", LANG="C", LC_ALL="C", COLUMNS="33")
    assert (elsewhere / "models" / "ensemble.onnx").read_bytes() == first

    table = elsewhere / "predictions" / "cnn" / "test.csv"
    header, row, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, row.rpartition(",")[0] + ",0.987", *rows]) + "\n")
    assert "models/ensemble.onnx: cnn differs by" in fail(elsewhere, "export")
    assert (elsewhere / "models" / "ensemble.onnx").read_bytes() == first
