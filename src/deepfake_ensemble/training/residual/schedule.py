"""When a training of the second study does what: its updates and its evaluations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepfake_ensemble.training.residual.settings import Recipe
from deepfake_ensemble.training.shared.schedule import rising_updates


@dataclass(frozen=True, kw_only=True)
class Plan:
    """When a training does what, all in batches.

    Attributes:
        batches: in all.
        updates: of the weights, in all.
        peak: the first batch at the highest learning rate.
        record_every: a multiple of this is recorded; so are the first batch, the peak, and what is evaluated.
        evaluate_every: a multiple of a step; the last batch is always followed by an evaluation.
        checkpoint_every: evaluations after a multiple of this, and the last one, compete to be kept.
    """

    batches: int
    updates: int
    peak: int
    record_every: int
    evaluate_every: int
    checkpoint_every: int

    @property
    def recorded(self) -> list[int]:
        """After which batches learning rate and training loss are recorded."""
        return [batch for batch in range(1, self.batches + 1) if self.is_recorded(batch)]

    @property
    def evaluated(self) -> list[int]:
        """After which batches the evaluations come."""
        return [self.evaluated_after(evaluation) for evaluation in range(self.evaluations)]

    @property
    def evaluations(self) -> int:
        """How many evaluations there are."""
        return math.ceil(self.batches / self.evaluate_every)

    def evaluated_after(self, evaluation: int) -> int:
        """Return after which batch an evaluation comes; evaluations count from 0, batches from 1."""
        return min((evaluation + 1) * self.evaluate_every, self.batches)

    def is_recorded(self, batch: int) -> bool:
        """Tell whether learning rate and training loss are recorded after a batch."""
        special = batch in (1, self.peak, self.batches)
        return special or not batch % self.record_every or not batch % self.evaluate_every

    def is_checkpoint(self, evaluation: int) -> bool:
        """Tell whether an evaluation competes to be kept."""
        batch = self.evaluated_after(evaluation)
        return batch % self.checkpoint_every == 0 or batch == self.batches

    def best(self, curves: Mapping[str, Sequence[float]]) -> int:
        """Return which evaluation's weights are kept: the first checkpoint with the highest val_f1."""
        val_f1 = curves["val_f1"]
        candidates = [i for i in range(len(val_f1)) if self.is_checkpoint(i)]
        return max(candidates, key=lambda i: (val_f1[i], -i))


def plan(
    images: int,
    recipe: Recipe,
    *,
    epochs: int,
    record_every: int,
    evaluate_every: int,
    checkpoint_every: int,
    step: str,
) -> Plan:
    """Return when a training does what.

    Args:
        images: in the training split.
        recipe: how it is trained.
        epochs: passes over the split.
        record_every: batches after which learning rate and training loss are recorded.
        evaluate_every: steps after which the network is scored.
        checkpoint_every: steps after which a scored network may become the one that is kept.
        step: what the last two count: batch or update.
    """
    batches_in_a_step = recipe.accumulation if step == "update" else 1
    batches = batches_in(images, recipe.batch_size) * epochs
    updates = batches // recipe.accumulation  # batches that fill no update change nothing
    rising = 0 if recipe.schedule == "constant" else rising_updates(updates, recipe.warm_up)
    return Plan(
        batches=batches,
        updates=updates,
        peak=rising * recipe.accumulation + 1,
        record_every=record_every,
        evaluate_every=evaluate_every * batches_in_a_step,
        checkpoint_every=checkpoint_every * batches_in_a_step,
    )


def batches_in(images: int, batch_size: int) -> int:
    """Return how many batches an epoch has; the last one may be smaller."""
    return math.ceil(images / batch_size)
