"""Crops and flips are those of the paper's transform; with turns and cuts they follow from seed and epoch."""

import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepfake_ensemble.reading import order, records
from deepfake_ensemble.reading.images import pixels
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.residual.augmentation import (
    BLOCK,
    RATIO,
    AugmentedReader,
    crop,
    crop_draws,
    cut_mix_boxes,
    cut_mixed,
    random_transforms,
    transformed,
)
from deepfake_ensemble.training.residual.settings import TRANSFORMS, Symmetry
from residual_recipe import recipe

COUNT = 23


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> PackedImages:
    folder = tmp_path_factory.mktemp("packed")
    rng = np.random.default_rng(0)
    files = []
    for i in range(COUNT):
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).resize((32, 32)).save(out, "PNG")
        files.append((f"{i}.png", i % 2, out.getvalue()))
    records.write(folder, files, COUNT, 10)
    return PackedImages(folder)


def reader(images: PackedImages, size: int = 32, threads: int = 2, **changes: Any) -> AugmentedReader:
    return AugmentedReader(images, size, "bilinear", recipe(**{"crop_scale": [0.08, 1.0]} | changes), threads)


def taken(of: AugmentedReader, batches: int, epoch: int = 0, batch: int = 0, seed: int = 1) -> list:
    source = of.batches(5, seed, epoch, batch)
    return [next(source) for _ in range(batches)]


def test_crops_have_the_areas_and_ratios_that_were_asked_for() -> None:
    drawn = crop_draws(2000, seed=3, epoch=0)
    boxes = np.array([crop((320, 320), (0.2, 0.8), each) for each in drawn])
    across, down = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= 320).all()
    share, ratio = across * down / 320**2, across / down
    assert share.min() == pytest.approx(0.2, abs=0.01) and share.max() == pytest.approx(0.8, abs=0.01)
    assert ratio.min() >= RATIO[0] * 0.98 and ratio.max() <= RATIO[1] * 1.02
    assert np.median(ratio) == pytest.approx(1, abs=0.03)
    assert share.mean() == pytest.approx(0.5, abs=0.02)
    # Every place is reached.
    assert boxes[:, 0].min() == 0 and boxes[:, 2].max() == 320


def test_where_no_crop_fits_it_is_the_middle() -> None:
    drawn = np.zeros((10, 4))
    assert crop((300, 10), (1.0, 1.0), drawn) == (143, 0, 156, 10)
    assert crop((10, 300), (1.0, 1.0), drawn) == (0, 143, 10, 156)
    assert crop((32, 32), (1.0, 1.0), np.full((10, 4), 0.5)) == (0, 0, 32, 32)


def test_a_batch_s_pixels_follow_from_seed_epoch_and_image(images: PackedImages) -> None:
    first, again, other_epoch, other_seed = (
        taken(reader(images), 5, **of) for of in ({}, {}, {"epoch": 1}, {"seed": 2})
    )
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for (a, _), (b, _) in zip(first, other_epoch, strict=True))
    assert not any(np.array_equal(a, b) for (a, _), (b, _) in zip(first, other_seed, strict=True))
    # The same image gets the same crop in whatever batch, by however many threads, it is read.
    visited = order.permutation(COUNT, 1, 0)
    boxes = crop_draws(COUNT, 1, 0)
    mirrored = order.flips(COUNT, 1, 0)
    for row, position in enumerate(visited[:5]):
        image = Image.open(io.BytesIO(images[int(position)]))
        expected = image.crop(crop((32, 32), (0.08, 1.0), boxes[position])).resize(
            (32, 32), Image.Resampling.BILINEAR
        )
        array = np.asarray(expected)
        assert np.array_equal(first[0][0][row], array[:, ::-1] if mirrored[position] else array)


