"""Fit one detector by the protocol of table 3.3, from wherever an interruption left it."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.reading.batches import Batch, Batches
from deepfake_ensemble.training.ensemble import crops
from deepfake_ensemble.training.ensemble.recipe import Recipe
from deepfake_ensemble.training.shared import driver, steps
from deepfake_ensemble.training.shared.accumulation import accumulate
from deepfake_ensemble.training.shared.adam import adam, decay_weights
from deepfake_ensemble.training.shared.checkpoint import Checkpoint, Curves, Progress
from deepfake_ensemble.training.shared.schedule import learning_rate as scheduled

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
    warm_up: float | None = None,
    weight_decay: float = 0.0,
    learner: "keras.Model | None" = None,
) -> Curves:
    """Train `detector` in place and leave it with the weights of its best epoch, by validation loss.

    Interrupted at any moment and called again, it ends with the same weights and curves, bit for bit.

    Args:
        detector: with its initial weights, frozen as it shall be, not compiled.
        train: read shuffled and half mirrored, by (seed, epoch).
        validation: read in order, as it is.
        recipe: the protocol.
        learning_rate: Adam's; the highest, where it changes.
        jit_compile: whether XLA compiles the steps of training and validation.
        seed: of order, flips and crops; seed Keras for dropout before.
        checkpoint: keeps the training when it is due and on Ctrl-C or SIGTERM; discard it when the result is
            safe.
        follow: is told the figures of each evaluation, and the learning rate.
        warm_up: the share of steps in which the learning rate rises from 0, to fall in half a cosine wave
            after them; None leaves it as it is.
        weight_decay: of kernels, times the learning rate.
        learner: `detector` built anew for smaller images, frozen alike, whatever its weights are. It is
            trained in its place, on random crops, and gives it its weights before each evaluation. None
            trains on whole images.

    Returns:
        for each epoch, under Keras' names: loss, accuracy, val_loss, val_accuracy.

    Raises:
        UserError: if the learner's weights depend on the size of its images, a loss is no longer finite, an
            image cannot be read, or memory or disk run out.
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
        warm_up=warm_up,
        weight_decay=weight_decay,
        learner=learner,
    )
    return driver.run(
        training,
        checkpoint,
        lambda step, figures: follow(step, {"learning_rate": training.learning_rate(step), **figures}),
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
        warm_up: float | None,
        weight_decay: float,
        learner: "keras.Model | None",
    ) -> None:
        import keras

        self._learner = detector if learner is None else learner
        if learner is not None:
            _copy_weights(detector, learner)
        # All variables are made here and none in the first step, which TensorFlow would then trace twice.
        optimizer = adam(learning_rate)
        decay_weights(optimizer, weight_decay, self._learner.trainable_variables)
        accumulate(optimizer, recipe.accumulation)
        optimizer.build(self._learner.trainable_variables)
        self._means = []
        for model in dict.fromkeys([self._learner, detector]):
            accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
            model.compile(
                optimizer=optimizer if model is self._learner else None,
                loss="binary_crossentropy",
                metrics=[accuracy],
                jit_compile=False,
            )
            loss = next(metric for metric in model.metrics if metric.name == "loss")
            self._means += [*loss.variables, *accuracy.variables]
        # Compiled here: Keras reads with tf.data, and leaves XLA out wherever operations are repeatable.
        self._train_step = steps.compiled(
            lambda *batch: self._learner.train_step(batch), self._learner, jit_compile=jit_compile
        )
        self._test_step = steps.compiled(
            lambda *batch: detector.test_step(batch), detector, jit_compile=jit_compile
        )
        self._figures: driver.Figures = {}  # of the epoch so far
        self._train, self._validation, self._seed = train, validation, seed
        self._recipe, self._per_epoch = recipe, math.ceil(len(train) / recipe.batch_size)
        self._highest_rate, self._warm_up = learning_rate, warm_up
        self.model = detector
        self.state: Sequence[keras.Variable] = [
            *self._learner.variables,
            *self._learner.optimizer.variables,
            *self._means,
        ]
        self.when_out_of_memory = (
            f"halve training.batch_size ({recipe.batch_size}) and double training.accumulation"
            f" ({recipe.accumulation}), lower training.validation_batch_size, or set"
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
            yield from self._epoch(epoch, first_step)
            epoch, first_step = epoch + 1, 0

    def _epoch(self, epoch: int, first_step: int) -> Iterator[Batch]:
        train, batch_size, side = self._train, self._recipe.batch_size, self._learner.input_shape[1]
        batches = train.epoch(batch_size, self._seed, epoch, first_step)
        if self._learner is self.model:
            return batches
        corners = crops.corners(len(train), self._seed, epoch, train.size - side)
        return crops.cropped(batches, corners[first_step * batch_size :], side)

    def learning_rate(self, step: int) -> float:
        """Return that of a step; steps count from 1."""
        if self._warm_up is None:
            return self._highest_rate
        in_an_update = self._recipe.accumulation
        update, updates = (step - 1) // in_an_update, self._recipe.epochs * self._per_epoch // in_an_update
        return scheduled(update, updates, self._highest_rate, self._warm_up, "cosine")

    def train_on_batch(self, batch: Batch, step: int) -> driver.Figures:
        if self._warm_up is not None:
            self._learner.optimizer.learning_rate.assign(self.learning_rate(step))
        self._figures = self._train_step(batch)
        return self._figures

    def training_figures(self, step: int) -> driver.Figures:
        return {} if step % self._per_epoch else self._figures

    def evaluate(self, watched: driver.Watch) -> driver.Figures:
        self._reset_means()
        if self._learner is not self.model:
            _copy_weights(self._learner, self.model)
        for batch in watched(self._validation.in_order(self._recipe.validation_batch_size)):
            figures = self._test_step(batch)
        self._reset_means()
        return {f"val_{name}": value for name, value in figures.items()}

    def _reset_means(self) -> None:
        # `reset_metrics` leaves alone what Keras has not used yet, and would what was loaded, too.
        for mean in self._means:
            mean.assign(0 * mean.numpy())


def _copy_weights(source: "keras.Model", target: "keras.Model") -> None:
    """Give `target` the weights of `source`, the same network for images of another size.

    Raises:
        UserError: if they are not as many, as the CNN's are whose dense layers see each place of an image.
    """
    for ours, theirs in zip(target.variables, source.variables, strict=True):
        if ours.shape != theirs.shape:
            raise UserError(
                f"{source.name}: cannot be trained on crops, because its weights are of one size of images:"
                " set the profile's training.crop to null"
            )
        ours.assign(theirs)
