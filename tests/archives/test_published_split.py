"""Validation comes out of the training half, alike in classes and subjects; what leaks is known."""

import hashlib
from collections import Counter

import pytest

from deepfake_ensemble.archives.index import IndexRow
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.archives.splitting import Split, split_published
from deepfake_ensemble.foundation.errors import UserError

LAYOUT = LAYOUTS["cifake"]
PER_SUBJECT = 20


def index() -> list[IndexRow]:
    """An archive of 10 subjects: 20 images of each class for training, 8 for test; some fakes are copies."""
    rows = []
    for part, count in (("train", PER_SUBJECT), ("test", 8)):
        for folder, label in (("REAL", 0), ("FAKE", 1)):
            for subject in range(1, 11):
                suffix = "" if subject == 1 else f" ({subject})"
                for n in range(count):
                    path = f"{part}/{folder}/{n:04d}{suffix}.jpg"
                    rows.append(IndexRow(path, label, digest(path), "ok"))
    by_path = {row.path: row for row in rows}
    # Within train, across train and test, and within test.
    for one, other in (
        ("train/FAKE/0001 (3).jpg", "train/FAKE/0002 (3).jpg"),
        ("train/FAKE/0004 (6).jpg", "train/FAKE/0005 (7).jpg"),
        ("train/FAKE/0003 (3).jpg", "test/FAKE/0001 (3).jpg"),
        ("train/FAKE/0007 (6).jpg", "test/FAKE/0007 (6).jpg"),
        ("test/FAKE/0002 (7).jpg", "test/FAKE/0003 (7).jpg"),
    ):
        by_path[other] = by_path[other]._replace(sha256=by_path[one].sha256)
    return list(by_path.values())


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


COUNTS = {"train": 320, "val": 80, "test": 160}


def drawn(seed: int = 1, counts: dict[str, int] = COUNTS, rows: list[IndexRow] | None = None) -> Split:
    return split_published("cifake", index() if rows is None else rows, LAYOUT, counts, seed)


def test_the_splits_are_complete_disjoint_and_from_their_parts() -> None:
    rows = drawn().rows
    assert {name: len(rows[name]) for name in COUNTS} == COUNTS
    assert not {row.path for row in rows["train"]} & {row.path for row in rows["val"]}
    assert all(row.path.startswith("train/") for name in ("train", "val") for row in rows[name])
    assert all(row.path.startswith("test/") for row in rows["test"])


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_each_is_stratified_by_class_and_subject(name: str) -> None:
    found = Counter((row.label, LAYOUT.subject(row.path)) for row in drawn().rows[name])
    assert len(found) == 20
    # Copies of unlike names may move one image from one subject to another.
    assert max(found.values()) - min(found.values()) <= 2
    assert sum(n for (label, _), n in found.items() if label) == COUNTS[name] // 2


@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_together(seed: int) -> None:
    rows = drawn(seed).rows
    assert not {row.sha256 for row in rows["train"]} & {row.sha256 for row in rows["val"]}


def test_the_leak_free_test_set_lacks_what_lies_in_the_training_half_and_nothing_else() -> None:
    of = drawn()
    lost = {row.path for row in of.rows["test"]} - {row.path for row in of.rows["leak_free"]}
    assert lost == {"test/FAKE/0001 (3).jpg", "test/FAKE/0007 (6).jpg"}
    assert of.summary["leak_free"].images == 158
    assert of.summary["test"].copies == 1


def test_the_draw_follows_the_seed_and_not_the_order_of_the_rows() -> None:
    assert drawn(rows=index()[::-1]) == drawn()
    assert drawn(2).rows["val"] != drawn().rows["val"]
    assert drawn(2).rows["test"] == drawn().rows["test"]


def test_fewer_images_can_be_drawn() -> None:
    counts = {"train": 40, "val": 20, "test": 22}
    of = drawn(counts=counts)
    assert {name: len(of.rows[name]) for name in counts} == counts
    found = Counter((row.label, LAYOUT.subject(row.path)) for row in of.rows["train"])
    assert set(found.values()) == {2}


def test_the_draw_stays_what_it_was() -> None:
    # A changed draw would retrain every network: it must be meant.
    rows = drawn(counts={"train": 40, "val": 20, "test": 20}).rows["val"]
    names = [row.path.removeprefix("train/FAKE/") for row in rows if row.label]
    assert names[:4] == ["0005 (10).jpg", "0006 (2).jpg", "0007.jpg", "0008 (8).jpg"]


def test_unreadable_images_are_not_drawn() -> None:
    rows = [row._replace(status="damaged") if "0000" in row.path else row for row in index()]
    of = drawn(counts={"train": 300, "val": 60, "test": 140}, rows=rows)
    assert not any("0000" in row.path for images in of.rows.values() for row in images)


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        (
            {"train": 321, "val": 80, "test": 160},
            "cifake: the split 'train' cannot have 321 images, half of them real",
        ),
        (
            {"train": 360, "val": 80, "test": 160},
            "cifake, part train: the splits need 220 images of each class, but there are 200 real and 200",
        ),
        ({"train": 320, "val": 80, "test": 180}, "part test: the splits need 90 images of each class"),
    ],
)
def test_counts_that_cannot_be_met_are_refused(counts: dict[str, int], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        drawn(counts=counts)
