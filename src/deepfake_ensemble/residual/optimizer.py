"""AdamW: no decay on biases and normalisation, gradients averaged over several batches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deepfake_ensemble.training.adam import adam

if TYPE_CHECKING:
    import keras


def adamw(
    variables: Sequence["keras.Variable"], *, weight_decay: float, accumulation: int
) -> "keras.optimizers.Optimizer":
    """Return an AdamW (Loshchilov & Hutter 2019) for `variables`, with the learning rate 0: assign it.

    It averages the gradients of `accumulation` calls of `apply` and changes the weights in the last of them.
    Its `iterations` are updates, and so its bias correction and its decay follow updates. A schedule inside a
    Keras optimizer would follow batches; hence the learning rate is assigned from outside.
    """
    optimizer = adam(0.0)
    optimizer.weight_decay = weight_decay or None
    optimizer.gradient_accumulation_steps = accumulation if accumulation > 1 else None
    # Kernels are matrices at least; biases, scales and offsets are vectors.
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
    optimizer.build(variables)
    return optimizer