@pytest.mark.parametrize("cut_mix", [0.0, 0.5])
def test_it_goes_on_in_the_middle_of_an_epoch(images: PackedImages, cut_mix: float) -> None:
    whole = taken(reader(images, cut_mix=cut_mix), 12)
    rest = taken(reader(images, threads=1, cut_mix=cut_mix), 4, epoch=1, batch=3)
    for (a, labels_a), (b, labels_b) in zip(whole[8:], rest, strict=True):
        assert np.array_equal(a, b) and np.array_equal(labels_a, labels_b)


def test_an_epoch_visits_every_image_once(images: PackedImages) -> None:
    batches = taken(reader(images, crop_scale=None, symmetry="none"), 5)
    assert [len(batch) for batch, _ in batches] == [5, 5, 5, 5, 3]
    seen = {batch[i].tobytes() for batch, _ in batches for i in range(len(batch))}
    assert seen == {pixels(images[i], 32).tobytes() for i in range(COUNT)}


def test_half_of_the_images_are_mirrored(images: PackedImages) -> None:
    plain = {pixels(images[i], 32).tobytes() for i in range(COUNT)}
    batches = taken(reader(images, crop_scale=None), 5)
    as_they_are = sum(batch[i].tobytes() in plain for batch, _ in batches for i in range(len(batch)))
    assert as_they_are == COUNT - order.flips(COUNT, 1, 0).sum()


@pytest.mark.parametrize(("symmetry", "count"), [("rectangle", 4), ("square", 8)])
def test_all_turns_are_drawn_alike_and_leave_the_pixels(
    images: PackedImages, symmetry: Symmetry, count: int
) -> None:
    drawn = Counter(random_transforms(1000 * count, 1, 0, symmetry))
    assert len(drawn) == count and min(drawn.values()) > 900
    assert random_transforms(50, 1, 0, symmetry) != random_transforms(50, 1, 1, symmetry)
    batch = taken(reader(images, crop_scale=None, symmetry=symmetry), 1)[0][0]
    for row, position in enumerate(order.permutation(COUNT, 1, 0)[:5]):
        turn = random_transforms(COUNT, 1, 0, symmetry)[position]
        assert np.array_equal(batch[row], transformed(pixels(images[int(position)], 32), turn))


def test_without_symmetry_no_image_is_turned() -> None:
    assert set(random_transforms(50, 1, 0, "none")) == {(False, False, False)}


def test_a_rectangle_has_the_four_of_them_that_keep_rows_rows() -> None:
    image = np.arange(6).reshape(2, 3, 1)
    its = {transformed(image, turn).tobytes() for turn in TRANSFORMS["rectangle"]}
    assert its == {each.tobytes() for each in (image, image[:, ::-1], image[::-1], image[::-1, ::-1])}


def test_the_eight_turns_are_all_that_a_square_has() -> None:
    image = np.arange(9).reshape(3, 3, 1)
    assert len({transformed(image, turn).tobytes() for turn in TRANSFORMS["square"]}) == 8
    rotations = {np.rot90(image, n).tobytes() for n in range(4)}
    assert rotations <= {transformed(image, turn).tobytes() for turn in TRANSFORMS["square"]}
    assert np.array_equal(transformed(image, TRANSFORMS["mirror"][1]), image[:, ::-1])


def test_cuts_are_of_whole_blocks_of_all_sizes_everywhere_but_never_the_whole_image() -> None:
    boxes = cut_mix_boxes(20_000, seed=3, epoch=0, share=0.3, size=32)
    assert (boxes % BLOCK == 0).all() and boxes.min() == 0 and boxes.max() == 32
    left, upper, right, lower = boxes[boxes.any(axis=1)].T
    assert len(left) == pytest.approx(6000, rel=0.05)
    sides = Counter(zip(right - left, lower - upper, strict=True))
    assert len(sides) == 15 and (32, 32) not in sides and min(sides.values()) > 300
    assert len(set(zip(left, upper, strict=True))) == 16


