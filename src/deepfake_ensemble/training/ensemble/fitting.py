"""Fit one detector by the protocol of table 3.3, from wherever an interruption left it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from deepfake_ensemble.reading.batches import Batch, Batches
from deepfake_ensemble.training.ensemble.recipe import Recipe
from deepfake_ensemble.training.shared import driver, steps
from deepfake_ensemble.training.shared.adam import adam
from deepfake_ensemble.training.shared.checkpoint import Checkpoint, Curves, Progress

if TYPE_CHECKING:
    import keras


def fit(
    detector: "keras.Model",
    train: Batches,
    validation: Batches,
    *,
    recipe: Recipe,
    learning_rate: float,
    jit_compile: bool,
    seed: int,
    checkpoint: Checkpoint,
    follow: driver.Follow,
) -> Curves:
    """Train `detector` in place and leave it with the weights of its best epoch, by validation loss.

    Interrupted at any moment and called again, it ends with the same weights and curves, bit for bit.

    Args:
        detector: with its initial weights, frozen as it shall be, not compiled.
        train: read shuffled and half mirrored, by (seed, epoch).
        validation: read in order, as it is.
        recipe: the protocol.
        learning_rate: Adam's.
        jit_compile: whether XLA compiles the training step.
        seed: of order and flips; seed Keras for dropout before.
        checkpoint: keeps the training when it is due and on Ctrl-C or SIGTERM; discard it when the result is
            safe.
        follow: is told the figures of each evaluation, and the learning rate.

    Returns:
        for each epoch, under Keras' names: loss, accuracy, val_loss, val_accuracy.

    Raises:
        UserError: if a loss is no longer finite, an image cannot be read, or memory or disk run out.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, as soon as the state is kept.
    """
    training = _Training(
        detector,
        train,
        validation,
        recipe,
        learning_rate=learning_rate,
        jit_compile=jit_compile,
        seed=seed,
    )
    return driver.run(
        training, checkpoint, lambda step, figures: follow(step, {"learning_rate": learning_rate, **figures})
    )


def epochs_since_best(val_losses: Sequence[float]) -> int:
    """Count the epochs after the first one with the least validation loss."""
    return len(val_losses) - 1 - val_losses.index(min(val_losses)) if val_losses else 0


class _Training:
    """Steps of Keras' own, an evaluation at the end of each epoch, and early stopping."""

    def __init__(
        self,
        detector: "keras.Model",
        train: Batches,
        validation: Batches,
        recipe: Recipe,
        *,
        learning_rate: float,
        jit_compile: bool,
        seed: int,
    ) -> None:
        import keras

        # All variables are made here and none in the first step, which TensorFlow would then trace twice.
        optimizer = adam(learning_rate)
        optimizer.build(detector.trainable_variables)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
        detector.compile(
            optimizer=optimizer, loss="binary_crossentropy", metrics=[accuracy], jit_compile=False
        )
        # Compiled here: Keras reads with tf.data, and leaves XLA out wherever operations are repeatable.
        self._train_step = steps.compiled(
            lambda *batch: detector.train_step(batch), detector, jit_compile=jit_compile
        )
        self._test_step = steps.compiled(
            lambda *batch: detector.test_step(batch), detector, jit_compile=False
        )
        loss = next(metric for metric in detector.metrics if metric.name == "loss")
        self._means = [*loss.variables, *accuracy.variables]
        self._figures: Mapping[str, float] = {}  # of the epoch so far
        self._train, self._validation, self._seed = train, validation, seed
        self._recipe, self._per_epoch = recipe, math.ceil(len(train) / recipe.batch_size)
        self.model = detector
        self.state: Sequence[keras.Variable] = [
            *detector.variables,
            *detector.optimizer.variables,
            *self._means,
        ]
        self.when_out_of_memory = (
            f"lower training.batch_size ({recipe.batch_size}) or training.validation_batch_size, or set"
            " precision: mixed_float16 on a GPU"
        )
        self.when_not_finite = (
            f"lower models.{detector.name}.learning_rate, or set precision: float32 if it is mixed"
        )

    def position(self, step: int) -> str:
        epochs, steps_after = divmod(step, self._per_epoch)
        if steps_after:
            return f"epoch {epochs + 1} of {self._recipe.epochs}, step {steps_after}"
        return f"epoch {epochs} of {self._recipe.epochs}"

    def evaluated_after(self, evaluation: int) -> int:
        return (evaluation + 1) * self._per_epoch

    def is_finished(self, progress: Progress) -> bool:
        since_best = epochs_since_best(progress.curves.get("val_loss", []))
        return (
            progress.evaluations >= self._recipe.epochs or since_best >= self._recipe.early_stopping_patience
        )

    def is_best(self, curves: Curves) -> bool:
        return epochs_since_best(curves["val_loss"]) == 0

    def batches(self, step: int) -> Iterator[Batch]:
        epoch, first_step = divmod(step, self._per_epoch)
        while True:
            yield from self._train.epoch(self._recipe.batch_size, self._seed, epoch, first_step)
            epoch, first_step = epoch + 1, 0

    def train_on_batch(self, batch: Batch, step: int) -> Mapping[str, float]:
        # To ask for the figures waits for the step.
        self._figures = {name: float(value) for name, value in self._train_step(batch).items()}
        return self._figures

    def training_figures(self, step: int) -> Mapping[str, float]:
        return self._figures

    def evaluate(self, watched: driver.Watch) -> Mapping[str, float]:
        self._reset_means()
        for batch in watched(self._validation.in_order(self._recipe.validation_batch_size)):
            figures = self._test_step(batch)
        self._reset_means()
        return {f"val_{name}": float(value) for name, value in figures.items()}

    def _reset_means(self) -> None:
        # `reset_metrics` leaves alone what Keras has not used yet, and would what was loaded, too.
        for mean in self._means:
            mean.assign(0 * mean.numpy())
