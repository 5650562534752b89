"""Batches: the same bytes whoever reads them, from whichever step, by however many threads."""

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading import order, records
from deepfake_ensemble.reading.batches import Batches, BatchReader
from deepfake_ensemble.reading.images import pixels
from deepfake_ensemble.reading.records import PackedImages
from pictures import encoded, pack, picture

COUNT, SIZE, BATCH = 23, 24, 4


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> PackedImages:
    return pack(tmp_path_factory.mktemp("packed") / "train", COUNT)


@pytest.fixture
def reader(images: PackedImages) -> BatchReader:
    return BatchReader(images, SIZE)


def joined(batches) -> tuple[np.ndarray, np.ndarray]:
    pictures, labels = zip(*batches, strict=True)
    return np.concatenate(pictures), np.concatenate(labels)


def test_in_order_gives_every_image_once_as_it_is(reader: BatchReader, images: PackedImages) -> None:
    batches = list(reader.in_order(BATCH))
    assert [len(pictures) for pictures, _ in batches] == [4, 4, 4, 4, 4, 3]
    pictures, labels = joined(batches)
    assert (pictures.shape, pictures.dtype) == ((COUNT, SIZE, SIZE, 3), np.uint8)
    assert labels.tolist() == [[label] for label in images.labels.tolist()]
    for position in range(COUNT):
        assert np.array_equal(pictures[position], pixels(images[position], SIZE))


@pytest.mark.parametrize("batch_size", [1, 23, 100])
def test_the_batch_size_does_not_change_the_images(reader: BatchReader, batch_size: int) -> None:
    for one, other in zip(joined(reader.in_order(batch_size)), joined(reader.in_order(BATCH)), strict=True):
        assert np.array_equal(one, other)


def test_an_epoch_is_the_order_and_the_flips_of_its_seed(reader: BatchReader) -> None:
    pictures, labels = joined(reader.in_order(BATCH))
    visited, flipped = order.permutation(COUNT, 42, 3), order.flips(COUNT, 42, 3)
    assert 0 < flipped.sum() < COUNT
    batches = list(reader.epoch(BATCH, 42, 3))
    assert [len(batch) for batch, _ in batches] == [4, 4, 4, 4, 4, 3]
    seen, seen_labels = joined(batches)
    assert np.array_equal(seen_labels, labels[visited])
    for row, position in enumerate(visited):
        expected = pictures[position][:, ::-1] if flipped[position] else pictures[position]
        assert np.array_equal(seen[row], expected)
        # The pictures have a left and a right, so mirroring shows.
        assert not np.array_equal(pictures[position], pictures[position][:, ::-1])


@pytest.mark.parametrize("size", [16, 21, 32, 40])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_is_what_pillow_decodes_whether_resized_or_not(
    images: PackedImages, size: int, threads: int
) -> None:
    # At 32 pixels, their own size, images are decoded without Pillow.
    visited, flipped = order.permutation(COUNT, 42, 0), order.flips(COUNT, 42, 0)
    seen, _ = joined(BatchReader(images, size, threads=threads).epoch(BATCH, 42, 0))
    for row, position in enumerate(visited):
        expected = pixels(images[position], size)
        assert np.array_equal(seen[row], np.fliplr(expected) if flipped[position] else expected)


def test_images_that_are_no_plain_jpegs_stand_among_the_others(tmp_path: Path) -> None:
    grey, other = picture(1).convert("L"), picture(2)
    files = [
        encoded(grey),
        encoded(other, "PNG"),
        encoded(other),
        encoded(picture(3, 50, 20)),
        encoded(other),
    ]
    records.write(tmp_path, [(f"{i}", 0, file) for i, file in enumerate(files)], len(files), 2)
    reader = BatchReader(PackedImages(tmp_path), 32)
    for _ in range(2):  # what is known of the files by then does not change what they give
        ((batch, _),) = reader.in_order(8)
        expected = np.stack([pixels(file, 32) for file in files])
        assert np.array_equal(batch, expected)
        mirrored, _ = reader.read(np.arange(len(files)), np.ones(len(files), np.bool_))
        assert np.array_equal(mirrored, expected[:, :, ::-1])


def test_batches_that_are_held_stay_as_they_are(reader: BatchReader) -> None:
    # Their memory is used again, but only once nobody holds it.
    held = list(reader.epoch(BATCH, 42, 0))
    copies = [pictures.copy() for pictures, _ in held]
    for _ in range(3):
        list(reader.epoch(BATCH, 43, 1))
    for (pictures, _), copy in zip(held, copies, strict=True):
        assert np.array_equal(pictures, copy)


