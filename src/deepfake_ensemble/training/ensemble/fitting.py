"""Fit one detector by the protocol of table 3.3, from wherever an interruption left it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.progress import terminal_progress
from deepfake_ensemble.reading.batches import Batch, Batches
from deepfake_ensemble.training.ensemble.recipe import Recipe
from deepfake_ensemble.training.shared import feeding
from deepfake_ensemble.training.shared.adam import adam
from deepfake_ensemble.training.shared.checkpoint import Progress, Unfinished
from deepfake_ensemble.training.shared.signals import held_back

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

History = Mapping[str, list[float]]


def fit(
    detector: "keras.Model",
    train: Batches,
    validation: Batches,
    *,
    recipe: Recipe,
    learning_rate: float,
    jit_compile: bool,
    seed: int,
    unfinished: Unfinished,
) -> History:
    """Train `detector` in place and leave it with the weights of its best epoch, by validation loss.

    Interrupted at any moment and called again, it ends with the same weights and curves, bit for bit.

    Args:
        detector: with its initial weights, frozen as it shall be, not compiled.
        train: read shuffled and half mirrored, by (seed, epoch).
        validation: read in order, as it is.
        recipe: the protocol.
        learning_rate: Adam's.
        jit_compile: whether XLA compiles the training step, where it can.
        seed: of order and flips; seed Keras for dropout before.
        unfinished: keeps the state of the training, when it is due and on Ctrl-C or SIGTERM; discard it
            when the result is safe.

    Returns:
        for each epoch, under Keras' names: loss, accuracy, val_loss, val_accuracy.

    Raises:
        UserError: if a loss is no longer finite, an image cannot be read, or memory or disk run out.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, as soon as the state is kept.
    """
    import tensorflow as tf

    training = _Training(
        detector,
        recipe,
        learning_rate=learning_rate,
        jit_compile=jit_compile,
        unfinished=unfinished,
    )
    try:
        return training.run(train, validation, seed)
    except tf.errors.ResourceExhaustedError:
        raise UserError(
            f"models.{detector.name}: out of memory: lower training.batch_size ({recipe.batch_size}) or"
            " training.validation_batch_size, or set precision: mixed_float16 on a GPU"
        ) from None


class _Training:
    """A detector in training, its state, and when to keep that."""

    def __init__(
        self,
        detector: "keras.Model",
        recipe: Recipe,
        *,
        learning_rate: float,
        jit_compile: bool,
        unfinished: Unfinished,
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
        self._train_step = feeding.compiled(
            lambda *batch: detector.train_step(batch), detector, jit_compile=jit_compile
        )
        self._test_step = feeding.compiled(
            lambda *batch: detector.test_step(batch), detector, jit_compile=False
        )
        loss = next(metric for metric in detector.metrics if metric.name == "loss")
        self._detector = detector
        self._recipe = recipe
        self._means = [*loss.variables, *accuracy.variables]
        self._state = [*detector.variables, *detector.optimizer.variables, *self._means]
        self._unfinished = unfinished

    def run(self, train: Batches, validation: Batches, seed: int) -> History:
        recipe, progress = self._recipe, self._unfinished.load(self._state)
        steps = math.ceil(len(train) / recipe.batch_size)
        if progress.epochs or progress.step:
            done = f"{progress.epochs} epochs and {progress.step} of {steps} steps"
            print(f"{self._detector.name}: goes on with an interrupted training, after {done}", flush=True)
        with held_back() as asked_to_stop:
            while not _is_finished(progress, recipe):
                if progress.epochs == progress.validated:
                    batches = train.epoch(recipe.batch_size, seed, progress.epochs, progress.step)
                    progress = self._train_epoch(batches, progress, steps, asked_to_stop)
                batches = validation.in_order(recipe.validation_batch_size)
                progress = self._validate(batches, progress, asked_to_stop)
                print(_line(progress, recipe), flush=True)
                if progress.since_best == 0:
                    self._unfinished.hold_best(self._detector.variables)
                finished = _is_finished(progress, recipe)
                if self._unfinished.is_due() or finished or asked_to_stop():
                    self._unfinished.save(self._state, progress)
                    if asked_to_stop() and not finished:
                        raise KeyboardInterrupt
        self._unfinished.load_best(self._detector.variables)
        return progress.curves

    def _reset_means(self) -> None:
        # `reset_metrics` leaves alone what Keras has not used yet, and would what was loaded, too.
        for mean in self._means:
            mean.assign(0 * mean.numpy())

    def _train_epoch(
        self, batches: Iterable[Batch], progress: Progress, steps: int, asked_to_stop: Callable[[], bool]
    ) -> Progress:
        name, epoch = self._detector.name, progress.epochs + 1
        if not progress.step:
            self._reset_means()
        label = f"{name}, epoch {epoch} of {self._recipe.epochs}"
        with terminal_progress(label, steps - progress.step) as advance:
            for step, batch in enumerate(batches, progress.step + 1):
                figures = _numbers(self._train_step(batch))
                advance(1)
                if not math.isfinite(figures["loss"]):
                    _refuse(name, f"the loss became {figures['loss']} in epoch {epoch}, step {step}")
                if step < steps and (asked_to_stop() or self._unfinished.is_overdue()):
                    self._unfinished.save(self._state, replace(progress, step=step))
                    if asked_to_stop():
                        raise KeyboardInterrupt
        return progress.followed_by(loss=figures["loss"], accuracy=figures["accuracy"])

    def _validate(
        self, batches: Iterable[Batch], progress: Progress, asked_to_stop: Callable[[], bool]
    ) -> Progress:
        self._reset_means()
        for batch in batches:
            figures = _numbers(self._test_step(batch))
            if asked_to_stop():
                self._unfinished.save(self._state, progress)
                raise KeyboardInterrupt
        if not math.isfinite(figures["loss"]):
            what = f"the validation loss became {figures['loss']} in epoch {progress.epochs}"
            _refuse(self._detector.name, what)
        return progress.followed_by(val_loss=figures["loss"], val_accuracy=figures["accuracy"])


def _is_finished(progress: Progress, recipe: Recipe) -> bool:
    return progress.validated >= recipe.epochs or progress.since_best >= recipe.early_stopping_patience


def _numbers(figures: Mapping[str, "tf.Tensor"]) -> dict[str, float]:
    """Return a step's figures; to ask for them waits for the step."""
    return {name: float(value) for name, value in figures.items()}


def _line(progress: Progress, recipe: Recipe) -> str:
    figures = (f"{name} {values[-1]:.4f}" for name, values in progress.curves.items())
    best = ", the best so far" if progress.since_best == 0 else ""
    return f"epoch {progress.epochs} of {recipe.epochs}: {', '.join(figures)}{best}"


def _refuse(name: str, what: str) -> NoReturn:
    """End a training that can only waste time; the best weights so far would hide that it failed."""
    raise UserError(f"models.{name}: {what}: lower learning_rate, or set precision: float32 if it is mixed")
