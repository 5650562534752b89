"""Batches of one training for Keras: read from the packed images as needed, or decoded once."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from deepfake_ensemble.data import order
from deepfake_ensemble.data.batches import Batch, BatchReader
from deepfake_ensemble.errors import UserError

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


def decoded(split: BatchReader, batch_size: int) -> "tf.data.Dataset":
    """Hold a split's pixels in memory and yield what `split.in_order(batch_size)` does.

    Python takes no part in the training then: neither its time nor its lock delays a step.

    Raises:
        UserError: if an image cannot be read.
    """
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(split.read(np.arange(len(split)))).batch(batch_size)


def decoded_epochs(train: BatchReader, batch_size: int, seed: int, epochs: int) -> BatchesFrom:
    """Hold the training split's pixels in memory and yield what `train.epoch` does, up to epoch `epochs`.

    Raises:
        UserError: if an image cannot be read.
    """
    import tensorflow as tf

    n = len(train)
    images, labels = (tf.constant(array) for array in train.read(np.arange(n)))

    def batches(visited: "tf.Tensor", flipped: "tf.Tensor") -> "tf.data.Dataset":
        return tf.data.Dataset.from_tensor_slices((visited, flipped)).batch(batch_size)

    def look_up(positions: "tf.Tensor", mirror: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        batch = tf.gather(images, positions)
        mirror = mirror[:, None, None, None]
        return tf.where(mirror, tf.reverse(batch, [2]), batch), tf.gather(labels, positions)

    def rest(epoch: int, step: int) -> "tf.data.Dataset":
        visited = np.stack([order.permutation(n, seed, e) for e in range(epoch, epochs)])
        flipped = np.stack([order.flips(n, seed, e)[visited[e - epoch]] for e in range(epoch, epochs)])
        orders = tf.data.Dataset.from_tensor_slices((visited, flipped))
        return orders.flat_map(batches).skip(step).map(look_up)

    return rest
