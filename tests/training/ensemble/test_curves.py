"""Learning curves on disk: DVCLive's layout, the best epoch, and clear words where a file is not right."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.training.ensemble import curves

HISTORY = {
    "loss": [0.7, 0.5, 0.4],
    "accuracy": [0.5, 0.75, 1.0],
    "val_loss": [0.69, 0.6, 0.65],
    "val_accuracy": [0.5, 0.625, 0.75],
}


def test_each_metric_is_a_table_with_a_row_an_epoch(tmp_path: Path) -> None:
    curves.write(tmp_path, HISTORY)
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    metrics = "plots/metrics"
    assert files == {
        "metrics.json",
        *(f"{metrics}/{split}/{metric}.tsv" for split in ("train", "val") for metric in ("loss", "accuracy")),
    }
    assert (tmp_path / metrics / "val" / "loss.tsv").read_bytes() == b"step\tloss\n1\t0.69\n2\t0.6\n3\t0.65\n"
    assert (tmp_path / metrics / "train" / "accuracy.tsv").read_text().splitlines()[-1] == "3\t1.0"


def test_the_summary_is_of_the_epoch_whose_weights_were_kept(tmp_path: Path) -> None:
    curves.write(tmp_path, HISTORY)
    summary = {
        "epochs": 3,
        "best_epoch": 2,
        "loss": 0.5,
        "accuracy": 0.75,
        "val_loss": 0.6,
        "val_accuracy": 0.625,
    }
    assert asdict(curves.read_summary(tmp_path)) == asdict(curves.summary(HISTORY)) == summary


def test_of_equal_epochs_the_first_is_the_best() -> None:
    # As Keras' early stopping and checkpoint have it: only a lower loss replaces the weights.
    assert curves.summary({name: [0.5, 0.5, 0.5] for name in HISTORY}).best_epoch == 1


def test_nine_digits_tell_every_float32_from_its_neighbours(tmp_path: Path) -> None:
    values = [float(np.float32(0.1)), float(np.nextafter(np.float32(0.1), np.float32(1))), 1e-12]
    curves.write(tmp_path, dict.fromkeys(HISTORY, values))
    rows = (tmp_path / "plots/metrics/train/loss.tsv").read_text().splitlines()[1:]
    assert [np.float32(row.split("\t")[1]) for row in rows] == [np.float32(value) for value in values]


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "missing"), ("", "not JSON"), ("{", "not JSON"), ("\ud800", "not JSON")]
)
def test_a_summary_that_is_not_there_or_broken_is_named(tmp_path: Path, content, complaint: str) -> None:
    if content is not None:
        (tmp_path / "metrics.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match=complaint) as caught:
        curves.read_summary(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'metrics.json'}: ")
    assert "\n" not in str(caught.value)


def test_a_summary_that_is_other_json_is_refused(tmp_path: Path) -> None:
    for content, complaint in {
        "[]": "Input should be an object",
        "1": "Input should be an object",
        "{}": "epochs: Field required",
        json.dumps({"epochs": 3}): "best_epoch: Field required",
        json.dumps({"epochs": "3"}): "epochs: Input should be a valid integer",
    }.items():
        (tmp_path / "metrics.json").write_text(content)
        with pytest.raises(UserError, match=rf"metrics\.json: {complaint}.*; restore it"):
            curves.read_summary(tmp_path)
