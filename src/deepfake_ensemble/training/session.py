"""Seed and settle TensorFlow for a process that computes with it."""


def start(seed: int, precision: str = "float32", optimize_graph: bool = True) -> None:
    """Seed Python's, NumPy's and TensorFlow's generators (section 3.6.2) and make every operation repeatable.

    PYTHONHASHSEED counts only before the interpreter starts; the stage's command in dvc.yaml sets it.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(precision)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not optimize_graph})
