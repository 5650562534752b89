"""One update of the weights from the gradients of several batches, for GPUs that cannot hold a large one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def accumulate(optimizer: "keras.optimizers.Optimizer", batches: int) -> None:
    """Let `optimizer` average the gradients of so many calls of `apply` and change the weights in the last.

    If they have equally many images, that is the update of one batch with all of them, but for batch
    normalisation and dropout. The optimizer's `iterations` are updates, and its variables hold the sums.

    Args:
        optimizer: not built yet.
        batches: from 1 on.
    """
    optimizer.gradient_accumulation_steps = batches if batches > 1 else None