def test_mirroring_is_left_to_right_and_after_resizing(tmp_path: Path) -> None:
    image = picture(1, 50, 20)
    records.write(tmp_path, [("a.png", 0, encoded(image, "PNG"))], 1, 1)
    reader = BatchReader(PackedImages(tmp_path), SIZE)
    plain, _ = reader.read(np.array([0]))
    mirrored, _ = reader.read(np.array([0]), np.array([True]))
    assert np.array_equal(mirrored[0], np.fliplr(plain[0]))


@pytest.mark.parametrize("first_step", range(8))
def test_an_epoch_can_be_picked_up_at_any_step(reader: BatchReader, first_step: int) -> None:
    whole = list(reader.epoch(BATCH, 42, 1))
    tail = list(reader.epoch(BATCH, 42, 1, first_step))
    assert len(tail) == max(len(whole) - first_step, 0)
    for ours, theirs in zip(tail, whole[first_step:], strict=True):
        assert np.array_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])


def test_skipped_steps_are_not_read(images: PackedImages) -> None:
    class Counting(PackedImages):
        read = 0

        def __getitem__(self, position: int) -> bytes:
            self.read += 1
            return super().__getitem__(position)

    counting = Counting(images._folder)
    list(BatchReader(counting, SIZE, threads=1).epoch(BATCH, 42, 0, first_step=5))
    assert counting.read == 3


def test_epochs_and_seeds_differ(reader: BatchReader) -> None:
    draws = [(42, 0), (42, 1), (43, 0)]
    epochs = [joined(reader.epoch(BATCH, *draw))[0] for draw in draws]
    for one, other in itertools.combinations(epochs, 2):
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 4, 16])
def test_the_number_of_threads_does_not_change_a_byte(images: PackedImages, threads: int) -> None:
    reference = joined(BatchReader(images, SIZE).epoch(BATCH, 42, 0))
    pictures, labels = joined(BatchReader(images, SIZE, threads=threads).epoch(BATCH, 42, 0))
    assert pictures.tobytes() == reference[0].tobytes()
    assert labels.tobytes() == reference[1].tobytes()


class Together(Batches):
    """Goes on only when as many threads as it has are at work at the same time."""

    def __init__(self, count: int, threads: int) -> None:
        super().__init__(np.zeros(count, np.int64), size=1, threads=threads)
        self._barrier = threading.Barrier(threads)

    def _fill(self, batch: np.ndarray, positions: np.ndarray, flipped: np.ndarray) -> None:
        self._barrier.wait(timeout=60)


@pytest.mark.parametrize("threads", [1, 2, 4, 8])
def test_all_threads_are_at_work(threads: int) -> None:
    batches = Together(2 * 2 * BATCH, threads)
    assert len(list(batches.in_order(BATCH))) == 4
    assert len(batches.read(np.arange(2 * BATCH))[0]) == 2 * BATCH


def test_two_readers_side_by_side_do_not_disturb_each_other(reader: BatchReader) -> None:
    alone = [list(reader.epoch(BATCH, 42, epoch)) for epoch in (0, 1)]
    together = list(zip(reader.epoch(BATCH, 42, 0), reader.epoch(BATCH, 42, 1), strict=True))
    for step, both in enumerate(together):
        for epoch in (0, 1):
            assert np.array_equal(both[epoch][0], alone[epoch][step][0])


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic"])
def test_the_interpolation_is_the_one_asked_for(images: PackedImages, interpolation) -> None:
    batch, _ = BatchReader(images, SIZE, interpolation).read(np.array([5]))
    assert np.array_equal(batch[0], pixels(images[5], SIZE, interpolation))
    assert not np.array_equal(batch[0], pixels(images[5], SIZE, "bilinear"))


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"no image", "not an image")])
def test_a_bad_image_is_named(tmp_path: Path, data: bytes, reason: str) -> None:
    records.write(tmp_path, [("train/fake/a.jpg", 1, data)], 1, 1)
    with pytest.raises(UserError, match=rf"^train/fake/a\.jpg: {reason}; "):
        list(BatchReader(PackedImages(tmp_path), SIZE).in_order(1))


def test_no_images_are_an_empty_batch(reader: BatchReader) -> None:
    pictures, labels = reader.read(np.array([], np.int64))
    assert (pictures.shape, labels.shape) == ((0, SIZE, SIZE, 3), (0, 1))
