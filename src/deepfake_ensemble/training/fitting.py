"""Fit one detector by the protocol of table 3.3."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.data.batches import Batch, BatchReader
from deepfake_ensemble.errors import UserError
from deepfake_ensemble.training.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

History = Mapping[str, list[float]]


def fit(
    detector: "keras.Model",
    train: BatchReader,
    validation: BatchReader,
    *,
    recipe: Recipe,
    learning_rate: float,
    jit_compile: bool,
    seed: int,
    checkpoint: Path,
) -> History:
    """Train `detector` in place and leave it with the weights of its best epoch, by validation loss.

    Args:
        detector: with its initial weights, frozen as it shall be, not compiled.
        train: read shuffled and half mirrored, by (seed, epoch).
        validation: read in order, as it is.
        recipe: the protocol.
        learning_rate: Adam's.
        jit_compile: whether XLA compiles the training step.
        seed: of order and flips; seed Keras for dropout before.
        checkpoint: where the best weights so far are kept while training; a path ending in `.weights.h5`.

    Returns:
        for each epoch, under Keras' names: loss, accuracy, val_loss, val_accuracy.

    Raises:
        UserError: if the loss is no longer finite.
    """
    import keras

    optimizer = keras.optimizers.Adam(learning_rate)
    # Built here and not in the first step, where each of its variables would become part of the graph:
    # tracing EfficientNet-B4's step takes three times as long that way.
    optimizer.build(detector.trainable_variables)
    detector.compile(
        optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"], jit_compile=jit_compile
    )
    steps = math.ceil(len(train) / recipe.batch_size)
    history = detector.fit(
        _dataset(lambda: _endless(train, recipe.batch_size, seed), train),
        validation_data=_dataset(lambda: validation.in_order(recipe.validation_batch_size), validation),
        validation_steps=math.ceil(len(validation) / recipe.validation_batch_size),
        steps_per_epoch=steps,
        epochs=recipe.epochs,
        shuffle=False,  # the reader does that
        callbacks=[
            _stop_when_not_finite(),
            keras.callbacks.ModelCheckpoint(
                checkpoint, monitor="val_loss", mode="min", save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.EarlyStopping(
                monitor="val_loss",
                mode="min",
                patience=recipe.early_stopping_patience,
                restore_best_weights=True,
            ),
        ],
        verbose=2,
    )
    return history.history


def _endless(train: BatchReader, batch_size: int, seed: int) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from train.epoch(batch_size, seed, epoch)
        epoch += 1


def _dataset(batches: Callable[[], Iterable[Batch]], reader: BatchReader) -> "tf.data.Dataset":
    import tensorflow as tf

    signature = (
        tf.TensorSpec((None, reader.size, reader.size, 3), tf.uint8),
        tf.TensorSpec((None, 1), tf.int64),
    )
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)


def _stop_when_not_finite() -> "keras.callbacks.Callback":
    import keras

    class StopWhenNotFinite(keras.callbacks.Callback):
        """End a training that can only waste time; the best weights so far would hide that it failed."""

        epoch = 0

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            loss = (logs or {}).get("loss", 0.0)
            if not math.isfinite(loss):
                raise UserError(
                    f"models.{self.model.name}: the loss became {loss} in epoch {self.epoch + 1},"
                    f" step {batch + 1}: lower learning_rate, or set precision: float32 if it is mixed"
                )

    return StopWhenNotFinite()
