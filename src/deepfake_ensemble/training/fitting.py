"""Fit one detector by the protocol of table 3.3, from wherever an interruption left it."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from deepfake_ensemble.data.progress import count_progress
from deepfake_ensemble.data.reading.batches import BatchReader
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.training import feeding
from deepfake_ensemble.training.adam import adam
from deepfake_ensemble.training.interruption import held_back
from deepfake_ensemble.training.recipe import Recipe
from deepfake_ensemble.training.unfinished import Progress, Unfinished

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
    unfinished: Unfinished,
    save_every: float,
) -> History:
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
        unfinished: keeps the state of the training, at the end of every epoch and on Ctrl-C or SIGTERM;
            discard it when the result is safe.
        save_every: seconds after which the state is kept within an epoch, too.

    Returns:
        for each epoch, under Keras' names: loss, accuracy, val_loss, val_accuracy.

    Raises:
        UserError: if a loss is no longer finite, an image cannot be read, or memory or disk run out.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, as soon as the state is kept.
    """
    import tensorflow as tf

    unreadable: list[UserError] = []
    training = _Training(
        detector,
        recipe,
        learning_rate=learning_rate,
        jit_compile=jit_compile,
        unfinished=unfinished,
        save_every=save_every,
    )
    try:
        trained_on = feeding.streamed_epochs(train, recipe.batch_size, seed, unreadable)
        validated_on = feeding.streamed(
            lambda: validation.in_order(recipe.validation_batch_size), validation.size, unreadable
        )
        return training.run(
            trained_on,
            validated_on,
            steps=math.ceil(len(train) / recipe.batch_size),
            val_steps=math.ceil(len(validation) / recipe.validation_batch_size),
        )
    except tf.errors.ResourceExhaustedError:
        raise UserError(
            f"models.{detector.name}: out of memory: lower training.batch_size ({recipe.batch_size}) or"
            " training.validation_batch_size, or set precision: mixed_float16 on a GPU"
        ) from None
    except tf.errors.OpError:
        if unreadable:
            raise unreadable[0] from None
        raise


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
        save_every: float,
    ) -> None:
        import keras

        # All variables are made here and none in the first step, which TensorFlow would then trace twice.
        optimizer = adam(learning_rate)
        optimizer.build(detector.trainable_variables)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
        detector.compile(
            optimizer=optimizer, loss="binary_crossentropy", metrics=[accuracy], jit_compile=jit_compile
        )
        loss = next(metric for metric in detector.metrics if metric.name == "loss")
        self._detector = detector
        # Not compiled: the weights of a compiled model are saved with the state of its optimizer.
        self._network = keras.Model(detector.input, detector.output, name=detector.name)
        self._recipe = recipe
        self._means = [*loss.variables, *accuracy.variables]
        self._state = [*detector.variables, *detector.optimizer.variables, *self._means]
        self._unfinished = unfinished
        self._save_every = save_every
        self._saved = time.monotonic()

    def run(
        self,
        trained_on: feeding.BatchesFrom,
        validated_on: "tf.data.Dataset",
        *,
        steps: int,
        val_steps: int,
    ) -> History:
        recipe, progress = self._recipe, self._unfinished.load(self._state)
        if progress.epochs or progress.step:
            done = f"{progress.epochs} epochs and {progress.step} of {steps} steps"
            print(f"{self._detector.name}: goes on with an interrupted training, after {done}", flush=True)
        # One iterator for all epochs: TensorFlow traces the network anew for another one.
        more = progress.epochs < recipe.epochs
        batches = iter(trained_on(progress.epochs, progress.step)) if more else iter(())
        with held_back() as asked_to_stop:
            while progress.validated < recipe.epochs and progress.since_best < recipe.early_stopping_patience:
                if progress.epochs == progress.validated:
                    progress = self._train_epoch(batches, progress, steps, asked_to_stop)
                progress = self._validate(validated_on, progress, val_steps, asked_to_stop)
                print(_line(progress, recipe), flush=True)
                if progress.since_best == 0:
                    self._unfinished.save_best(self._network)
                self._save(progress)
        self._unfinished.load_best(self._network)
        return progress.curves

    def _save(self, progress: Progress) -> None:
        self._unfinished.save(self._state, progress)
        self._saved = time.monotonic()

    def _reset_means(self) -> None:
        # `reset_metrics` leaves alone what Keras has not used yet, and would what was loaded, too.
        for mean in self._means:
            mean.assign(0 * mean.numpy())

    def _train_epoch(
        self, batches: Iterator[Any], progress: Progress, steps: int, asked_to_stop: Callable[[], bool]
    ) -> Progress:
        detector, epoch = self._detector, progress.epochs + 1
        detector.make_train_function()
        if not progress.step:
            self._reset_means()
        with _bar(
            f"{detector.name}, epoch {epoch} of {self._recipe.epochs}", steps - progress.step
        ) as advance:
            for step in range(progress.step + 1, steps + 1):
                figures = {name: float(value) for name, value in detector.train_function(batches).items()}
                advance(1)
                if not math.isfinite(figures["loss"]):
                    _refuse(detector, f"the loss became {figures['loss']} in epoch {epoch}, step {step}")
                if step < steps and (asked_to_stop() or time.monotonic() - self._saved >= self._save_every):
                    self._save(replace(progress, step=step))
                    if asked_to_stop():
                        raise KeyboardInterrupt
        return progress.followed_by(loss=figures["loss"], accuracy=figures["accuracy"])

    def _validate(
        self, batches: "tf.data.Dataset", progress: Progress, steps: int, asked_to_stop: Callable[[], bool]
    ) -> Progress:
        from keras.callbacks import LambdaCallback

        def after_step(index: int, logs: Any) -> None:
            if asked_to_stop():
                self._save(progress)
                raise KeyboardInterrupt

        self._reset_means()
        figures = self._detector.evaluate(
            batches,
            steps=steps,
            return_dict=True,
            verbose=0,
            callbacks=[LambdaCallback(on_test_batch_end=after_step)],
        )
        if not math.isfinite(figures["loss"]):
            what = f"the validation loss became {figures['loss']} in epoch {progress.epochs}"
            _refuse(self._detector, what)
        return progress.followed_by(val_loss=figures["loss"], val_accuracy=figures["accuracy"])


@contextmanager
def _bar(label: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Show the progress within an epoch to people; a log has a line an epoch."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    with count_progress(label, steps) as advance:
        yield advance


def _line(progress: Progress, recipe: Recipe) -> str:
    figures = (f"{name} {values[-1]:.4f}" for name, values in progress.curves.items())
    best = ", the best so far" if progress.since_best == 0 else ""
    return f"epoch {progress.epochs} of {recipe.epochs}: {', '.join(figures)}{best}"


def _refuse(detector: "keras.Model", what: str) -> NoReturn:
    """End a training that can only waste time; the best weights so far would hide that it failed."""
    raise UserError(
        f"models.{detector.name}: {what}: lower learning_rate, or set precision: float32 if it is mixed"
    )
