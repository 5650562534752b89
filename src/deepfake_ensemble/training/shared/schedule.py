"""The learning rate of each update, as schedules of both studies have it."""

import math
from typing import Literal


def learning_rate(
    update: int,
    updates: int,
    highest: float,
    warm_up: float,
    shape: Literal["linear", "cosine", "constant"],
) -> float:
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
    rising = rising_updates(updates, warm_up)
    if update < rising:
        return highest * update / rising
    left = max(0.0, (updates - update) / max(1, updates - rising))
    return highest * (left if shape == "linear" else 0.5 - 0.5 * math.cos(math.pi * left))


def rising_updates(updates: int, warm_up: float) -> int:
    """Return in how many of so many updates the learning rate rises."""
    return math.ceil(round(updates * warm_up, 9))  # 0.1 times 30 is a little more than 3
