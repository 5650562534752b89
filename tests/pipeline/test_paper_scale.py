"""The study at its own size: the full counts of images, from Kaggle to the shards that training reads.

The images are tiny; everything else is what the profile `paper` does.
"""

import csv
import hashlib
import io
import shutil
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kaggle_server
from clones import Clone, clone
from deepfake_ensemble.data.records import PackedImages

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

FACES, CIFAKE = "xhlulu/140k-real-and-fake-faces", "birdy654/cifake-real-and-ai-generated-synthetic-images"
SPLITS = {"train": 100_000, "val": 20_000, "test": 20_000, "cifake": 20_000}
MODELS = ("cnn", "resnet50", "xception", "efficientnet_b4")


def images() -> Iterator[bytes]:
    """Yield distinct JPEG files without end: a few tiny pictures, each file with a comment of its own."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(50):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file, "JPEG", quality=75)
        pictures.append(file.getvalue())
    number = 0
    while True:
        for picture in pictures:
            comment = f"{number:08d}".encode()
            # Behind the two bytes with which every JPEG starts: marker, length with itself, comment.
            yield picture[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment + picture[2:]
            number += 1


def faces(path: Path) -> None:
    """Write the 140k faces' archive, file for file as Kaggle has it."""
    files, number = images(), 0
    with zipfile.ZipFile(path, "w") as archive:
        for part, count in (("train", 50_000), ("valid", 10_000), ("test", 10_000)):
            table = io.StringIO(newline="")
            rows = csv.writer(table)
            rows.writerow(["", "original_path", "id", "label", "label_str", "path"])
            for label, kind in ((1, "real"), (0, "fake")):
                for i in range(count):
                    name = (
                        f"{number:05d}"
                        if label
                        else f"{hashlib.md5(b'%d' % number).hexdigest()[:10].upper()}"
                    )
                    archive.writestr(f"real_vs_fake/real-vs-fake/{part}/{kind}/{name}.jpg", next(files))
                    rows.writerow(
                        [i, f"/kaggle/input/{name}.jpg", name, label, kind, f"{part}/{kind}/{name}.jpg"]
                    )
                    number += 1
            archive.writestr(f"{part}.csv", table.getvalue())


def cifake(path: Path) -> None:
    """Write CIFAKE's archive, file for file as Kaggle has it."""
    files = images()
    with zipfile.ZipFile(path, "w") as archive:
        for part, count in (("train", 5_000), ("test", 1_000)):
            for kind in ("REAL", "FAKE"):
                for cls in range(1, 11):
                    for i in range(count):
                        number = f"{i:04d}" if kind == "REAL" else str(i + 1000 * (part == "train"))
                        suffix = "" if cls == 1 else f" ({cls})"
                        archive.writestr(f"{part}/{kind}/{number}{suffix}.jpg", next(files))


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """The study with profile `paper`, downloaded from a stand-in for Kaggle and packed."""
    folder = tmp_path_factory.mktemp("paper")
    faces(folder / "faces.zip")
    cifake(folder / "cifake.zip")
    paper = clone(folder / "clone")
    paper.set_params({"profile": "paper"})
    with kaggle_server.serve({FACES: folder / "faces.zip", CIFAKE: folder / "cifake.zip"}) as server:
        paper.dvc("repro", "download", "audit", "split", "pack", environment=server.environment)
    yield paper
    shutil.rmtree(folder)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_splits_hold_exactly_the_studys_counts_half_of_each_class(paper):
    for split, count in SPLITS.items():
        labels = Counter(row["label"] for row in table(paper / f"data/splits/{split}.csv"))
        assert labels == {"0": count // 2, "1": count // 2}, split


def test_every_face_is_in_one_split_and_every_test_image_of_cifake_in_its_own(paper):
    rows = {split: table(paper / f"data/splits/{split}.csv") for split in SPLITS}
    drawn = Counter(row["path"] for split in ("train", "val", "test") for row in rows[split])
    assert len(drawn) == 140_000
    assert set(drawn.values()) == {1}
    assert len({row["path"] for row in rows["cifake"]}) == 20_000
    assert all(row["path"].startswith("test/") for row in rows["cifake"])


def test_labels_are_those_of_the_class_folders(paper):
    for split in SPLITS:
        for row in table(paper / f"data/splits/{split}.csv"):
            assert row["label"] == str(int(row["path"].split("/")[-2].lower() == "fake"))


def test_the_packs_hold_the_images_of_the_splits_as_they_are_and_in_order(paper):
    for split in SPLITS:
        listed = table(paper / f"data/splits/{split}.csv")
        packed = PackedImages(paper / f"data/packed/{split}")
        assert packed.paths == [row["path"] for row in listed]
        assert packed.labels.tolist() == [int(row["label"]) for row in listed]
        for position, row in enumerate(listed):
            assert hashlib.sha256(packed[position]).hexdigest() == row["sha256"]


def test_no_image_lies_loose_and_shards_are_few(paper):
    shards = list((paper / "data").rglob("*.tfrecord"))
    assert len(shards) == sum(count // 5_000 for count in SPLITS.values())
    assert not list((paper / "data").rglob("*.jpg"))
