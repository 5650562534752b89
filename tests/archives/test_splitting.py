"""Splits are exact, balanced, disjoint, and a function of the images, the counts and the seed alone."""

import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_ensemble.archives.index import (
    IndexRow,
    SplitRow,
    read_index,
    read_split,
    write_index,
    write_split,
)
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.archives.splitting import assign_groups, split_set
from deepfake_ensemble.foundation.errors import UserError
from errors_page import Documented

LAYOUT = LAYOUTS["cifake"]
COUNTS = {"train": 12, "val": 4, "test": 6}


def images(
    label: int, *groups: int, folder: str | None = None, status: str = "ok", prefix: str = ""
) -> list[IndexRow]:
    """Return images of a class: one group of byte-identical ones for each size given."""
    return [
        IndexRow(
            f"{folder or f'train/{label}'}/{prefix}{number}-{copy}.jpg",
            label,
            hashlib.sha256(f"{prefix}{label} {number}".encode()).hexdigest(),
            status,
        )
        for number, size in enumerate(groups)
        for copy in range(size)
    ]


def check(rows: dict[str, list[SplitRow]], counts: dict[str, int]) -> None:
    """Assert what always holds: exact, balanced, disjoint, sorted, and copies together."""
    for name, count in counts.items():
        assert Counter(row.label for row in rows[name]) == {0: count // 2, 1: count // 2}
        assert rows[name] == sorted(rows[name])
    paths = [row.path for split in rows.values() for row in split]
    assert len(paths) == len(set(paths))
    where = defaultdict(set)
    for name, split in rows.items():
        for row in split:
            where[row.sha256].add(name)
    assert all(len(names) == 1 for names in where.values())


def test_splits_are_exact_and_balanced_and_leave_the_rest_out() -> None:
    split = split_set("faces", images(0, *[1] * 20) + images(1, *[1] * 30), LAYOUT, COUNTS, 42)
    check(split.rows, COUNTS)
    assert asdict(split.summary) == {
        "images": COUNTS,
        "missing": {"train": 0, "val": 0, "test": 0},
        "dropped": 0,
        "unused": 28,
        "copies_kept_together": 0,
    }


def test_splits_depend_on_the_seed_but_not_on_any_order() -> None:
    rows = images(0, *[1] * 15, 2, 2, 3) + images(1, *[1] * 25)
    drawn = split_set("faces", rows, LAYOUT, COUNTS, 42)
    random.Random(1).shuffle(rows)
    counts = dict(reversed(COUNTS.items()))
    assert split_set("faces", rows + rows[:3], LAYOUT, counts, 42) == drawn
    assert split_set("faces", rows, LAYOUT, COUNTS, 43).rows != drawn.rows


def test_the_draw_stays_what_it_was() -> None:
    # A changed draw would retrain every model: it must be meant.
    split = split_set("faces", images(0, *[1] * 20, 2) + images(1, *[1] * 30), LAYOUT, COUNTS, 42)
    names = [row.path for row in split.rows["val"]]
    assert names == ["train/0/11-0.jpg", "train/0/14-0.jpg", "train/1/13-0.jpg", "train/1/21-0.jpg"]


def test_every_image_is_drawn_equally_often() -> None:
    rows = images(0, *[1] * 8, 2) + images(1, *[1] * 10)  # the last two real ones are copies
    found = Counter(
        row.path
        for seed in range(600)
        for row in split_set("faces", rows, LAYOUT, {"train": 8, "test": 4}, seed).rows["test"]
        if row.label == 0
    )
    assert set(found) == {row.path for row in rows if row.label == 0}
    # 2 of 10 in 600 draws: 120 each, give or take 4.5 standard deviations of a binomial.
    assert all(75 < count < 165 for count in found.values())


def test_copies_stay_together_and_are_shared_out() -> None:
    rows = images(0, *[2] * 40, *[1] * 20) + images(1, *[3] * 30, *[1] * 10)
    counts = {"train": 100, "val": 50, "test": 50}
    split = split_set("faces", rows, LAYOUT, counts, 7)
    check(split.rows, counts)
    copies = {
        name: sum(count > 1 for count in Counter(row.sha256 for row in drawn if row.label == 0).values())
        for name, drawn in split.rows.items()
    }
    assert sum(copies.values()) == 40
    assert min(copies.values()) >= 5


def test_counts_that_copies_make_impossible_are_refused(documented: Documented) -> None:
    with pytest.raises(UserError) as refusal:
        split_set("faces", images(0, *[1] * 10) + images(1, *[2] * 20), LAYOUT, {"train": 10, "val": 6}, 1)
    assert str(refusal.value) == (
        "faces: there are too many byte-identical fake images, which have to stay together, "
        "for splits of exactly 5 (train), 3 (val) of them; ask for other counts"
    )
    documented("Data sets", "copies that have to stay in one split", str(refusal.value))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def possible(sizes: list[int], capacities: list[int]) -> bool:
    """Try every way to deal."""
    for bins in product(range(len(capacities) + 1), repeat=len(sizes)):
        filled = [0] * (len(capacities) + 1)
        for size, number in zip(sizes, bins, strict=True):
            filled[number] += size
        if filled[: len(capacities)] == capacities:
            return True
    return False


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=7),
    capacities=st.lists(st.integers(1, 10), min_size=1, max_size=3),
)
def test_groups_are_dealt_exactly_whenever_that_is_possible(sizes: list[int], capacities: list[int]) -> None:
    assigned = assign_groups(sizes, capacities, rng())
    assert (assigned is not None) == possible(sizes, capacities)
    if assigned is not None:
        assert [
            sum(size for size, number in zip(sizes, assigned, strict=True) if number == wanted)
            for wanted in range(len(capacities))
        ] == capacities


