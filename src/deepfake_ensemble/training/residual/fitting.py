"""Train one network of the second study by a recipe, from wherever an interruption left it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.inference.predictor import Predictor
from deepfake_ensemble.reading.batches import Batch, Batches
from deepfake_ensemble.scoring.scores import confusion, log_losses, require_both_classes
from deepfake_ensemble.training.residual.augmentation import AugmentedReader
from deepfake_ensemble.training.residual.optimizer import make_optimizer
from deepfake_ensemble.training.residual.schedule import Plan, batches_in
from deepfake_ensemble.training.residual.settings import Recipe
from deepfake_ensemble.training.shared import driver, steps
from deepfake_ensemble.training.shared.checkpoint import Checkpoint, Curves, Progress
from deepfake_ensemble.training.shared.schedule import learning_rate as scheduled

if TYPE_CHECKING:
    import keras

VALIDATION_BATCH = 250


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
    checkpoint: Checkpoint,
    follow: driver.Follow,
) -> Mapping[str, Sequence[float]]:
    """Train `detector` in place and leave it with the weights of its best checkpoint, by F1 on validation.

    Interrupted at any moment and called again, it ends with the same weights and curves, bit for bit.

    Args:
        detector: with its initial weights, frozen as it shall be, not compiled.
        train: read shuffled, cropped, turned and cut, by (seed, epoch).
        validation: read in order, as it is.
        recipe: the protocol.
        learning_rate: the highest; the recipe's, times what the profile says.
        plan: when it evaluates, and how long it is.
        jit_compile: whether XLA compiles the training step.
        seed: of order, crops, flips and CutMix; seed Keras for dropout before.
        checkpoint: keeps the training when it is due and on Ctrl-C or SIGTERM; discard it when the result is
            safe.
        follow: is told the figures of each batch that is recorded, and of each evaluation.

    Returns:
        `curves.RECORDED` for each batch that the plan records, `curves.EVALUATED` for each evaluation.

    Raises:
        UserError: if the loss is no longer finite, an image cannot be read, or memory or disk run out.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, as soon as the state is kept.
    """
    if not plan.updates:
        raise UserError(
            f"{detector.name}: {plan.batches} batches are fewer than the {recipe.accumulation} of one update:"
            " train for more epochs, or on more images"
        )
    step = Step(detector, recipe, jit_compile=jit_compile)
    training = _Training(detector, step, train, validation, recipe, learning_rate, plan, seed)
    curves = driver.run(training, checkpoint, follow)
    return {"batch": plan.recorded, "val_batch": plan.evaluated, **curves}


class Step:
    """One training step, its optimizer, and all variables that the next step depends on."""

    def __init__(self, detector: "keras.Model", recipe: Recipe, *, jit_compile: bool) -> None:
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

        def take(images: Any, labels: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = loss_of(labels, detector(images, training=True))
                penalties = detector.losses
                total = tf.add_n([loss, *penalties]) if penalties else loss
            optimizer.apply(tape.gradient(total, [v.value for v in variables]), variables)
            self._sums[0].assign_add(tf.cast(total, tf.float64))
            self._sums[1].assign_add(1.0)

        self._take = steps.compiled(take, detector, jit_compile=jit_compile)

    def train_on_batch(self, batch: Batch, learning_rate: float) -> None:
        """Compute a batch's gradient, and change the weights where it is the last one of an update."""
        self._rate.assign(learning_rate)
        self._take(batch)

    def mean_loss(self) -> float:
        """Return the mean loss since this was asked before; to ask waits for the steps."""
        total, count = (float(each.numpy()) for each in self._sums)
        for each in self._sums:
            each.assign(0.0)
        return total / count


@dataclass
class _Training:
    """Steps by the recipe's schedule, evaluations by the plan, and the best checkpoint by F1."""

    model: "keras.Model"
    _step: Step
    _train: AugmentedReader
    _validation: Batches
    _recipe: Recipe
    _learning_rate: float
    _plan: Plan
    _seed: int

    when_not_finite = "lower the recipe's learning_rate or the profile's learning_rate_multiplier"

    def __post_init__(self) -> None:
        self.state: Sequence[keras.Variable] = self._step.state
        self.when_out_of_memory = (
            f"lower the recipe's batch_size ({self._recipe.batch_size}) and raise its accumulation"
        )
        self._predictor = Predictor(self.model)

    def position(self, step: int) -> str:
        return f"batch {step} of {self._plan.batches}"

    def evaluated_after(self, evaluation: int) -> int:
        return self._plan.evaluated_after(evaluation)

    def is_finished(self, progress: Progress) -> bool:
        return progress.evaluations == self._plan.evaluations

    def is_best(self, curves: Curves) -> bool:
        last = len(curves["val_f1"]) - 1
        return self._plan.is_checkpoint(last) and self._plan.best(curves) == last

    def batches(self, step: int) -> Iterator[Batch]:
        batch_size = self._recipe.batch_size
        epoch, batch = divmod(step, batches_in(len(self._train), batch_size))
        return self._train.batches(batch_size, self._seed, epoch, batch)

    def train_on_batch(self, batch: Batch, step: int) -> Mapping[str, float]:
        # Batches that fill no update at the very end change nothing but running averages.
        self._step.train_on_batch(batch, self._rate(step))
        return {}

    def training_figures(self, step: int) -> Mapping[str, float]:
        if not self._plan.is_recorded(step):
            return {}
        return {"learning_rate": self._rate(step), "loss": self._step.mean_loss()}

    def evaluate(self, watched: driver.Watch) -> Mapping[str, float]:
        batches = watched(self._validation.in_order(VALIDATION_BATCH))
        labels = self._validation.labels
        require_both_classes(labels)
        p_fake = self._predictor.predict(batches, lambda _: None).astype(np.float64)
        on = confusion(labels, p_fake)
        return {
            "val_f1": on.f1,
            "val_precision": on.precision,
            "val_recall": on.recall,
            "val_accuracy": on.accuracy,
            "val_log_loss": float(log_losses(labels, p_fake).mean()),
        }

    def _rate(self, step: int) -> float:
        recipe, update = self._recipe, (step - 1) // self._recipe.accumulation
        return scheduled(update, self._plan.updates, self._learning_rate, recipe.warm_up, recipe.schedule)
