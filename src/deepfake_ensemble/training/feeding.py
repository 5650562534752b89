"""Batches of one training for Keras."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from deepfake_ensemble.data.reading.batches import Batch, BatchReader
from deepfake_ensemble.foundation.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf


BatchesFrom = Callable[[int, int], "tf.data.Dataset"]
"""(epoch, step), both from 0, → the batches of training from there on, one epoch after the other."""


def streamed(
    batches: Callable[[], Iterable[Batch]], size: int, unreadable: list[UserError]
) -> "tf.data.Dataset":
    """Read a batch while TensorFlow computes with the one before.

    TensorFlow makes of an error a text of its own: the error itself is kept in `unreadable`.
    """
    import tensorflow as tf

    def read() -> Iterator[Batch]:
        try:
            yield from batches()
        except UserError as error:
            unreadable.append(error)
            raise

    signature = (tf.TensorSpec((None, size, size, 3), tf.uint8), tf.TensorSpec((None, 1), tf.int64))
    return tf.data.Dataset.from_generator(read, output_signature=signature).prefetch(2)


def streamed_epochs(
    train: BatchReader, batch_size: int, seed: int, unreadable: list[UserError]
) -> BatchesFrom:
    """Stream the epochs of `train.epoch` without end."""

    def batches(epoch: int, step: int) -> Iterator[Batch]:
        while True:
            yield from train.epoch(batch_size, seed, epoch, step)
            epoch, step = epoch + 1, 0

    return lambda epoch, step: streamed(lambda: batches(epoch, step), train.size, unreadable)
