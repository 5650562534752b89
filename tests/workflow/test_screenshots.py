"""The README's pictures are small, and show only what anybody may show."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.evaluation.predictions import Predictions
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow import screenshots

ROOT = Path(__file__).parents[2]


def test_only_crops_of_free_photographs_are_shown_one_of_each_class(tmp_path: Path) -> None:
    photographs = (
        "skimage/data/chelsea.png",
        "sklearn/datasets/images/china.jpg",
        "skimage/data/chelsea.png",
    )
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["", "original_path", "id", "label", "label_str", "path"])
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for number, photograph in enumerate(photographs):
            path = f"test/real/{number}.jpg"
            writer.writerow([number, f"{photograph}#xywh=0,0,40,40", number, 1, "real", path])
            archive.writestr(f"real_vs_fake/real-vs-fake/{path}", f"image {number}")
        archive.writestr("test.csv", table.getvalue())
    paths = tuple(f"real_vs_fake/real-vs-fake/test/real/{number}.jpg" for number in range(3))
    test = Predictions(paths=paths, labels=np.zeros(3, dtype=np.int64), p_fake=np.full(3, 0.5))
    assert list(screenshots.examples(tmp_path / "faces.zip", test)) == [("chelsea-real.jpg", b"image 0")]


def test_without_a_run_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^data/raw/internal\.zip: missing; `make repro` makes it"):
        screenshots.main()


def test_the_pictures_are_small() -> None:
    pictures = list((ROOT / "docs/pictures").glob("*.png"))
    assert {picture.name for picture in pictures} == {"page.png", "report.png"}
    assert all(picture.stat().st_size <= 200_000 for picture in pictures)
