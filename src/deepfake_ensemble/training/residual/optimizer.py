"""AdamW and Muon: no decay on biases and normalisation, gradients averaged over several batches."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.training.residual.settings import Optimizer
from deepfake_ensemble.training.shared.accumulation import accumulate
from deepfake_ensemble.training.shared.adam import adam, decay_weights

if TYPE_CHECKING:
    import keras

# Newton-Schulz iterations: as many as in Jordan's own training of small convolutional networks.
MUON_STEPS = 3


def make_optimizer(
    name: Optimizer, variables: Sequence["keras.Variable"], *, weight_decay: float, accumulation: int
) -> "keras.optimizers.Optimizer":
    """Return an optimizer for `variables`, with the learning rate 0: assign it.

    It averages the gradients of `accumulation` calls of `apply` and changes the weights in the last of them.
    Its `iterations` are updates, and so its bias correction and its decay follow updates. A schedule inside a
    Keras optimizer would follow batches; hence the learning rate is assigned from outside.

    Args:
        name: adamw (Loshchilov & Hutter 2019); or muon (Jordan et al. 2024), for convolutions' kernels, with
            AdamW for everything else, scaled so that both take the same learning rate and decay (Liu et al.
            2025, section 2.2).
        variables: what is trained.
        weight_decay: times the learning rate, on everything but biases and normalisation.
        accumulation: so many gradients make one update.
    """
    made = _muon(weight_decay) if name == "muon" else adam(0.0)
    decay_weights(made, weight_decay, variables)
    accumulate(made, accumulation)
    made.build(variables)
    return made


def _muon(weight_decay: float) -> "keras.optimizers.Optimizer":
    import keras
    import tensorflow as tf

    class Muon(keras.optimizers.Muon):
        """Keras' Muon for kernels (height, width, inputs, outputs), each as one matrix (…, outputs)."""

        def _should_use_adamw(self, variable: Any) -> bool:
            # A depthwise convolution's kernel has one output for each input: nothing to make orthogonal.
            return len(variable.shape) != 4 or variable.shape[-1] == 1

        def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
            # In the precision of the network's arithmetic, as its authors do it; Keras' own is in float32 and
            # transposes in every step.
            matrix = tf.reshape(x, (-1, x.shape[-1]))
            is_wide = matrix.shape[0] < matrix.shape[1]
            tall = tf.transpose(matrix) if is_wide else matrix
            tall = tf.cast(tall / (tf.norm(tall) + 1e-7), keras.config.dtype_policy().compute_dtype)
            for _ in range(steps):
                gram = tf.matmul(tall, tall, transpose_a=True)
                inner = self.muon_b * gram + self.muon_c * tf.matmul(gram, gram)
                tall = self.muon_a * tall + tf.matmul(tall, inner)
            turned = tf.transpose(tall) if is_wide else tall
            return tf.cast(tf.reshape(turned, x.shape), x.dtype)

        def lr_adjust(self, x: Any) -> Any:
            sides = math.prod(x.shape[:-1]), x.shape[-1]
            return x * (max(sides) ** 0.5 * self.rms_rate)

    return Muon(0.0, adam_weight_decay=weight_decay or None, ns_steps=MUON_STEPS)