def test_none_or_all_of_the_images_are_cut_where_that_is_asked_for() -> None:
    assert not cut_mix_boxes(100, 1, 0, share=0.0, size=32).any()
    assert cut_mix_boxes(100, 1, 0, share=1.0, size=32).any(axis=1).all()


def test_what_is_beyond_the_last_whole_block_stays() -> None:
    assert cut_mix_boxes(1000, 1, 0, share=1.0, size=39).max() == 32


def test_a_box_holds_what_the_image_before_has_there_and_the_label_is_weighted_by_area() -> None:
    batch = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((3, 16, 16, 3), np.uint8)
    labels = np.array([[0], [1], [1]], np.float32)
    boxes = np.array([(8, 0, 16, 8), (0, 0, 0, 0), (0, 0, 8, 16)])
    images, shares = cut_mixed(batch, labels, boxes)
    assert (images[0, :8, 8:] == 2).all() and (images[0] == 2).sum() == 3 * 8 * 8
    assert (images[1] == 1).all()
    assert (images[2, :, :8] == 1).all() and (images[2, :, 8:] == 2).all()
    assert shares.tolist() == [[0.25], [1.0], [1.0]] and shares.dtype == np.float32


def test_a_neighbour_gives_what_it_had_before_it_was_cut_itself() -> None:
    batch = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((3, 16, 16, 3), np.uint8)
    images, _ = cut_mixed(batch, np.zeros((3, 1), np.float32), np.array([(0, 0, 8, 16)] * 3))
    assert [sorted(set(image.flat)) for image in images] == [[0, 2], [0, 1], [1, 2]]


def test_images_are_turned_before_they_are_cut(images: PackedImages) -> None:
    plain, cut = (taken(reader(images, crop_scale=None, cut_mix=share), 5) for share in (0.0, 0.5))
    boxes = cut_mix_boxes(COUNT, 1, 0, 0.5, 32)
    visited = order.permutation(COUNT, 1, 0)
    for number, (of, found) in enumerate(zip(plain, cut, strict=True)):
        expected = cut_mixed(*of, boxes[visited[5 * number : 5 * number + 5]])
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    assert {label for _, labels in plain for label in labels.flat} == {0.0, 1.0}
    assert len({label for _, labels in cut for label in labels.flat}) > 2


def test_another_numpy_gives_the_same_crops_turns_and_cuts() -> None:
    # As test_order.py has it of the order and of mirroring: other values would be other trained weights.
    drawn = crop_draws(1000, 42, 3)
    assert hashlib.sha256(drawn.astype("<f8").tobytes()).hexdigest()[:16] == "e1abd72ef4cb9bfb"
    eight = [TRANSFORMS["square"].index(turn) for turn in random_transforms(16, 42, 0, "square")]
    assert eight == [5, 4, 0, 5, 5, 4, 3, 5, 4, 7, 1, 3, 4, 3, 0, 4]
    four = [TRANSFORMS["rectangle"].index(turn) for turn in random_transforms(16, 42, 0, "rectangle")]
    assert four == [2, 2, 0, 2, 2, 2, 1, 2, 2, 3, 0, 1, 2, 1, 0, 2]
    boxes = cut_mix_boxes(1000, 42, 3, 0.5, 32)
    assert hashlib.sha256(boxes.astype("<i8").tobytes()).hexdigest()[:16] == "03a5323dbe14c298"


def test_images_are_brought_to_the_network_s_size(images: PackedImages) -> None:
    batch, labels = taken(reader(images, size=64), 1)[0]
    assert batch.shape == (5, 64, 64, 3) and labels.shape == (5, 1)


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    from deepfake_ensemble.foundation.errors import UserError

    records.write(tmp_path, [("bad.jpg", 0, b"no image")], 1, 10)
    with pytest.raises(UserError, match=r"^bad\.jpg: not an image"):
        taken(reader(PackedImages(tmp_path)), 1)
