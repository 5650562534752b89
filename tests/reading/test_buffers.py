"""Memory of batches: used again once nobody looks at it, never before."""

import gc

import numpy as np
import pytest

from deepfake_ensemble.reading.buffers import BufferPool

SHAPE = (4, 5, 6, 3)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_arrays_are_as_asked_for_writable_and_aligned() -> None:
    memory = BufferPool()
    for shape in [(0, 5, 6, 3), SHAPE, (1, 2, 2, 3), (7, 9, 9, 3), (0, 2, 2, 3)]:
        array = memory.array(shape)
        assert (array.shape, array.dtype) == (shape, np.uint8)
        assert array.flags.writeable
        assert array.flags.c_contiguous
        assert address(array) % 4096 == 0


def test_what_cannot_be_had_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        BufferPool().array((2**40, 2**10, 2**10, 3))


def test_arrays_that_are_held_share_no_memory() -> None:
    memory = BufferPool()
    held = [memory.array(SHAPE) for _ in range(5)]
    for number, array in enumerate(held):
        array[...] = number
    assert [array.min() for array in held] == [array.max() for array in held] == list(range(5))


def test_what_nobody_holds_is_used_again() -> None:
    memory = BufferPool()
    addresses = set()
    for _ in range(10):
        array = memory.array(SHAPE)
        addresses.add(address(array))
        del array
    assert len(addresses) == 1


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[1],
        lambda array: array[:, ::-1],
        lambda array: array.reshape(-1)[5:6],
        memoryview,
    ],
)
def test_a_view_holds_it(view) -> None:
    memory = BufferPool()
    array = memory.array(SHAPE)
    array[...] = 7
    held = view(array)
    del array
    gc.collect()
    memory.array(SHAPE)[...] = 9
    assert (np.asarray(held) == 7).all()


def test_tensorflow_holds_it() -> None:
    import tensorflow as tf

    memory = BufferPool()

    def batches():
        for number in range(20):
            array = memory.array(SHAPE)
            array[...] = number
            yield array

    signature = tf.TensorSpec(SHAPE, tf.uint8)
    held = list(tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(3))
    assert [batch.numpy().max() for batch in held] == list(range(20))
    assert [batch.numpy().min() for batch in held] == list(range(20))


def test_another_size_gets_memory_that_is_large_enough() -> None:
    memory = BufferPool()
    memory.array((1, 1, 1, 3))
    large = memory.array((10, 10, 10, 3))
    large[...] = 1
    del large
    small = memory.array((2, 2, 2, 3))
    small[...] = 2
    assert small.size == 24
