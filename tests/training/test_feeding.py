"""Feeding: TensorFlow is handed exactly the reader's batches."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.data.reading.batches import Batch, BatchReader
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.training import feeding
from pictures import pack

SIZE, SEED, COUNT, BATCH = 32, 4, 20, 8
STEPS = 3  # in an epoch; the last one is shorter


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> BatchReader:
    return BatchReader(pack(tmp_path_factory.mktemp("packed") / "train", COUNT), SIZE)


def assert_same(received: Any, expected: Iterable[Batch]) -> None:
    for theirs, ours in zip(received.as_numpy_iterator(), expected, strict=True):
        for one, other in zip(theirs, ours, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert np.array_equal(one, other)


def test_streamed_batches_are_the_reader_s(reader: BatchReader) -> None:
    assert_same(
        feeding.streamed(lambda: reader.epoch(BATCH, SEED, 0), SIZE, []), list(reader.epoch(BATCH, SEED, 0))
    )


@pytest.mark.parametrize("first_step", range(STEPS))
@pytest.mark.parametrize("epoch", [0, 2])
def test_epochs_are_the_reader_s_from_any_step_on(reader: BatchReader, epoch: int, first_step: int) -> None:
    expected = [*reader.epoch(BATCH, SEED, epoch, first_step), *reader.epoch(BATCH, SEED, epoch + 1)]
    assert len(expected) == 2 * STEPS - first_step
    endless = feeding.streamed_epochs(reader, BATCH, SEED, [])(epoch, first_step)
    assert_same(endless.take(len(expected)), expected)


def test_an_unreadable_image_is_kept_for_whoever_trains() -> None:
    def fails() -> Iterable[Batch]:
        raise UserError("train/1.jpg: damaged")
        yield

    unreadable: list[UserError] = []
    with pytest.raises(Exception, match="damaged"):
        list(feeding.streamed(fails, SIZE, unreadable))
    assert [str(error) for error in unreadable] == ["train/1.jpg: damaged"]
