"""When a training of the second study does what: its updates and its evaluations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from deepfake_ensemble.training.residual.settings import Recipe


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

    @property
    def evaluations(self) -> int:
        """How many evaluations there are."""
        return math.ceil(self.batches / self.evaluate_every)

    def evaluated_after(self, evaluation: int) -> int:
        """Return after which batch an evaluation comes; evaluations count from 0, batches from 1."""
        return min((evaluation + 1) * self.evaluate_every, self.batches)

    def is_checkpoint(self, evaluation: int) -> bool:
        """Tell whether an evaluation competes to be kept."""
        batch = self.evaluated_after(evaluation)
        return batch % self.checkpoint_every == 0 or batch == self.batches

    def best(self, curves: Mapping[str, list[float]]) -> int:
        """Return which evaluation's weights are kept: the first checkpoint with the highest val_f1."""
        val_f1 = curves["val_f1"]
        candidates = [i for i in range(len(val_f1)) if self.is_checkpoint(i)]
        return max(candidates, key=lambda i: (val_f1[i], -i))


def plan(
    images: int, recipe: Recipe, *, epochs: int, evaluate_every: int, checkpoint_every: int, step: str
) -> Plan:
    """Return when a training does what.

    Args:
        images: in the training split.
        recipe: how it is trained.
        epochs: passes over the split.
        evaluate_every: steps after which the network is scored.
        checkpoint_every: steps after which a scored network may become the one that is kept.
        step: what these two count: batch or update.
    """
    batches_in_a_step = recipe.accumulation if step == "update" else 1
    batches = batches_in(images, recipe.batch_size) * epochs
    return Plan(
        batches=batches,
        updates=batches // recipe.accumulation,  # batches that fill no update change nothing
        evaluate_every=evaluate_every * batches_in_a_step,
        checkpoint_every=checkpoint_every * batches_in_a_step,
    )


def batches_in(images: int, batch_size: int) -> int:
    """Return how many batches an epoch has; the last one may be smaller."""
    return math.ceil(images / batch_size)
