"""Fit one detector by the protocol of table 3.3."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from deepfake_ensemble.data.batches import BatchReader
from deepfake_ensemble.errors import UserError
from deepfake_ensemble.training import feeding
from deepfake_ensemble.training.recipe import Cache, Recipe

if TYPE_CHECKING:
    import keras

History = Mapping[str, list[float]]


def fit(
    detector: "keras.Model",
    train: BatchReader,
    validation: BatchReader,
    *,
    recipe: Recipe,
    learning_rate: float,
    jit_compile: bool,
    cache: Cache,
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
        cache: whether the images are decoded once and for all; the same batches either way.
        seed: of order and flips; seed Keras for dropout before.
        checkpoint: where the best weights so far are kept while training; a path ending in `.weights.h5`.

    Returns:
        for each epoch, under Keras' names: loss, accuracy, val_loss, val_accuracy.

    Raises:
        UserError: if a loss is no longer finite, or an image cannot be read.
    """
    import keras
    import tensorflow as tf

    # All variables are made here and none in the first step, which TensorFlow would then trace twice.
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(detector.trainable_variables)
    detector.compile(
        optimizer=optimizer,
        loss="binary_crossentropy",
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
        jit_compile=jit_compile,
    )
    steps = math.ceil(len(train) / recipe.batch_size)
    unreadable: list[UserError] = []
    if cache == "decoded":
        batches = feeding.decoded_epochs(train, recipe.batch_size, seed, recipe.epochs)
        val_batches = feeding.decoded(validation, recipe.validation_batch_size)
    else:
        batches = feeding.streamed(
            lambda: feeding.endless(train, recipe.batch_size, seed), train.size, unreadable
        )
        val_batches = feeding.streamed(
            lambda: validation.in_order(recipe.validation_batch_size), validation.size, unreadable
        )
    try:
        history = detector.fit(
            batches,
            validation_data=val_batches,
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
            verbose=1 if sys.stdout.isatty() else 2,  # a moving bar on a terminal, a line an epoch in a log
        )
    except tf.errors.OpError:
        if unreadable:
            raise unreadable[0] from None
        raise
    return history.history


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
                self._refuse(f"the loss became {loss} in epoch {self.epoch + 1}, step {batch + 1}")

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            loss = (logs or {}).get("val_loss", 0.0)
            if not math.isfinite(loss):
                self._refuse(f"the validation loss became {loss} in epoch {epoch + 1}")

        def _refuse(self, what: str) -> NoReturn:
            raise UserError(
                f"models.{self.model.name}: {what}: lower learning_rate, or set precision: float32 if it is"
                " mixed"
            )

    return StopWhenNotFinite()
