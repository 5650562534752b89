"""Crops of training images: which part of each, and what becomes of a batch."""

import numpy as np

from deepfake_ensemble.training.ensemble import crops


def test_the_corners_are_decided_by_seed_and_epoch_alone() -> None:
    corners = crops.corners(50, 4, 2, 96)
    assert (corners == crops.corners(50, 4, 2, 96)).all()
    assert (corners != crops.corners(50, 4, 3, 96)).any()
    assert (corners != crops.corners(50, 5, 2, 96)).any()


def test_every_place_is_as_likely_as_any_other() -> None:
    rows, columns = crops.corners(9_000, 4, 0, 2).T
    counted = np.bincount(3 * rows + columns, minlength=9)
    assert counted.shape == (9,)
    assert (abs(counted - 1_000) < 5 * np.sqrt(1_000)).all()


def test_crops_as_large_as_the_image_are_the_image() -> None:
    assert not crops.corners(50, 4, 0, 0).any()


def test_each_image_of_each_batch_is_cut_at_its_own_corner() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    labels = np.arange(5)[:, None]
    corners = np.array([[0, 0], [3, 1], [0, 3], [3, 3], [2, 2]])
    batches = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    cut = list(crops.cropped(batches, corners, 5))
    assert [len(pictures) for pictures, _ in cut] == [3, 2]
    for number, (row, column) in enumerate(corners):
        pictures, numbers = cut[number // 3]
        assert (pictures[number % 3] == images[number, row : row + 5, column : column + 5]).all()
        assert numbers[number % 3] == number
