"""A gradient of max pooling that XLA can compile and that is the same every time.

XLA refuses its own, which scatters, where operations are to be repeatable. This one compares each window's
values with the window's maximum, gives the gradient to the first that equals it, as TensorFlow's kernel does,
and adds up what windows that overlap give to a value in one fixed order.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def max_pool(x: Any, size: tuple[int, int], strides: tuple[int, int], padding: str) -> Any:
    """Return TensorFlow's max pooling of `x`, with the repeatable gradient.

    Args:
        x: (batch, height, width, channels); all but the batch are known.
        size: height and width of a window.
        strides: from a window to the next, downwards and sideways.
        padding: same or valid.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def pool(x: Any) -> Any:
        y = tf.nn.max_pool2d(x, size, strides, padding.upper())
        return y, lambda upstream: _gradient(x, y, upstream, size, strides)

    return pool(x)


def _gradient(x: Any, y: Any, upstream: Any, size: tuple[int, int], strides: tuple[int, int]) -> Any:
    """Return the gradient by `x`, of which `y` are the maxima; `upstream` is the one by `y`."""
    import tensorflow as tf

    (height, width), (down, right) = x.shape[1:3], strides
    rows, columns = y.shape[1:3]
    # What all windows cover; with `valid` padding it may end before the image does.
    covered = ((rows - 1) * down + size[0], (columns - 1) * right + size[1])
    missing = max(covered[0] - height, 0), max(covered[1] - width, 0)
    before = missing[0] // 2, missing[1] // 2
    around = [[0, 0], [before[0], missing[0] - before[0]], [before[1], missing[1] - before[1]], [0, 0]]
    padded = tf.pad(x, around, constant_values=x.dtype.min)
    total = tf.zeros_like(padded)
    taken = tf.zeros_like(y, tf.bool)
    for i in range(size[0]):
        for j in range(size[1]):
            values = padded[
                :, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right
            ]
            chosen = tf.logical_and(values == y, tf.logical_not(taken))
            taken = tf.logical_or(taken, chosen)
            total += _spread(tf.where(chosen, upstream, tf.zeros_like(upstream)), (i, j), strides, padded)
    return total[:, before[0] : before[0] + height, before[1] : before[1] + width]


def _spread(values: Any, start: tuple[int, int], strides: tuple[int, int], like: Any) -> Any:
    """Return zeros of the shape of `like` with `values` at every stride from `start` on."""
    import tensorflow as tf

    (down, right), (rows, columns, channels) = strides, values.shape[1:]
    apart = tf.pad(
        values[:, :, None, :, None],
        [[0, 0], [0, 0], [0, down - 1], [0, 0], [0, right - 1], [0, 0]],
    )
    apart = tf.reshape(apart, (-1, rows * down, columns * right, channels))
    apart = apart[:, : (rows - 1) * down + 1, : (columns - 1) * right + 1]
    after = [like.shape[1] - start[0] - apart.shape[1], like.shape[2] - start[1] - apart.shape[2]]
    return tf.pad(apart, [[0, 0], [start[0], after[0]], [start[1], after[1]], [0, 0]])


@contextmanager
def repeatable(model: "keras.Model") -> Iterator[None]:
    """Let the max pooling of `model`, and of models within it, have the repeatable gradient in this block.

    What a step traces there is all that changes: the layers, and so the file of the model, stay as they are.
    """
    layers = list(_pooling(model))
    for layer in layers:
        layer.call = _call(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _call(layer: Any) -> Any:
    return lambda x: max_pool(x, layer.pool_size, layer.strides, layer.padding)


def _pooling(model: "keras.Model") -> Iterator[Any]:
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _pooling(layer)
        elif isinstance(layer, keras.layers.MaxPooling2D):
            yield layer
