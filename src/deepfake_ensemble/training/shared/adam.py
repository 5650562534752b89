"""Adam in one operation per variable, and the decay of weights that makes AdamW of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def adam(learning_rate: float) -> "keras.optimizers.Adam":
    """Return Keras' Adam (Kingma & Ba 2015, with Keras' defaults), updated by TensorFlow's own kernel for it.

    Keras composes the update of some twenty operations on each variable. TensorFlow has one that does the
    same arithmetic in one pass over memory.
    """
    import keras
    import tensorflow as tf

    class Adam(keras.optimizers.Adam):
        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            step = tf.cast(self.iterations + 1, tf.float32)
            self._powers = [tf.pow(beta, step) for beta in (self.beta_1, self.beta_2)]
            return super().apply(grads, trainable_variables)

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            index = self._get_variable_index(variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._momentums[index].value.handle,
                v=self._velocities[index].value.handle,
                beta1_power=self._powers[0],
                beta2_power=self._powers[1],
                lr=tf.cast(learning_rate, tf.float32),
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=tf.cast(gradient, tf.float32),
            )

    return Adam(learning_rate)


def decay_weights(
    optimizer: "keras.optimizers.Optimizer", weight_decay: float, variables: Sequence["keras.Variable"]
) -> None:
    """Let each update also shrink the kernels (Loshchilov & Hutter 2019).

    Args:
        optimizer: not built yet.
        weight_decay: times the learning rate, the share that is taken off; 0 takes none.
        variables: what is trained. Kernels are matrices at least: biases, scales and offsets, which are
            vectors, are left alone.
    """
    optimizer.weight_decay = weight_decay or None
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
