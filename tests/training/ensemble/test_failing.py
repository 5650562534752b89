"""Training that cannot go on: one line that says where, and what to change."""

from pathlib import Path
from typing import Any

import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading import records
from deepfake_ensemble.reading.batches import Batch, BatchReader
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.training.shared import steps
from errors_page import Documented
from pictures import encoded, pack, picture
from tiny_training import SIZE, changed, fit, small

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # how Keras turns its variables into arrays


def failure(*arguments: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        fit(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_loss_that_is_no_number_ends_the_training_at_once(
    train, validation, tmp_path: Path, documented: Documented
) -> None:
    message = failure(small(), train, validation, tmp_path, learning_rate=1e38)
    assert message.startswith("small: the loss became ")
    assert "in epoch 1 of 2, step 2: lower models.small.learning_rate" in message
    documented("Training", "the loss is no number any more", message, {"became inf": "became nan"})


def test_too_little_memory_is_told_with_the_batch_size(
    train, validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, documented: Documented
) -> None:
    # As a GPU that is too small ends a step; on a processor the system ends the process instead.
    import tensorflow as tf

    def exhausted(batch: Batch) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nmore lines")

    monkeypatch.setattr(steps, "compiled", lambda *step, **options: exhausted)
    message = failure(small(), train, validation, tmp_path)
    assert message.startswith(
        "small: out of memory: halve training.batch_size (8) and double training.accumulation (1), "
    )
    documented("Training", "the GPU's memory is too small", message)


def test_a_validation_loss_that_is_no_number_ends_it_too(
    train, validation, tmp_path: Path, documented: Documented
) -> None:
    # One step an epoch: its loss is that of the initial weights, and the damage shows in validation first.
    message = failure(small(), train, validation, tmp_path, changed(batch_size=20), learning_rate=1e38)
    assert message.startswith("small: the validation loss became ")
    assert "in epoch 1 of 2: lower models.small.learning_rate" in message
    documented("Training", "the validation loss is no number any more", message, {"became inf": "became nan"})


@pytest.fixture
def damaged(tmp_path: Path) -> BatchReader:
    folder = tmp_path / "damaged"
    folder.mkdir()
    images = [("good.jpg", 0, encoded(picture(1))), ("fake/bad.jpg", 1, encoded(picture(2))[:300])]
    records.write(folder, images, 2, 2)
    return BatchReader(PackedImages(folder), SIZE)


def test_an_image_that_cannot_be_read_is_named_in_training(
    damaged, validation, tmp_path: Path, documented: Documented
) -> None:
    message = failure(small(), damaged, validation, tmp_path)
    assert message.startswith("fake/bad.jpg: damaged: ")
    documented("Training", "a packed image is damaged", message)


def test_an_image_that_cannot_be_read_is_named_in_validation(train, damaged, tmp_path: Path) -> None:
    assert failure(small(), train, damaged, tmp_path).startswith("fake/bad.jpg: damaged: ")


def test_a_damaged_shard_is_named(train, validation, tmp_path: Path, documented: Documented) -> None:
    pack(tmp_path / "packed", 4)
    shard = next((tmp_path / "packed").glob("*.tfrecord"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    message = failure(small(), BatchReader(PackedImages(tmp_path / "packed"), SIZE), validation, tmp_path)
    assert message.startswith(f"{shard}: damaged at ")
    documented("Training", "a packed shard is damaged", message)


def test_a_network_whose_weights_are_of_one_size_of_images_is_refused_for_crops(
    train, validation, tmp_path: Path, documented: Documented
) -> None:
    message = failure(small(), train, validation, tmp_path, learner=small(SIZE // 2))
    assert "set the profile's training.crop to null" in message
    shown = "`profiles.NAME.training.crop` is a size, and the CNN a member"
    documented("Training", shown, message, {"small: ": "cnn: "})
