"""The study at its own size: the full counts of images, from Kaggle to the shards that training reads.

The images are tiny; everything else is what the profile `paper` does.
"""

import csv
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kaggle_archives
import kaggle_server
from clones import Clone, clone
from deepfake_ensemble.fetching import zipped
from deepfake_ensemble.reading.records import PackedImages
from pictures import encoded

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]

FACES, CIFAKE = "xhlulu/140k-real-and-fake-faces", "birdy654/cifake-real-and-ai-generated-synthetic-images"
SPLITS = {"train": 100_000, "val": 20_000, "test": 20_000, "cifake": 20_000}
MODELS = ("cnn", "resnet50", "xception", "efficientnet_b4")


def tiny_pictures() -> list[bytes]:
    """Return 50 JPEG files of noise, 8 × 8 pixels."""
    rng = np.random.default_rng(0)
    return [encoded(Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))) for _ in range(50)]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """The study with profile `paper`, downloaded from a stand-in for Kaggle and packed."""
    folder = tmp_path_factory.mktemp("paper")
    zipped.write(folder / "faces.zip", kaggle_archives.faces(kaggle_archives.distinct(tiny_pictures())))
    zipped.write(folder / "cifake.zip", kaggle_archives.cifake(kaggle_archives.distinct(tiny_pictures())))
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
        place = split if split == "cifake" else f"internal/{split}"
        packed = PackedImages(paper / f"data/packed/{place}")
        assert packed.paths == [row["path"] for row in listed]
        assert packed.labels.tolist() == [int(row["label"]) for row in listed]
        for position, row in enumerate(listed):
            assert hashlib.sha256(packed[position]).hexdigest() == row["sha256"]


def test_no_image_lies_loose_and_shards_are_few(paper):
    shards = list((paper / "data").rglob("*.tfrecord"))
    assert len(shards) == sum(count // 5_000 for count in SPLITS.values())
    assert not list((paper / "data").rglob("*.jpg"))
