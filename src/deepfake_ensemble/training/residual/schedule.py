"""When a training of the second study does what: its learning rate, its updates and its evaluations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from deepfake_ensemble.training.residual.settings import Recipe, Shape


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


def learning_rate(update: int, updates: int, highest: float, warm_up: float, shape: Shape) -> float:
    """Return the learning rate of an update of the weights (table 1, figure 6).

    It rises in a straight line from 0, which the first update gets, to `highest`, which the update after the
    warm-up gets, and falls towards 0, which the update after the last one would get.

    Args:
        update: counted from 0.
        updates: how many there are in all.
        highest: the learning rate at the end of the warm-up.
        warm_up: the share of updates in which it rises; rounded up to whole updates.
        shape: how it falls: in a straight line (linear) or in half a cosine wave; constant is `highest` from
            the first update on, without a warm-up.
    """
    if shape == "constant":
        return highest
    rising = math.ceil(round(updates * warm_up, 9))  # 0.1 times 30 is a little more than 3
    if update < rising:
        return highest * update / rising
    left = max(0.0, (updates - update) / max(1, updates - rising))
    return highest * (left if shape == "linear" else 0.5 - 0.5 * math.cos(math.pi * left))
