"""Train one network of the second study by a recipe, from wherever an interruption left it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deepfake_ensemble.evaluation.metrics import metrics
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.progress import terminal_progress
from deepfake_ensemble.inference.predictor import Predictor
from deepfake_ensemble.reading.batches import Batch, Batches
from deepfake_ensemble.training.residual import schedule
from deepfake_ensemble.training.residual.augmentation import AugmentedReader
from deepfake_ensemble.training.residual.optimizer import make_optimizer
from deepfake_ensemble.training.residual.settings import Recipe
from deepfake_ensemble.training.shared import feeding
from deepfake_ensemble.training.shared.checkpoint import Progress, Unfinished
from deepfake_ensemble.training.shared.signals import held_back
from deepfake_ensemble.training.shared.stopwatch import Stopwatch

if TYPE_CHECKING:
    import keras

# What is known of each evaluation, in its order; `loss` is the mean over the batches since the one before.
FIGURES = (
    "batch",
    "learning_rate",
    "loss",
    "val_f1",
    "val_precision",
    "val_recall",
    "val_accuracy",
    "val_log_loss",
)
START = Progress(curves={name: [] for name in FIGURES})
VALIDATION_BATCH = 250

Curves = Mapping[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """When a training does what, all in batches.

    Attributes:
        batches: in all.
        updates: of the weights, in all.
        evaluate_every: a multiple of a step; the last batch is always followed by an evaluation.
        checkpoint_every: evaluations after a multiple of this, and the last one, compete to be kept.
    """

    batches: int
    updates: int
    evaluate_every: int
    checkpoint_every: int

    def is_evaluated(self, batch: int) -> bool:
        return batch % self.evaluate_every == 0 or batch == self.batches

    def is_checkpoint(self, batch: int) -> bool:
        return batch % self.checkpoint_every == 0 or batch == self.batches


def plan(
    images: int, recipe: Recipe, *, epochs: int, evaluate_every: int, checkpoint_every: int, step: str
) -> Plan:
    """Return when a training on so many images does what; `step` is what the two intervals count."""
    batches_in_a_step = recipe.accumulation if step == "update" else 1
    return Plan(
        batches=schedule.batches_in(images, recipe.batch_size) * epochs,
        updates=schedule.updates_in(images, recipe.batch_size, recipe.accumulation, epochs),
        evaluate_every=evaluate_every * batches_in_a_step,
        checkpoint_every=checkpoint_every * batches_in_a_step,
    )


def fit(
    detector: "keras.Model",
    train: AugmentedReader,
    validation: Batches,
    *,
    recipe: Recipe,
    learning_rate: float,
    plan: Plan,
    jit_compile: bool,
    seed: int,
    unfinished: Unfinished,
    stopwatch: Stopwatch,
) -> tuple[Curves, float]:
    """Train `detector` in place and leave it with the weights of its best checkpoint, by F1 on validation.

    Interrupted at any moment and called again, it ends with the same weights and curves, bit for bit.

    Args:
        detector: with its initial weights, frozen as it shall be, not compiled.
        train: read shuffled, cropped, turned and cut, by (seed, epoch).
        validation: read in order, as it is.
        recipe: the protocol.
        learning_rate: the highest; the recipe's, times what the profile says.
        plan: when it evaluates, and how long it is.
        jit_compile: whether XLA compiles the training step, where it can.
        seed: of order, crops, turns and cuts; seed Keras for dropout before.
        unfinished: keeps the state of the training, when it is due and on Ctrl-C or SIGTERM; discard it
            when the result is safe.
        stopwatch: runs since the training began, or goes on.

    Returns:
        FIGURES for each evaluation, and the seconds that the training took, its evaluations included.

    Raises:
        UserError: if the loss is no longer finite, an image cannot be read, or memory or disk run out.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, as soon as the state is kept.
    """
    import tensorflow as tf

    if not plan.updates:
        raise UserError(
            f"{detector.name}: {plan.batches} batches are fewer than the {recipe.accumulation} of one update:"
            " train for more epochs, or on more images"
        )
    step = _Step(detector, recipe, jit_compile)
    progress = unfinished.load(step.state)
    if not progress.step:
        progress = START
        stopwatch.reset()
    per_epoch = schedule.batches_in(len(train), recipe.batch_size)
    if progress.step:
        print(
            f"{detector.name}: goes on with an interrupted training, after {progress.step} of {plan.batches}"
            " batches",
            flush=True,
        )
    epoch, batch = divmod(progress.step, per_epoch)
    batches = train.batches(recipe.batch_size, seed, epoch, batch)
    predictor = Predictor(detector)
    bar = terminal_progress(detector.name, plan.batches - progress.step)
    with held_back() as asked_to_stop, bar as advance:
        while progress.step < plan.batches:
            update = progress.step // recipe.accumulation
            rate = schedule.learning_rate(
                update, plan.updates, learning_rate, recipe.warm_up, recipe.schedule
            )
            try:
                # Batches that fill no update at the very end change nothing but running averages.
                step.take(next(batches), rate)
            except tf.errors.ResourceExhaustedError:
                raise UserError(
                    f"{detector.name}: out of memory: lower the recipe's batch_size ({recipe.batch_size}) and"
                    " raise its accumulation"
                ) from None
            progress = replace(progress, step=progress.step + 1)
            advance(1)
            if plan.is_evaluated(progress.step):
                progress = _evaluated(
                    predictor, validation, progress, rate=rate, loss=step.mean_loss(), plan=plan
                )
                if plan.is_checkpoint(progress.step) and _is_best(progress.curves, plan):
                    unfinished.hold_best(detector.variables)
            finished = progress.step == plan.batches
            due = unfinished.is_due() if plan.is_evaluated(progress.step) else unfinished.is_overdue()
            if due or finished or asked_to_stop():
                unfinished.save(step.state, progress)
                stopwatch.keep()
                if asked_to_stop() and not finished:
                    raise KeyboardInterrupt
    unfinished.load_best(detector.variables)
    return progress.curves, stopwatch.seconds


def rounded(curves: Curves) -> dict[str, list[float]]:
    """Return curves for a file: nine digits tell all float32 values apart and hide none."""
    return {name: [float(f"{value:.9g}") for value in values] for name, values in curves.items()}


def best(curves: Curves, plan: Plan) -> int:
    """Return the index of the evaluation whose weights are kept: the checkpoint with the highest F1."""
    candidates = [i for i, batch in enumerate(curves["batch"]) if plan.is_checkpoint(int(batch))]
    return max(candidates, key=lambda i: (curves["val_f1"][i], -i))


def _is_best(curves: Curves, plan: Plan) -> bool:
    return best(curves, plan) == len(curves["batch"]) - 1


class _Step:
    """One training step, its optimizer, and all variables that the next step depends on."""

    def __init__(self, detector: "keras.Model", recipe: Recipe, jit_compile: bool) -> None:
        import keras
        import tensorflow as tf

        variables = detector.trainable_variables
        optimizer = make_optimizer(
            recipe.optimizer,
            variables,
            weight_decay=recipe.weight_decay,
            accumulation=recipe.accumulation,
        )
        loss_of = keras.losses.BinaryCrossentropy(label_smoothing=recipe.label_smoothing)
        self._sums = [tf.Variable(0.0, dtype=tf.float64), tf.Variable(0.0, dtype=tf.float64)]
        self.state = [*detector.variables, *optimizer.variables, *self._sums]
        self._rate = optimizer.learning_rate
        self._name = detector.name

        def take(images: Any, labels: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = loss_of(labels, detector(images, training=True))
                penalties = detector.losses
                total = tf.add_n([loss, *penalties]) if penalties else loss
            optimizer.apply(tape.gradient(total, [v.value for v in variables]), variables)
            self._sums[0].assign_add(tf.cast(total, tf.float64))
            self._sums[1].assign_add(1.0)

        self._take = feeding.compiled(take, detector, jit_compile=jit_compile)

    def take(self, batch: Batch, learning_rate: float) -> None:
        self._rate.assign(learning_rate)
        self._take(batch)

    def mean_loss(self) -> float:
        """Return the mean loss since this was asked before; UserError if it is not finite."""
        total, count = (float(each.numpy()) for each in self._sums)
        for each in self._sums:
            each.assign(0.0)
        if not math.isfinite(total):
            raise UserError(
                f"{self._name}: the loss became {total}: lower the recipe's learning_rate or the profile's"
                " learning_rate_multiplier"
            )
        return total / count


def _evaluated(
    predictor: Predictor,
    validation: Batches,
    progress: Progress,
    *,
    rate: float,
    loss: float,
    plan: Plan,
) -> Progress:
    labels: list[Any] = []

    def batches() -> Iterator[Any]:
        for batch in validation.in_order(VALIDATION_BATCH):
            labels.append(batch[1][:, 0])
            yield batch

    p_fake = predictor.predict(batches(), lambda _: None).astype(np.float64)
    on = metrics(np.concatenate(labels), p_fake)
    figures = dict(
        zip(
            FIGURES,
            (progress.step, rate, loss, on.f1, on.precision, on.recall, on.accuracy, on.log_loss),
            strict=True,
        )
    )
    print(
        f"batch {progress.step} of {plan.batches}: loss {loss:.4f}; on validation F1 {on.f1:.4f}, precision"
        f" {on.precision:.4f}, recall {on.recall:.4f}, accuracy {on.accuracy:.4f}, loss {on.log_loss:.4f}",
        flush=True,
    )
    return replace(
        progress, curves={name: [*values, float(figures[name])] for name, values in progress.curves.items()}
    )
