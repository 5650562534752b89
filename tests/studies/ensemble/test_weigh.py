"""Weighing: the metrics say which detector stays at chance, and so does the log."""

import csv
import json
import shutil
from pathlib import Path

import study as made_up
from deepfake_ensemble.foundation.files import write_csv


def test_a_detector_that_guesses_is_reported_and_warned_of(study: Path, tmp_path: Path) -> None:
    before = json.loads((study / "reports/ensemble/validation.json").read_text())
    assert not before["xception"]["at_chance"]
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    table = folder / "predictions/xception/val.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    write_csv(table, ("path", "label", "p_fake"), ((row["path"], row["label"], "0.9") for row in rows))

    said = made_up.run(folder, "weigh").stderr

    after = json.loads((folder / "reports/ensemble/validation.json").read_text())
    assert after["xception"]["accuracy"] == 0.5
    assert after["xception"]["at_chance"]
    assert {model: after[model] for model in before if model != "xception"} == {
        model: before[model] for model in before if model != "xception"
    }
    assert (
        "warning: xception is not shown to do better than guessing on the validation split (of 40 images it"
        " calls 1.000 of the fakes and 1.000 of the real ones fake, p = 1.000; AUC 0.500): look at its"
        " learning curves, try another models.xception.learning_rate\n"
    ) in said
