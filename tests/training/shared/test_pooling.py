"""The repeatable gradient of max pooling is TensorFlow's own, and only a compiled step has it."""

from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.training.shared import pooling

WINDOWS = [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 3), (1, 1)), ((2, 2), (3, 3))]
DTYPES = ["float32", "float16", "bfloat16"]
KINDS = ["distinct", "equal", "relu", "negative"]

windows = pytest.mark.parametrize(("size", "strides"), WINDOWS)
paddings = pytest.mark.parametrize("padding", ["same", "valid"])
sides = pytest.mark.parametrize("side", [8, 9, 11])


def images(kind: str, side: int, dtype: str) -> Any:
    import tensorflow as tf

    rng, shape = np.random.default_rng(side), (2, side, side + 1, 3)
    values = {
        "distinct": rng.permutation(np.prod(shape)).reshape(shape) / 4 - 60,
        "equal": rng.integers(0, 2, shape),
        "relu": np.maximum(rng.integers(-6, 3, shape), 0),
        "negative": -1 - rng.integers(0, 3, shape),
    }[kind]
    return tf.constant(values, dtype)


def both(x: Any, size: Any, strides: Any, padding: str, whole: bool, compiled: bool = False) -> Any:
    """Return values and gradient of ours and of TensorFlow's own, as NumPy's arrays."""
    import tensorflow as tf

    def ours() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = pooling.max_pool(x, size, strides, padding)
        return y, tape.gradient(y, x, upstream(y))

    def theirs() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.max_pool2d(x, size, strides, padding.upper())
        return y, tape.gradient(y, x, upstream(y))

    def upstream(y: Any) -> Any:
        rng = np.random.default_rng(1)
        values = rng.integers(-4, 5, y.shape) if whole else rng.normal(size=y.shape)
        return tf.constant(values, y.dtype)

    step = tf.function(ours, jit_compile=True) if compiled else ours
    return [[np.array(tf.cast(each, tf.float64)) for each in of()] for of in (step, theirs)]


@windows
@paddings
@sides
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_tensorflow_s(
    size: Any, strides: Any, *, padding: str, side: int, dtype: str, kind: str
) -> None:
    # Sums of small whole numbers are exact in any order.
    (ours, its), (y, gradient) = both(images(kind, side, dtype), size, strides, padding, whole=True)
    assert np.array_equal(ours, y)
    assert np.array_equal(its, gradient)
    assert gradient.any()


@paddings
@pytest.mark.parametrize("kind", KINDS)
def test_where_no_windows_overlap_any_gradient_is_tensorflow_s_bit_for_bit(padding: str, kind: str) -> None:
    (_, its), (_, gradient) = both(images(kind, 9, "float32"), (2, 2), (2, 2), padding, whole=False)
    assert np.array_equal(its, gradient)


@paddings
def test_where_windows_overlap_sums_agree_to_rounding(padding: str) -> None:
    (_, its), (_, gradient) = both(images("distinct", 9, "float32"), (3, 3), (2, 2), padding, whole=False)
    assert its == pytest.approx(gradient, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("size", "strides"), WINDOWS[:2])
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_by_xla_it_is_the_same(size: Any, strides: Any, kind: str) -> None:
    (ours, its), (y, gradient) = both(images(kind, 9, "float32"), size, strides, "same", True, compiled=True)
    assert np.array_equal(ours, y)
    assert np.array_equal(its, gradient)


def network() -> Any:
    import keras

    image = keras.Input((8, 8, 3))
    inner = keras.Model(image, keras.layers.MaxPooling2D(3, 2, padding="same")(image))
    return keras.Model(image, keras.layers.MaxPooling2D(2)(inner(image)))


def traced(model: Any) -> set[str]:
    """Return the kinds of operations in the gradient of a model."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3))])
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x, training=True)
        return tape.gradient(y, x)

    return {operation.type for operation in gradient.get_concrete_function().graph.get_operations()}


def test_only_within_the_block_has_a_model_another_gradient_and_it_stays_what_it_was() -> None:
    model = network()
    before = model.to_json()
    with pooling.repeatable(model):
        inside = traced(model)
    assert "MaxPool" in inside and "MaxPoolGrad" not in inside
    assert "MaxPoolGrad" in traced(model)
    assert model.to_json() == before
