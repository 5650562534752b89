"""`make verify`: what it says of two results; the run itself is tested by the end-to-end tests."""

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow import verify
from deepfake_ensemble.workflow.verify import Compared, compared, describe_difference


def two(tmp_path: Path, name: str, ours: str | bytes, theirs: str | bytes) -> tuple[Path, Path]:
    paths = tmp_path / "here" / name, tmp_path / "there" / name
    for path, content in zip(paths, (ours, theirs), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return paths


def model(path: Path, weight: float, fingerprint: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = path.with_suffix(".h5")
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.array([[1.0, weight]], np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("model.weights.h5"), weights.read_bytes())
        archive.writestr(zipfile.ZipInfo("fingerprint.json"), fingerprint)
    return path


def test_every_result_of_a_lock_is_compared(tmp_path):
    lock = {
        "stages": {
            "a": {"outs": [{"path": "x.csv", "md5": "1"}, {"path": "y", "md5": "2.dir"}]},
            "b": {"cmd": "true"},
        }
    }
    assert verify.outs(lock) == {"x.csv": "1", "y": "2.dir"}
    assert compared({"x.csv": "1", "y": "2"}, {"x.csv": "1"}, tmp_path, tmp_path / "there") == [
        Compared("x.csv", True),
        Compared("y", False, "it was not made again"),
    ]


def test_tables_are_told_apart_by_the_largest_difference_of_their_numbers(tmp_path):
    ours, theirs = two(
        tmp_path, "p.csv", "path,p\na.jpg,0.25\nb.jpg,1e-3\n", "path,p\na.jpg,0.2501\nb.jpg,2e-3\n"
    )
    assert describe_difference(ours, theirs) == "numbers differ by 1.0e-03 at most"
    ours, theirs = two(tmp_path, "q.csv", "path,p\na.jpg,0.25\n", "path,p\nc.jpg,0.25\n")
    assert describe_difference(ours, theirs) == "the texts differ in more than numbers"


def test_a_folder_names_the_files_that_differ(tmp_path):
    two(tmp_path, "folder/same.csv", "1", "1")
    two(tmp_path, "folder/unlike.csv", "1", "3")
    assert describe_difference(tmp_path / "here/folder", tmp_path / "there/folder") == (
        "unlike.csv: numbers differ by 2.0e+00 at most"
    )


def test_models_are_told_apart_by_their_weights(tmp_path):
    ours = model(tmp_path / "a/m.keras", 0.5, "one")
    retrained = model(tmp_path / "b/m.keras", 0.625, "one")
    assert (
        describe_difference(ours, retrained)
        == "weights differ by 1.2e-01 at most; parts that differ: model.weights.h5"
    )
    relabelled = model(tmp_path / "c/m.keras", 0.5, "two")
    assert (
        describe_difference(ours, relabelled)
        == "the weights are the same; parts that differ: fingerprint.json"
    )


def test_a_missing_original_says_how_to_get_it(tmp_path):
    _, theirs = two(tmp_path, "x.csv", "1", "2")
    assert "dvc pull" in describe_difference(tmp_path / "gone.csv", theirs)


def test_the_committed_side_says_its_own_processor_or_that_it_does_not_know():
    run = {"predictions": {"cnn": {"versions": {"keras": "3.15"}}}}
    assert verify.committed_side(run) == (
        "the committed run: keras 3.15; its processor is not known, reports/run.json does not say it"
    )
    assert verify.committed_side(run | {"processor": "AMD EPYC"}) == (
        "the committed run: keras 3.15; its report on AMD EPYC"
    )


def test_an_override_must_be_a_plain_key_of_params(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("# Seeds it.\nseed: 42\nmodels:\n  cnn: {}\n")
    verify._set(file, "seed=7")
    assert file.read_text() == "# Seeds it.\nseed: 7\nmodels:\n  cnn: {}\n"
    with pytest.raises(UserError, match="no top-level key sead"):
        verify._set(file, "sead=7")
