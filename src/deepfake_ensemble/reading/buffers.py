"""The memory of batches, used again: the system takes its time to hand out fresh pages."""

import math
import mmap
import weakref
from collections import deque

import numpy as np
from numpy.typing import NDArray


class BufferPool:
    """Hands out arrays; the memory of those that nobody holds any more, nor a view of them, first."""

    def __init__(self) -> None:
        self._free: deque[mmap.mmap] = deque()

    def array(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return an array with anything in it, at the start of a page: TensorFlow takes it without a copy.

        Raises:
            MemoryError: as NumPy does.
        """
        size = math.prod(shape)
        try:
            memory = self._free.pop()
        except IndexError:
            memory = _pages(size)
        if len(memory) < size:
            memory = _pages(size)
        owner = np.frombuffer(memory, np.uint8, size)
        # Views of `owner`, which is what is given away, keep it alive; with the last of them it goes.
        weakref.finalize(owner, self._free.append, memory).atexit = False
        return owner.reshape(shape)


def _pages(size: int) -> mmap.mmap:
    try:
        return mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        raise MemoryError from None