def test_the_only_way_to_deal_is_found() -> None:
    assert assign_groups([3, 3, 2, 2, 2], [6, 6], rng()) is not None


def test_many_copies_without_single_images_are_dealt() -> None:
    sizes = [7] * 3_000 + [4] * 5_000
    assigned = assign_groups(sizes, [25_001, 7_003, 7_002], rng())
    assert assigned is not None
    filled: Counter[int | None] = Counter()
    for size, number in zip(sizes, assigned, strict=True):
        filled[number] += size
    assert (filled[0], filled[1], filled[2]) == (25_001, 7_003, 7_002)


def test_too_few_images_are_refused_with_both_numbers(documented: Documented) -> None:
    with pytest.raises(UserError) as refusal:
        rows = images(0, *[1] * 900) + images(1, *[1] * 1_000)
        split_set("faces", rows, LAYOUT, {"train": 1_800, "val": 200}, 42)
    assert str(refusal.value) == (
        "faces: the splits need 1,000 images of each class, but there are 900 real and 1,000 fake "
        "usable ones; ask for fewer images or use the complete archive"
    )
    documented("Data sets", "too few images for the splits", str(refusal.value))


@pytest.mark.parametrize("count", [0, 1, 5, -2])
def test_a_count_that_has_no_half_is_refused(count: int) -> None:
    with pytest.raises(UserError) as refusal:
        split_set("faces", images(0, *[1] * 9) + images(1, *[1] * 9), LAYOUT, {"train": 2, "val": count}, 42)
    assert str(refusal.value) == (
        f"faces: the split 'val' cannot have {count} images, half of them real and half fake; "
        "ask for an even number from 2 up"
    )


def test_files_with_both_labels_are_refused() -> None:
    rows = images(0, 1, 1) + images(1, 1, 1)
    rows.append(IndexRow("z.jpg", 1, rows[0].sha256, "ok"))
    with pytest.raises(UserError) as refusal:
        split_set("faces", rows, LAYOUT, {"train": 2}, 42)
    assert str(refusal.value) == (
        "faces: 'train/0/0-0.jpg' (real) and 'z.jpg' (fake) are the same file; "
        "use the publisher's own archive"
    )


def two_parts() -> list[IndexRow]:
    """Return ten images of each class in either part of CIFAKE."""
    return [
        row
        for label in (0, 1)
        for part in ("train", "test")
        for row in images(label, *[1] * 10, folder=f"{part}/{('REAL', 'FAKE')[label]}", prefix=part)
    ]


def test_only_images_of_the_wanted_part_are_drawn() -> None:
    rows = two_parts()
    split = split_set("cifake", rows, LAYOUT, {"cifake": 20}, 42, partition="test")
    check(split.rows, {"cifake": 20})
    assert all(row.path.startswith("test/") for row in split.rows["cifake"])
    assert split.summary.unused == 0


