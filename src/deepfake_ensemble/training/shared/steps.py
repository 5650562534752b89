"""A step of training or testing, compiled for the batches that readers give."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.reading.batches import Batch
from deepfake_ensemble.training.shared import pooling

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

ALIGNMENT = 64  # bytes, to a multiple of which TensorFlow's tensors begin
Step = Callable[[Batch], Any]


def compiled(
    step: Callable[["tf.Tensor", "tf.Tensor"], Any], model: "keras.Model", *, jit_compile: bool
) -> Step:
    """Compile what is done with the images (batch, size, size, 3) and the labels (batch, 1) of a batch.

    Labels are float32 for the step, whatever they are in the batch.

    One graph for batches of any length: another would round otherwise, and a resumption would show. XLA makes
    a program of it for each length that comes, and it is told how long that takes.

    Args:
        step: trains or tests `model`.
        model: takes images of that size.
        jit_compile: with XLA; max pooling then has a gradient that XLA can compile and repeat.
    """
    import tensorflow as tf

    def repeatable(images: "tf.Tensor", labels: "tf.Tensor") -> Any:
        with pooling.repeatable(model):
            return step(images, labels)

    size = model.input_shape[1]
    signature = (tf.TensorSpec((None, size, size, 3), tf.uint8), tf.TensorSpec((None, 1), tf.float32))
    graph = tf.function(
        repeatable if jit_compile else step,
        input_signature=signature,
        autograph=False,
        jit_compile=jit_compile,
    )
    if jit_compile:
        return _told(lambda batch: graph(*tensors(batch)), model.name)
    return lambda batch: graph(*tensors(batch))


def _told(step: Step, name: str) -> Step:
    """Return the same step, which tells of the minutes that its first batch of each length takes."""
    compiled: set[int] = set()

    def telling(batch: Batch) -> Any:
        length = len(batch[0])
        if length in compiled:
            return step(batch)
        compiled.add(length)
        print(f"{name}: compiling a step of {length} images with XLA…", flush=True)
        start = time.monotonic()
        result = step(batch)
        print(f"{name}: compiling took {time.monotonic() - start:.0f} s", flush=True)
        return result

    return telling


def tensors(batch: Batch) -> tuple["tf.Tensor", "tf.Tensor"]:
    """Return images and labels as tensors; a reader's images stay in the memory where they are.

    To copy them would take a good part of the time in which they are decoded. The few labels are copied, but
    not by `tf.constant`, which takes twice as long while threads decode: they want Python's lock as well.
    """
    images, labels = batch
    if images.ctypes.data % ALIGNMENT:
        images = _aligned(images, images.dtype)
    return _in_place(images), _in_place(_aligned(labels, np.dtype(np.float32)))


def _aligned(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a copy that begins where TensorFlow's tensors do: it would end the process over another."""
    size = values.size * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    aligned = memory[start : start + size].view(dtype).reshape(values.shape)
    aligned[...] = values
    return aligned


def _in_place(values: NDArray[Any]) -> "tf.Tensor":
    import tensorflow as tf

    return tf.experimental.dlpack.from_dlpack(values.__dlpack__())
