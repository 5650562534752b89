"""The optimizer is Adam, and AdamW with a decay of weights."""

from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.training.shared.adam import adam, decay_weights


@pytest.mark.parametrize("compiled", [False, True])
def test_it_takes_the_steps_of_keras_own_adam(compiled: bool) -> None:
    import keras

    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype("float32") for shape in ((7, 5), (3,))]
    gradients = [
        [rng.normal(size=x.shape).astype("float32") * scale for x in start] for scale in (1, 1e-3, 30)
    ]
    ours, keras_s = (
        after(optimizer, start, gradients * 5, compiled=compiled)
        for optimizer in (adam(0.01), keras.optimizers.Adam(0.01))
    )
    for one, other in zip(ours, keras_s, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert all(np.abs(one - x).max() > 0.01 for one, x in zip(ours, start, strict=False))


def test_with_a_decay_it_is_keras_own_adamw_which_leaves_vectors_alone() -> None:
    import keras

    rng = np.random.default_rng(1)
    start = [rng.normal(size=shape).astype("float32") for shape in ((7, 5), (3,))]
    gradients = [[rng.normal(size=x.shape).astype("float32") for x in start] for _ in range(5)]
    ours, keras_s, plain = (
        after(optimizer, start, gradients, weight_decay=decay)
        for optimizer, decay in ((adam(0.01), 0.5), (keras.optimizers.AdamW(0.01), 0.5), (adam(0.01), 0.0))
    )
    for one, other in zip(ours, keras_s, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert np.abs(ours[0] - plain[0]).max() > 0.01
    np.testing.assert_array_equal(ours[1], plain[1])


def after(
    optimizer: Any,
    start: list[np.ndarray],
    gradients: list[list[np.ndarray]],
    *,
    compiled: bool = False,
    weight_decay: float = 0.0,
) -> list[np.ndarray]:
    """Return the variables, and the optimizer's own, after a step with each of the gradients."""
    import keras
    import tensorflow as tf

    variables = [keras.Variable(x) for x in start]
    decay_weights(optimizer, weight_decay, variables)
    optimizer.build(variables)
    step = tf.function(lambda *given: optimizer.apply(given, variables), jit_compile=compiled)
    for given in gradients:
        step(*[tf.constant(gradient) for gradient in given])
    return [variable.numpy() for variable in (*variables, *optimizer.variables)]