def test_the_leak_free_test_part_has_no_copies_of_training_images_and_is_balanced() -> None:
    rows = two_parts()
    leaked = next(row for row in rows if row.path.startswith("test/FAKE"))
    copied = [
        row._replace(sha256=leaked.sha256) if row.path.startswith("train/FAKE") else row for row in rows
    ]
    drawn = split_set("cifake", copied, LAYOUT, {"cifake": None}, 42, partition="test_leak_free").rows[
        "cifake"
    ]
    assert len(drawn) == 18
    assert all(row.path.startswith("test/") and row.sha256 != leaked.sha256 for row in drawn)


def test_all_images_are_as_many_of_each_class_as_the_smaller_one_has() -> None:
    rows = images(0, *[1] * 15, 2) + images(1, *[1] * 21) + images(1, 1, status="truncated", prefix="bad")
    split = split_set("cifake", rows, LAYOUT, {"cifake": None}, 42)
    assert split == split_set("cifake", rows, LAYOUT, {"cifake": 34}, 42)
    check(split.rows, {"cifake": 34})
    assert split.summary.missing == {"cifake": 0}
    with pytest.raises(UserError, match="need 1 images of each class, but there are 2 real and 0 fake"):
        split_set("cifake", images(0, 1, 1), LAYOUT, {"cifake": None}, 42)


def test_dropped_images_are_missing_from_train_alone_which_stays_balanced() -> None:
    bad = images(1, 1, 1, status="truncated", prefix="bad")
    split = split_set("faces", images(0, *[1] * 11) + images(1, *[1] * 9) + bad, LAYOUT, COUNTS, 42)
    check(split.rows, COUNTS | {"train": 8})
    assert split.summary.missing == {"train": 4, "val": 0, "test": 0}
    assert split.summary.dropped == 2
    assert split.summary.unused == 2


def test_dropped_images_do_not_hide_that_there_never_were_enough() -> None:
    bad = images(1, 1, status="truncated", prefix="bad")
    with pytest.raises(UserError, match="11 images of each class, but there are 11 real and 9 fake usable"):
        split_set("faces", images(0, *[1] * 11) + images(1, *[1] * 9) + bad, LAYOUT, COUNTS, 42)


def test_a_set_without_a_training_split_cannot_shrink() -> None:
    bad = images(1, 1, status="truncated", prefix="bad")
    with pytest.raises(UserError, match="need 5 images of each class, but there are 5 real and 4 fake"):
        split_set("cifake", images(0, *[1] * 5) + images(1, *[1] * 4) + bad, LAYOUT, {"cifake": 10}, 42)


def test_tables_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [
        *images(0, 1, 2),
        IndexRow('a, "b" é.jpg', 1, "0" * 64, "truncated after 5 bytes, or so"),
    ]
    write_index(tmp_path / "index.csv", rows)
    assert read_index(tmp_path / "index.csv") == rows
    split = [SplitRow(*row[:3]) for row in rows]
    write_split(tmp_path / "split.csv", split)
    assert read_split(tmp_path / "split.csv") == split


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1 is not path,label,sha256; run the split stage again"),
        ("path,label\n", "line 1 is not path,label,sha256; run the split stage again"),
        (
            "path,label,sha256\na.jpg,2," + "0" * 64,
            "line 2 is not path,label,sha256; run the split stage again",
        ),
        ("path,label,sha256\na.jpg,1,xyz\n", "line 2 is not path,label,sha256; run the split stage again"),
        ("path,label,sha256\n\n", "line 2 is not path,label,sha256; run the split stage again"),
        (
            'path,label,sha256\n"a',
            "not a table of images (unexpected end of data); run the split stage again",
        ),
    ],
)
def test_a_table_that_someone_edited_is_refused(
    content: str, message: str, tmp_path: Path, documented: Documented
) -> None:
    path = tmp_path / "train.csv"
    path.write_text(content)
    with pytest.raises(UserError) as refusal:
        read_split(path)
    assert str(refusal.value) == f"{path}: {message}"
    if content.endswith("xyz\n"):
        documented("Tables between stages", "a split's table was edited", str(refusal.value))


def test_a_missing_table_names_its_stage(tmp_path: Path, documented: Documented) -> None:
    with pytest.raises(UserError) as refusal:
        read_index(tmp_path / "internal.csv")
    assert str(refusal.value) == f"{tmp_path}/internal.csv: there is no such table; run the audit stage first"
    documented("Tables between stages", "a table is missing", str(refusal.value))
