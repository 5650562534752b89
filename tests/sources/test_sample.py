"""The sample archives: laid out as Kaggle's, the same every time, and free of shortcuts."""

import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from deepfake_ensemble.files import sha256
from deepfake_ensemble.sources import sample


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    paths = {}
    for layout in ("faces", "cifake"):
        paths[layout] = folder / f"{layout}.zip"
        sample.build(layout, paths[layout], seed=42)
    return paths


def folders(path: Path) -> Counter[str]:
    with zipfile.ZipFile(path) as archive:
        return Counter(name.rpartition("/")[0] for name in archive.namelist())


def test_the_faces_archive_holds_enough_for_the_sample_profile(archives):
    counts = folders(archives["faces"])
    root = "real_vs_fake/real-vs-fake"
    assert set(counts) == {
        "",
        *(f"{root}/{p}/{k}" for p in ("train", "valid", "test") for k in ("real", "fake")),
    }
    assert sum(counts[f"{root}/{p}/real"] for p in ("train", "valid", "test")) >= 540
    for part in ("train", "valid", "test"):
        assert counts[f"{root}/{part}/real"] == counts[f"{root}/{part}/fake"] > 0


def test_the_cifake_archive_holds_a_test_part_of_240_images_or_more(archives):
    counts = folders(archives["cifake"])
    assert set(counts) == {"train/REAL", "train/FAKE", "test/REAL", "test/FAKE"}
    assert counts["test/REAL"] == counts["test/FAKE"] >= 120
    assert 0 < counts["train/REAL"] == counts["train/FAKE"] <= counts["test/REAL"]


def test_tables_say_that_label_1_is_real_and_name_files_that_exist(archives):
    with zipfile.ZipFile(archives["faces"]) as archive:
        names = set(archive.namelist())
        for part in ("train", "valid", "test"):
            text = archive.read(f"{part}.csv").decode()
            assert text.startswith(",original_path,id,label,label_str,path\r\n")
            for row in csv.DictReader(io.StringIO(text)):
                assert f"real_vs_fake/real-vs-fake/{row['path']}" in names
                assert (row["label"], row["label_str"]) in {("1", "real"), ("0", "fake")}
                assert row["path"] == f"{part}/{row['label_str']}/{row['id']}.jpg"


@pytest.mark.parametrize(("layout", "size"), [("faces", 64), ("cifake", 32)])
def test_images_are_compressed_alike_in_both_classes(archives, layout, size):
    formats = set()
    with zipfile.ZipFile(archives[layout]) as archive:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    layers = tuple(layer[1:3] for layer in image.layer)
                    formats.add((image.format, image.mode, image.size, str(image.quantization), layers))
    assert len(formats) == 1
    assert formats.pop()[:3] == ("JPEG", "RGB", (size, size))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(archives, tmp_path):
    for layout in ("faces", "cifake"):
        sample.build(layout, tmp_path / "again.zip", seed=42)
        sample.build(layout, tmp_path / "other.zip", seed=43)
        assert sha256(tmp_path / "again.zip") == sha256(archives[layout]) != sha256(tmp_path / "other.zip")
